"""One byte range in, a small mergeable result out: the function that every engine maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from heapq import nsmallest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.detectors import Finding, NerFinder, find_pii, find_secrets
from forgelm.data_audit.near_duplicates import MinHasher, simhash_batch, token_hashes
from forgelm.data_audit.quality import QualityFlag, judge
from forgelm.data_audit.scan._excerpts import masked_excerpts
from forgelm.data_audit.scan._findings import KINDS, RECORD
from forgelm.data_audit.scan._roles import count_roles
from forgelm.data_audit.scan._shapes import Shapes, add_shapes, see_shapes, shown_shapes
from forgelm.data_audit.sources import (
    ByteRange,
    Line,
    Problem,
    column_name,
    read_range,
    string_leaves,
    training_text,
)

__all__ = ["ColumnSeen", "Merger", "Partial", "ScanOptions", "merge", "scan_range"]

MAX_PROBLEMS = 20
MAX_COLUMNS = 2000
OTHER_COLUMNS = "(other columns)"
LANGUAGE_SAMPLE = 200
_SAMPLE_CHARS = 500
_SHORT_CHARS = 24
_MERGE_AT_ONCE = 16
_BATCH_CHARS = 100_000
_KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class ScanOptions:
    """What to look for; picklable.

    Attributes:
        num_perm: Places of a MinHash signature, or None for SimHash.
        quality: The quality checks to run, none for no judgement.
        ner_language: Language of the model that finds names, or None for no model.
        shapes: Note the types of all values, for a Croissant card.
        excerpts: Keep a masked excerpt of each finding, for the findings file.
    """

    num_perm: int | None = None
    quality: tuple[str, ...] = ()
    ner_language: str | None = None
    shapes: bool = False
    excerpts: bool = False


@dataclass
class ColumnSeen:
    """In how many rows a column is, and the types of its values, see `_type_name`."""

    rows: int = 0
    types: set[str] = field(default_factory=set)


@dataclass
class Partial:
    """What one or more consecutive ranges of a split hold.

    Attributes:
        path: The last range's file; `lines` counts those of the ranges in this file.
        faults: Lines passed over, by fault.
        problems: The first of them: file, line (from 1, counted from the first range) and problem.
        columns: Top-level columns in order of first appearance.
        paths: Column paths that `findings["column"]` refers to.
        signatures: One a row, shape (rows,) or (rows, num_perm).
        has_words: Rows whose text has any words.
        excerpts: A masked excerpt for each of `findings`; merging leaves them out.
        roles: Findings in chat messages by role and kind.
        sample: Up to 200 texts with the smallest hashes: the same whatever the ranges were.
    """

    path: str = ""
    lines: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, int, Problem]] = field(default_factory=list)
    columns: dict[str, ColumnSeen] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    findings: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, RECORD))
    lengths: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    signatures: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.uint64))
    has_words: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    blank_rows: int = 0
    sample: list[tuple[bytes, str]] = field(default_factory=list)
    quality: Counter[str] = field(default_factory=Counter)
    shapes: Shapes = field(default_factory=dict)
    excerpts: list[str] = field(default_factory=list)
    roles: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        """Rows that are JSON objects."""
        return int(self.lengths.size)


def scan_range(byte_range: ByteRange, options: ScanOptions) -> Partial:
    """Return what the rows of one range hold. Pure: same bytes, same result, in any process.

    Raises:
        DataError: A container of rows is damaged.
        OSError: The file cannot be read.
    """
    scanner = _Scanner(byte_range.path, options)
    for line in read_range(byte_range):
        scanner.add(line)
    return scanner.finish()


class _Scanner:
    def __init__(self, path: str, options: ScanOptions) -> None:
        self._options = options
        self._partial = Partial(path=path)
        self._hasher = _minhasher(options.num_perm) if options.num_perm else None
        self._ner = _ner_finder(options.ner_language) if options.ner_language else None
        self._path_index: dict[str, int] = {}
        self._records: list[tuple[int, int, int, int, int]] = []
        self._rows = 0
        self._lengths: list[int] = []
        self._texts: list[str] = []
        self._batch_chars = 0
        self._signatures: list[NDArray[Any]] = []
        self._has_words: list[NDArray[np.bool_]] = []
        self._sample: dict[bytes, str] = {}
        self._sample_limit = b"\xff" * 9

    def add(self, line: Line) -> None:
        partial = self._partial
        partial.lines += 1
        if line.problem is not None:
            partial.faults[line.problem.fault] += 1
            if len(partial.problems) < MAX_PROBLEMS:
                partial.problems.append((partial.path, partial.lines, line.problem))
        elif line.row is not None:
            self._add_row(line.row)

    def _add_row(self, row: dict[str, Any]) -> None:
        self._see_columns(row)
        if self._options.shapes:
            see_shapes(self._partial.shapes, row)
        found = [
            (path, text, findings)
            for path, text in string_leaves(row)
            if (findings := self._find(path, text))
        ]
        if found:
            count_roles(self._partial.roles, row, found)
        text = training_text(row)
        self._lengths.append(len(text))
        if not text or text.isspace():
            self._partial.blank_rows += 1
        else:
            self._judge(text)
        self._texts.append(text)
        self._rows += 1
        self._batch_chars += len(text)
        if self._batch_chars >= _BATCH_CHARS:
            self._flush()

    def _see_columns(self, row: dict[str, Any]) -> None:
        columns = self._partial.columns
        for key, value in row.items():
            seen = columns.get(key)
            if seen is None:
                name = key if len(columns) < MAX_COLUMNS else OTHER_COLUMNS
                seen = columns.setdefault(name, ColumnSeen())
            seen.rows += 1
            seen.types.add(_type_name(value))

    def _find(self, path: str, text: str) -> list[Finding]:
        findings = list(_short_findings(text)) if len(text) <= _SHORT_CHARS else _findings(text)
        if self._ner is not None:
            findings += self._ner.find(text, findings)
        if self._options.excerpts and findings:
            self._partial.excerpts += masked_excerpts(text, findings)
        for finding in findings:
            start, end = finding.span
            self._records.append(
                (self._rows, start, end, self._column(path), _KIND_INDEX[finding.kind])
            )
        return findings

    def _column(self, path: str) -> int:
        index = self._path_index.get(path)
        if index is None:
            path = path if len(self._path_index) < MAX_COLUMNS else OTHER_COLUMNS
            index = self._path_index.setdefault(path, len(self._path_index))
        return index

    def _judge(self, text: str) -> None:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest < self._sample_limit:
            self._sample[digest] = text[:_SAMPLE_CHARS]
            if len(self._sample) > 2 * LANGUAGE_SAMPLE:
                self._sample = dict(nsmallest(LANGUAGE_SAMPLE, self._sample.items()))
                self._sample_limit = max(self._sample)
        if self._options.quality:
            _count_quality(self._partial.quality, judge(text, self._options.quality))

    def _flush(self) -> None:
        hashes, offsets = token_hashes(self._texts)
        batch = self._hasher.batch if self._hasher is not None else simhash_batch
        self._signatures.append(batch(hashes, offsets))
        self._has_words.append(np.diff(offsets) > 0)
        self._texts, self._batch_chars = [], 0

    def finish(self) -> Partial:
        self._flush()
        partial = self._partial
        partial.columns = _shown(partial.columns)
        partial.shapes = shown_shapes(partial.shapes)
        partial.paths = [column_name(path) for path in self._path_index]
        partial.findings = np.array(self._records, RECORD)
        partial.lengths = np.array(self._lengths, np.uint32)
        partial.signatures = np.concatenate(self._signatures)
        partial.has_words = np.concatenate(self._has_words)
        partial.sample = nsmallest(LANGUAGE_SAMPLE, self._sample.items())
        return partial


def _findings(text: str) -> list[Finding]:
    return find_pii(text) + find_secrets(text)


@lru_cache(maxsize=4096)
def _short_findings(text: str) -> tuple[Finding, ...]:
    """Return the findings in a short text, of which roles and labels come again and again."""
    return tuple(_findings(text))


def _type_name(value: Any) -> str:
    """Return the Python name of a JSON type; for a list with its first item's: "list[str]"."""
    if isinstance(value, list):
        return f"list[{type(value[0]).__name__ if value else ''}]"
    return type(value).__name__


