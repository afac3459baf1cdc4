"""Copies of a corpus without near duplicates, and without rows that leak between splits."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.copies._kept_rows import KeptRows, without_counts
from forgelm.data_audit.copies._pieces import check_format
from forgelm.data_audit.copies._rewrite import (
    Staging,
    matcher_for,
    place_below,
    refuse_present,
    sign_corpus,
    target_files,
)
from forgelm.data_audit.near_duplicates import (
    INCOMPLETE,
    MinHashMatcher,
    NearDuplicates,
    SignatureStore,
    SimHashMatcher,
    find_near_duplicates,
)
from forgelm.data_audit.sources import Source, find_corpus

__all__ = ["DedupSummary", "deduplicate_dataset"]

RECORD_SUFFIX = ".dedup_record.jsonl"
Indices = NDArray[np.int64]
Keep = Literal["first", "last", "longest"]
FileFormat = Literal["jsonl", "source"]

_RECORD_BLOCK = 1 << 14
_STAYS, _DUPLICATE, _LEAK = 0, 1, 2
_REASONS = {_DUPLICATE: "near_duplicate", _LEAK: "leak"}


@dataclass(frozen=True)
class DedupSummary:
    """What `deduplicate_dataset` did.

    Attributes:
        source: What was copied.
        out: The copy.
        files: The files written.
        record: The file that says which rows went, and why.
        rows: Rows read.
        rows_kept: Rows written.
        duplicates: Rows taken out by split, for a near duplicate in the same split.
        leaked: Rows taken out by split, for a near duplicate in another split.
        skipped: Lines that could not be read and are in no output.
        skipped_lines: The first twenty of them: file, line and why.
        notes: What a reader should know, such as duplicates left in protected splits.
    """

    source: str
    out: str
    files: tuple[str, ...]
    record: str
    rows: int
    rows_kept: int
    duplicates: dict[str, int]
    leaked: dict[str, int]
    skipped: int
    skipped_lines: tuple[str, ...]
    notes: tuple[str, ...]


def deduplicate_dataset(
    source: Source,
    out: str | os.PathLike[str],
    *,
    method: str = "simhash",
    near_dup_threshold: int = 3,
    minhash_jaccard: float = 0.85,
    minhash_num_perm: int = 128,
    keep: Keep = "first",
    remove_leaked: bool = True,
    protect: Sequence[str] = ("validation", "test"),
    file_format: FileFormat = "jsonl",
    overwrite: bool = False,
) -> DedupSummary:
    """Write a copy of a corpus with one row of each cluster of near duplicates.

    First, rows with a near duplicate in a protected split go; of two splits that are not protected,
    the earlier loses its row (train before validation before test before others). Then one row of
    each cluster stays in each split. Beside `out`, `<out>.dedup_record.jsonl` says of each row
    that went which row it repeats, how near it is, and why it went; its row numbers, from 0 in each
    split, are those of the source. Nothing appears before all is written.

    Args:
        source: As for `audit_dataset`.
        out: The file to write, or the directory where the source has more than one.
        method: "simhash", or "minhash" (needs the extra `dedup`).
        near_dup_threshold: As for `audit_dataset`.
        minhash_jaccard: As for `audit_dataset`.
        minhash_num_perm: As for `audit_dataset`.
        keep: Which row of a cluster stays: "first", "last" or "longest".
        remove_leaked: Also take out rows that have a near duplicate in another split.
        protect: Splits that are copied whole, so that results on them stay comparable; `()` to take
            duplicates out of every split.
        file_format: "jsonl": JSON Lines, a file a split, whatever the source is. "source": every
            file in its own format, as `mask_dataset` writes it: columns and types of a table,
            packing, the text of a record. Rows in memory are JSON Lines.
        overwrite: Replace files that are there already.

    Raises:
        ValueError: An argument is out of bounds.
        DataError: The source cannot be read, or `out` is the source or exists.
        OptionalDependencyError: An extra that was asked for is not installed.
        OSError: A file cannot be read or written.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "rows.jsonl").write_text('{"text": "One row"}\\n' * 3, encoding="utf-8")
        >>> summary = deduplicate_dataset(folder / "rows.jsonl", folder / "clean.jsonl")
        >>> summary.rows_kept, summary.duplicates
        (1, {'train': 2})
    """
    if keep not in ("first", "last", "longest"):
        raise ValueError(f"keep must be 'first', 'last' or 'longest', not {keep!r}")
    check_format("deduplicate_dataset", file_format)
    matcher = matcher_for(
        "deduplicate_dataset", method, near_dup_threshold, minhash_jaccard, minhash_num_perm
    )
    corpus, place = find_corpus(source), Path(out)
    as_source = file_format == "source" and not corpus.rows
    targets = target_files(source, corpus, place, as_source)
    metadata = {
        path: place / place_below(path, corpus.root) for path in corpus.metadata if as_source
    }
    record = place.with_name(place.name + RECORD_SUFFIX)
    refuse_present([*targets.values(), *metadata.values(), record], overwrite, corpus)
    with closing(matcher.store(list(corpus.splits))) as store, Staging(place) as staging:
        lengths = sign_corpus(corpus, matcher, store)
        removal = _Removal(store, matcher, lengths, keep, frozenset(protect), remove_leaked)
        found = removal.run()
        with staging.open(record) as stream:
            removal.write(stream)
        copies = KeptRows(removal.gone_rows())
        copies.write(corpus, targets, staging, as_source)
        for path, target in metadata.items():
            with staging.open(target) as stream:
                stream.write(without_counts(path))
        return DedupSummary(
            source=corpus.label,
            out=os.fspath(out),
            files=tuple(dict.fromkeys(map(str, targets.values()))),
            record=str(record),
            rows=copies.rows,
            rows_kept=copies.kept,
            duplicates=removal.counts(_DUPLICATE),
            leaked=removal.counts(_LEAK),
            skipped=copies.skipped,
            skipped_lines=tuple(copies.skipped_lines),
            notes=_notes(found, protect),
        )


class _Removal:
    """Which entries of a store go, and which one each of them repeats."""

    def __init__(
        self,
        store: SignatureStore,
        matcher: SimHashMatcher | MinHashMatcher,
        lengths: NDArray[np.uint32],
        keep: Keep,
        protect: frozenset[str],
        remove_leaked: bool,
    ) -> None:
        self._store, self._matcher = store, matcher
        self._splits = store.splits
        self._split_of = store.split_of.astype(np.int64)
        self._rows = store.rows
        self._remove_leaked = remove_leaked
        self._guarded = np.array([split in protect for split in self._splits])
        self._rank = self._guarded * len(self._splits) + np.arange(len(self._splits))
        self._preference = _preference(keep, lengths[store.positions])
        self._why = np.zeros(self._rows.size, np.uint8)
        self._repeats = np.arange(self._rows.size)

    def run(self) -> NearDuplicates:
        """Take out what is to go; return what is left."""
        while True:
            left = np.flatnonzero(self._why == _STAYS)
            found = find_near_duplicates(self._store, self._matcher, left)
            gone = self._leaked(found) if self._remove_leaked else 0
            if not gone and not self._repeated(left, found.within):
                return found

    def _leaked(self, found: NearDuplicates) -> int:
        entry, other_split, other = found.leaks.T
        split = self._split_of[entry]
        loses = ~self._guarded[split] & (self._rank[split] < self._rank[other_split])
        # Of several splits the last one counts, which is the one that wins over the others.
        order = np.argsort(self._rank[other_split[loses]], kind="stable")
        entry, other = entry[loses][order], other[loses][order]
        self._why[entry] = _LEAK
        self._repeats[entry] = other
        return int(entry.size)

    def _repeated(self, left: Indices, cluster: NDArray[np.uint32]) -> int:
        best_last = np.lexsort((self._preference[left], cluster))
        stays = np.empty(self._rows.size, np.int64)
        stays[cluster[best_last]] = left[best_last]
        kept = stays[cluster]
        goes = (kept != left) & ~self._guarded[self._split_of[left]]
        self._why[left[goes]] = _DUPLICATE
        self._repeats[left[goes]] = kept[goes]
        return int(goes.sum())

    def counts(self, why: int) -> dict[str, int]:
        """Return how many rows went for this reason, by split."""
        splits = self._split_of[self._why == why]
        counts = np.bincount(splits, minlength=len(self._splits)).tolist()
        return {split: n for split, n in zip(self._splits, counts, strict=True) if n}

    def gone_rows(self) -> dict[str, bytes]:
        """Return for each split a byte a row, 1 where the row goes."""
        gone = np.zeros(sum(self._store.row_counts.values()), np.uint8)
        gone[self._store.positions[self._why != _STAYS]] = 1
        edges = np.cumsum(list(self._store.row_counts.values()))[:-1]
        parts = (part.tobytes() for part in np.split(gone, edges))
        return dict(zip(self._splits, parts, strict=True))

    def write(self, stream: BinaryIO) -> None:
        """Write one line of JSON for each row that goes, in order of splits and rows."""
        gone = np.flatnonzero(self._why != _STAYS)
        kept = self._repeats[gone]
        while (self._why[kept] != _STAYS).any():
            kept = np.where(self._why[kept] == _STAYS, kept, self._repeats[kept])
        for start in range(0, gone.size, _RECORD_BLOCK):
            block = slice(start, start + _RECORD_BLOCK)
            nearness = self._matcher.nearness(self._store, gone[block], kept[block])
            for entry, other, near in zip(
                gone[block].tolist(), kept[block].tolist(), nearness, strict=True
            ):
                line = self._line(entry, other, near)
                stream.write(json.dumps(line).encode("ascii") + b"\n")

    def _line(self, entry: int, kept: int, near: float) -> dict[str, Any]:
        is_simhash = isinstance(self._matcher, SimHashMatcher)
        return {
            "split": self._splits[self._split_of[entry]],
            "row": int(self._rows[entry]),
            "kept_split": self._splits[self._split_of[kept]],
            "kept_row": int(self._rows[kept]),
            **({"distance": int(near)} if is_simhash else {"jaccard": round(near, 4)}),
            "reason": _REASONS[int(self._why[entry])],
        }


def _preference(keep: Keep, lengths: NDArray[np.uint32]) -> Indices:
    """Return numbers, the highest of which in a cluster is the row that stays."""
    order = np.arange(lengths.size)
    if keep == "last":
        return order
    if keep == "first":
        return -order
    rank = np.empty(lengths.size, np.int64)
    rank[np.lexsort((-order, lengths))] = order
    return rank


def _notes(found: NearDuplicates, protect: Sequence[str]) -> tuple[str, ...]:
    pairs = sum(n for split, n in found.pairs.items() if split in protect)
    notes = []
    if pairs:
        notes.append(
            f"Protected splits were copied whole, with {pairs:,} pairs of near duplicates in them; "
            "pass protect=() to take these out too."
        )
    notes += [
        f"{rows:,} rows of {a} still have a near duplicate in {b}; "
        "pass protect=() and remove_leaked=True to take them out."
        for (a, b), (rows, _) in found.leaked.items()
        if rows
    ]
    if not found.complete:
        notes.append(INCOMPLETE)
    return tuple(notes)
