"""The unit of work, and its rows: every kind of source comes down to this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgelm.data_audit.sources._delimited import read_csv
from forgelm.data_audit.sources._files import Damaged, check_packages, file_kind
from forgelm.data_audit.sources._json_document import read_json
from forgelm.data_audit.sources._jsonl import Line, read_lines
from forgelm.data_audit.sources._memory import IN_MEMORY, read_objects
from forgelm.data_audit.sources._rows import printable
from forgelm.data_audit.sources._storage import size_of
from forgelm.data_audit.sources._tables import read_table, table_parts
from forgelm.errors import DataError

__all__ = ["ByteRange", "cut_file", "damage", "read_range"]

RANGE_BYTES = 4 << 20


@dataclass(frozen=True)
class ByteRange:
    """Some rows of one split; picklable if `rows` are.

    Attributes:
        split: The split.
        path: The file, or "(in memory)".
        start: JSON Lines: the byte from which lines begin. Parquet: a row group; Arrow: a record
            batch. Anything else is read as a whole.
        end: Where it ends, in the same unit, exclusive.
        size: Bytes of it, where that is not `end - start`.
        rows: The rows of a source in memory.
    """

    split: str
    path: str
    start: int
    end: int
    size: int | None = None
    rows: Sequence[Any] | None = field(default=None, repr=False, compare=False)

    @property
    def size_bytes(self) -> int:
        """Bytes of the range, as a bar of progress counts them."""
        return self.end - self.start if self.size is None else self.size


def cut_file(split: str, path: str) -> list[ByteRange]:
    """Cut a file into ranges; the cut depends on nothing but the file.

    Raises:
        DataError: A table that is damaged.
        OptionalDependencyError: What reads such a file is not installed.
        OSError: The file cannot be read.
    """
    kind, size = file_kind(path), size_of(path)
    if kind is None or (kind.form == "jsonl" and not kind.packed):
        return [
            ByteRange(split, path, start, start + RANGE_BYTES, min(RANGE_BYTES, size - start))
            for start in range(0, size, RANGE_BYTES)
        ]
    check_packages(kind)
    if not kind.is_table:
        return [ByteRange(split, path, 0, size)]
    try:
        parts = table_parts(path, kind.form, RANGE_BYTES)
    except Damaged as error:
        raise damage(path, str(error)) from error
    return [ByteRange(split, path, start, end, part) for start, end, part in parts]


def read_range(part: ByteRange) -> Iterator[Line]:
    """Yield the rows of a range, and what could not be read, in order.

    Raises:
        DataError: The container of the rows is damaged, such as a gzip file that was cut off.
        OSError: The file cannot be read.
    """
    place = 0
    try:
        for line in _lines(part):
            place += 1
            yield line
    except Damaged as error:
        kind = file_kind(part.path)
        unit = "row group" if kind and kind.form == "parquet" else "record batch"
        where = f", in or after {unit} {part.start}" if kind and kind.is_table else ""
        raise damage(part.path, f"{error} after row or line {place:,}{where}") from error


def _lines(part: ByteRange) -> Iterator[Line]:
    if part.rows is not None:
        return read_objects(part.rows)
    kind = file_kind(part.path)
    if kind is None or kind.form == "jsonl":
        return read_lines(part.path, part.start, None if kind and kind.packed else part.end)
    if kind.is_table:
        return read_table(part.path, kind.form, part.start, part.end)
    return read_json(part.path) if kind.form == "json" else read_csv(part.path)


def damage(path: str, how: str) -> DataError:
    """Return the error that says how a file is damaged."""
    name = path if path == IN_MEMORY else Path(path).name
    return DataError(f"{printable(name)} is damaged: {how}. Fetch or write the file anew.")