def _count_quality(counts: Counter[str], flags: Sequence[QualityFlag] | None) -> None:
    if flags is not None:
        counts["evaluated"] += 1
        if flags:
            counts["flagged"] += 1
            counts.update(flag.check for flag in flags)


def _shown(columns: dict[str, ColumnSeen]) -> dict[str, ColumnSeen]:
    shown: dict[str, ColumnSeen] = {}
    for name, seen in columns.items():
        _add_column(shown, column_name(name), seen)
    return shown


def _add_column(columns: dict[str, ColumnSeen], name: str, seen: ColumnSeen) -> None:
    if name not in columns and len(columns) >= MAX_COLUMNS:
        name = OTHER_COLUMNS
    mine = columns.setdefault(name, ColumnSeen())
    mine.rows += seen.rows
    mine.types |= seen.types


@lru_cache(maxsize=2)
def _minhasher(num_perm: int) -> MinHasher:
    return MinHasher(num_perm)


@lru_cache(maxsize=2)
def _ner_finder(language: str) -> NerFinder:
    return NerFinder(language)


def merge(partials: Sequence[Partial]) -> Partial:
    """Put consecutive partials together, in order. Associative: how they are grouped is all one."""
    merged = Partial()
    findings, row_base = [], 0
    for partial in partials:
        merged.problems += [
            (path, line + (merged.lines if path == merged.path else 0), problem)
            for path, line, problem in partial.problems
        ]
        merged.lines = partial.lines + (merged.lines if partial.path == merged.path else 0)
        merged.path = partial.path
        merged.faults += partial.faults
        merged.quality += partial.quality
        merged.roles += partial.roles
        merged.blank_rows += partial.blank_rows
        for name, seen in partial.columns.items():
            _add_column(merged.columns, name, seen)
        add_shapes(merged.shapes, partial.shapes)
        findings.append(_placed(partial, merged.paths, row_base))
        row_base += partial.rows
    merged.problems = merged.problems[:MAX_PROBLEMS]
    if partials:
        merged.findings = np.concatenate(findings)
        merged.lengths = np.concatenate([p.lengths for p in partials])
        merged.signatures = np.concatenate([p.signatures for p in partials])
        merged.has_words = np.concatenate([p.has_words for p in partials])
    sample = {digest: text for partial in partials for digest, text in partial.sample}
    merged.sample = nsmallest(LANGUAGE_SAMPLE, sample.items())
    return merged


