"""Groups of rows that repeat one another, and rows that stand in two splits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.near_duplicates._arrays import Indices, pieces

__all__ = ["Cluster", "ClustersView", "LeakedRow", "LeakedRowsView", "UnionFind"]

Numbers = NDArray[np.integer[Any]]

_NONE = np.zeros(0, np.int64)
_NO_TABLE = np.zeros((0, 4), np.int64)


class UnionFind:
    """Joins things into groups, whole arrays of pairs at a time.

    A group goes by its lowest member, whatever the order in which pairs come.
    """

    def __init__(self, size: int) -> None:
        self._parent = np.arange(size, dtype=np.uint32)

    def join(self, i: Numbers, j: Numbers) -> None:
        """Put i[n] and j[n] into one group, for every n."""
        while True:
            i, j = self._roots(i), self._roots(j)
            apart = i != j
            if not apart.any():
                return
            i, j = np.minimum(i[apart], j[apart]), np.maximum(i[apart], j[apart])
            self._parent[j] = i  # of several one wins; the next turn joins the others

    def labels(self) -> Indices:
        """Return the lowest member of each thing's group."""
        for piece in pieces(self._parent.size):
            self._parent[piece] = self._roots(self._parent[piece])
        return self._parent

    def _roots(self, things: Numbers) -> Numbers:
        while True:
            above = self._parent[things]
            if (above == things).all():
                return things
            self._parent[things] = self._parent[above]  # paths halve with every turn
            things = self._parent[things]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Rows that are near duplicates of one another, directly or through others.

    Attributes:
        number: From 0, in order of the first rows.
        rows: Split and row, from 0 in its split, of each.
    """

    number: int
    rows: tuple[tuple[str, int], ...]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.rows)


class ClustersView(Sequence[Cluster]):
    """Clusters of two rows or more, made when asked for.

    Args:
        splits: Names of the splits.
        split_of: Position in `splits` of each row of a cluster, shape (rows,).
        rows: These rows, counted from 0 in their splits.
        labels: Equal for rows of one cluster; rows are in order of splits and rows.
    """

    def __init__(
        self,
        splits: Sequence[str] = (),
        *,
        split_of: Numbers = _NONE,
        rows: Numbers = _NONE,
        labels: Numbers = _NONE,
    ) -> None:
        first_seen = np.unique(labels, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first_seen[1]))
        cluster = rank[first_seen[2]]
        order = np.argsort(cluster, kind="stable")
        self._splits = tuple(splits)
        self._split_of = split_of[order].astype(np.uint16)
        self._rows = rows[order].astype(np.uint32)
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(cluster))]).astype(np.int64)

    def __len__(self) -> int:
        return self._starts.size - 1

    @overload
    def __getitem__(self, index: int) -> Cluster: ...
    @overload
    def __getitem__(self, index: slice) -> list[Cluster]: ...
    def __getitem__(self, index: int | slice) -> Cluster | list[Cluster]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there are {len(self)} clusters; no number {index}")
        members = slice(int(self._starts[place]), int(self._starts[place + 1]))
        splits = (self._splits[split] for split in self._split_of[members].tolist())
        return Cluster(place, tuple(zip(splits, self._rows[members].tolist(), strict=True)))

    def __repr__(self) -> str:
        return f"<{len(self)} clusters of {self._rows.size} rows>"

    def columns(self) -> dict[str, list[Any]]:
        """Return all rows of all clusters as columns: split, row, cluster, size."""
        sizes = np.diff(self._starts)
        return {
            "split": [self._splits[split] for split in self._split_of.tolist()],
            "row": self._rows.tolist(),
            "cluster": np.repeat(np.arange(len(self)), sizes).tolist(),
            "size": np.repeat(sizes, sizes).tolist(),
        }


@dataclass(frozen=True, slots=True)
class LeakedRow:
    """A row with a near duplicate in another split.

    Attributes:
        split: The row's split.
        row: The row, from 0 in its split.
        other_split: The other split.
        other_row: The first row there that was found to be near.
    """

    split: str
    row: int
    other_split: str
    other_row: int


class LeakedRowsView(Sequence[LeakedRow]):
    """Rows that have a near duplicate in another split, one for each such split.

    Args:
        splits: Names of the splits.
        table: Split, row, other split and other row, shape (leaks, 4); splits by position.
    """

    def __init__(self, splits: Sequence[str] = (), *, table: Numbers = _NO_TABLE) -> None:
        self._splits = tuple(splits)
        self._table = table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]

    def __len__(self) -> int:
        return int(self._table.shape[0])

    @overload
    def __getitem__(self, index: int) -> LeakedRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[LeakedRow]: ...
    def __getitem__(self, index: int | slice) -> LeakedRow | list[LeakedRow]:
        if isinstance(index, slice):
            return [self._row(line) for line in self._table[index].tolist()]
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} leaked rows; no number {index}")
        return self._row(self._table[index].tolist())

    def __iter__(self) -> Iterator[LeakedRow]:
        return map(self._row, self._table.tolist())

    def __repr__(self) -> str:
        return f"<{len(self)} leaked rows>"

    def columns(self) -> dict[str, list[Any]]:
        """Return all as columns: split, row, other_split, other_row."""
        split, row, other, other_row = self._table.T.tolist() if len(self) else ([],) * 4
        return {
            "split": [self._splits[place] for place in split],
            "row": row,
            "other_split": [self._splits[place] for place in other],
            "other_row": other_row,
        }

    def _row(self, line: list[int]) -> LeakedRow:
        split, row, other, other_row = line
        return LeakedRow(self._splits[split], row, self._splits[other], other_row)
