"""The findings of a whole corpus, 20 bytes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.detectors import PII_TIERS, SECRET_KINDS, Finding

__all__ = [
    "KINDS",
    "PII_KINDS",
    "RECORD",
    "FindingsView",
    "UnplacedFindings",
    "count_kinds",
    "count_kinds_by_column",
]

PII_KINDS: tuple[str, ...] = tuple(PII_TIERS)
KINDS: tuple[str, ...] = (*PII_KINDS, *SECRET_KINDS)
RECORD = np.dtype([("row", "i8"), ("start", "u4"), ("end", "u4"), ("column", "u2"), ("kind", "u1")])

Records = NDArray[np.void]
_COLUMNS = ("kind", "split", "row", "column", "start", "end")


def count_kinds(records: Records, kinds: Iterable[str]) -> dict[str, int]:
    """Count records by kind, non-zero ones of `kinds` only, in their order."""
    counts = np.bincount(records["kind"], minlength=len(KINDS)).tolist()
    return {kind: n for kind in kinds if (n := counts[KINDS.index(kind)])}


def count_kinds_by_column(
    records: Records, columns: Sequence[str], kinds: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Count records by column path and kind, non-zero ones of `kinds` only.

    Columns come in the order in which findings in them first turned up.
    """
    pairs = records["column"].astype(np.int64) * len(KINDS) + records["kind"]
    counts = np.bincount(pairs, minlength=len(columns) * len(KINDS)).reshape(-1, len(KINDS))
    places = [(kind, KINDS.index(kind)) for kind in kinds]
    table = {
        column: {kind: int(n) for kind, place in places if (n := counts[row, place])}
        for row, column in enumerate(columns)
    }
    return {column: by_kind for column, by_kind in table.items() if by_kind}


class FindingsView(Sequence[Finding]):
    """Findings of a report, made when asked for.

    Args:
        parts: For each split its records and the columns that they refer to.
        kinds: The kinds to show.
    """

    def __init__(
        self, parts: Mapping[str, tuple[Records, Sequence[str]]], kinds: Sequence[str]
    ) -> None:
        wanted = [KINDS.index(kind) for kind in kinds]
        self._parts: dict[str, tuple[Records, Sequence[str]]] = {
            split: (records[np.isin(records["kind"], wanted)], columns)
            for split, (records, columns) in parts.items()
        }

    def __len__(self) -> int:
        return sum(len(records) for records, _ in self._parts.values())

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> list[Finding]: ...
    def __getitem__(self, index: int | slice) -> Finding | list[Finding]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} findings; no number {index}")
        return self._at(place)

    def __iter__(self) -> Iterator[Finding]:
        for split, (records, columns) in self._parts.items():
            for record in records:
                yield _finding(split, record, columns)

    def __repr__(self) -> str:
        return f"<{len(self)} findings>"

    def columns(self) -> dict[str, list[Any]]:
        """Return all findings as columns: kind, split, row, column, start, end."""
        table: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for split, (records, columns) in self._parts.items():
            table["kind"] += [KINDS[kind] for kind in records["kind"].tolist()]
            table["split"] += [split] * len(records)
            table["row"] += records["row"].tolist()
            table["column"] += [columns[place] for place in records["column"].tolist()]
            table["start"] += records["start"].tolist()
            table["end"] += records["end"].tolist()
        return table

    def _at(self, place: int) -> Finding:
        for split, (records, columns) in self._parts.items():
            if place < len(records):
                return _finding(split, records[place], columns)
            place -= len(records)
        raise AssertionError("unreachable")


class UnplacedFindings(FindingsView):
    """Findings of a report that was rebuilt from its JSON: no more than kind and split is known.

    `row` and `column` are None, and `span` is `(0, 0)`.
    """

    def __init__(self, counts: Iterable[tuple[str, Mapping[str, int]]]) -> None:
        self._counts = [(split, kind, n) for split, kinds in counts for kind, n in kinds.items()]

    def __len__(self) -> int:
        return sum(n for _, _, n in self._counts)

    def __iter__(self) -> Iterator[Finding]:
        for split, kind, n in self._counts:
            for _ in range(n):
                yield Finding(kind, (0, 0), split)

    def columns(self) -> dict[str, list[Any]]:
        """Return empty columns: there is no place to name."""
        return {name: [] for name in _COLUMNS}

    def _at(self, place: int) -> Finding:
        for split, kind, n in self._counts:
            if place < n:
                return Finding(kind, (0, 0), split)
            place -= n
        raise AssertionError("unreachable")


def _finding(split: str, record: np.void, columns: Sequence[str]) -> Finding:
    span = (int(record["start"]), int(record["end"]))
    column = columns[int(record["column"])]
    return Finding(KINDS[int(record["kind"])], span, split, int(record["row"]), column)