class Merger:
    """Puts the partials of a split together as they come, sixteen at a time and then their sums.

    So the memory is that of the whole and not of its parts, and the work stays near-linear.
    """

    def __init__(self) -> None:
        self._levels: list[list[Partial]] = [[]]

    def add(self, partial: Partial) -> None:
        """Take the next partial."""
        for level in self._levels:
            level.append(partial)
            if len(level) < _MERGE_AT_ONCE:
                return
            partial = merge(level)
            level.clear()
        self._levels.append([partial])

    def merged(self) -> Partial:
        """Return all of them as one."""
        return merge([partial for level in reversed(self._levels) for partial in level])


def _placed(partial: Partial, paths: list[str], row_base: int) -> NDArray[np.void]:
    """Return the findings of `partial` with rows and columns counted as in the whole."""
    places = {path: place for place, path in enumerate(paths)}
    remap = np.zeros(max(len(partial.paths), 1), np.uint16)
    for old, path in enumerate(partial.paths):
        name = path if path in places or len(paths) < MAX_COLUMNS else OTHER_COLUMNS
        if name not in places:
            places[name] = len(paths)
            paths.append(name)
        remap[old] = places[name]
    records = partial.findings.copy()
    records["row"] += row_base
    records["column"] = remap[records["column"]]
    return records
