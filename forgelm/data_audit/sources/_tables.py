"""Rows of Parquet files and of Arrow files and streams (Feather version 2 among them)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from forgelm._core import require
from forgelm.data_audit.sources._files import Damaged
from forgelm.data_audit.sources._jsonl import Line, Problem, RepeatedKeys, problem_line
from forgelm.data_audit.sources._memory import plain
from forgelm.data_audit.sources._storage import is_address, open_binary

__all__ = [
    "all_batches",
    "batch_lines",
    "is_binary",
    "open_table",
    "pyarrow",
    "read_table",
    "row_problem",
    "table_parts",
]

_BATCH_ROWS = 256


def pyarrow(part: str = "pyarrow") -> Any:
    """Return pyarrow, or a module of it."""
    return require(part, extra="data", feature="A Parquet or Arrow file")


def table_parts(path: str, form: str, part_bytes: int) -> list[tuple[int, int, int]]:
    """Return (start, end, bytes) of the parts of a table, in row groups or record batches.

    Raises:
        Damaged: The file is no such table.
        OSError: It cannot be read.
    """
    with open_table(path, form) as table:
        sizes = _group_sizes(table) if form == "parquet" else _batch_sizes(table)
    parts = []
    start = size = 0
    for place, group in enumerate(sizes):
        size += group
        if size >= part_bytes:
            parts.append((start, place + 1, size))
            start, size = place + 1, 0
    if start < len(sizes) or not parts:
        parts.append((start, len(sizes), size))
    return parts


def _group_sizes(table: Any) -> list[int]:
    metadata = table.metadata
    groups = (metadata.row_group(place) for place in range(metadata.num_row_groups))
    return [max(group.total_byte_size, 0) for group in groups]


def _batch_sizes(reader: Any) -> list[int]:
    # nbytes would follow offsets that nobody has checked yet.
    return [batch.get_total_buffer_size() for batch in _batches(reader, 0, None)]


def read_table(path: str, form: str, start: int, end: int) -> Iterator[Line]:
    """Yield the rows of some row groups or record batches.

    Raises:
        Damaged: The file stops making sense.
        OSError: It cannot be read.
    """
    with open_table(path, form) as table:
        if form == "parquet":
            groups = list(range(start, end))
            for batch in table.iter_batches(_BATCH_ROWS, row_groups=groups, use_threads=False):
                yield from batch_lines(batch)
            return
        for batch in _batches(table, start, end):
            for first in range(0, batch.num_rows, _BATCH_ROWS):
                yield from batch_lines(batch.slice(first, _BATCH_ROWS))


def all_batches(table: Any, form: str) -> Iterator[Any]:
    """Yield the record batches of an open table."""
    if form == "parquet":
        yield from table.iter_batches(_BATCH_ROWS, use_threads=False)
    else:
        yield from _batches(table, 0, None)


def _batches(reader: Any, start: int, end: int | None) -> Iterator[Any]:
    if hasattr(reader, "get_batch"):
        last = reader.num_record_batches if end is None else end
        return (reader.get_batch(place) for place in range(start, last))
    return islice(reader, start, end)


@contextmanager
def open_table(path: str, form: str) -> Iterator[Any]:
    """Open a table: a `ParquetFile`, or a reader of record batches.

    Raises:
        Damaged: The file stops making sense, also while it is read in the block.
        OSError: It cannot be read.
    """
    pa = pyarrow()
    try:
        if is_address(path):
            stream = pa.PythonFile(open_binary(path), mode="r")
        else:
            stream = pa.memory_map(path) if form == "arrow" else pa.OSFile(path)
        with stream:
            yield _open_arrow(stream) if form == "arrow" else _open_parquet(stream)
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Damaged(_reason(error, form)) from error


def _reason(error: Exception, form: str) -> str:
    if form == "arrow" and "Feather V1" in str(error):
        return str(error)
    return f"its {'Parquet' if form == 'parquet' else 'Arrow'} data make no sense"


def _open_arrow(stream: Any) -> Any:
    pa = pyarrow()
    start = stream.read(6)
    stream.seek(0)
    if start[:4] == b"FEA1":
        raise pa.ArrowInvalid("it is in Feather V1, which is not read; write it as Feather V2")
    return pa.ipc.open_file(stream) if start == b"ARROW1" else pa.ipc.open_stream(stream)


def _open_parquet(stream: Any) -> Any:
    return pyarrow("pyarrow.parquet").ParquetFile(stream)


def batch_lines(batch: Any) -> Iterator[Line]:
    """Yield the rows of a record batch; one that makes no sense or is no UTF-8 is a problem."""
    names = batch.schema.names
    try:
        batch.validate(full=True)  # what Arrow maps from a file it takes on trust
        columns = [_values(column) for column in batch.columns]
    except (ValueError, OverflowError) as error:
        if batch.num_rows > 1:
            half = batch.num_rows // 2
            yield from batch_lines(batch.slice(0, half))
            yield from batch_lines(batch.slice(half))
        else:
            yield problem_line(row_problem(error))
        return
    is_plain = len(set(names)) == len(names)
    for values in zip(*columns, strict=True):
        pairs = zip(names, values, strict=True)
        yield Line("", dict(pairs) if is_plain else RepeatedKeys(pairs), None, 0)


def row_problem(error: Exception) -> Problem:
    """Return what to say about a row that Arrow or Python cannot make sense of."""
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        return Problem("decode_errors", "text that is not UTF-8")
    return Problem("parse_errors", "a value that makes no sense")


def _values(column: Any) -> list[Any]:
    types = pyarrow("pyarrow.types")
    kind = column.type
    if types.is_string(kind) or types.is_large_string(kind):
        values: list[Any] = column.to_pylist()
        return values
    if types.is_nested(kind) or types.is_dictionary(kind) or is_binary(kind):
        values = column.to_pylist()
        return values if _is_simple(kind) else [plain(value) for value in values]
    try:
        values = column.to_pylist()
    except (ValueError, OverflowError):  # a date that Python does not know
        values = [None] * len(column)
    return values


def is_binary(kind: Any) -> bool:
    """Say whether values of an Arrow type are bytes."""
    types = pyarrow("pyarrow.types")
    return any(
        test(kind)
        for test in (
            types.is_binary,
            types.is_large_binary,
            types.is_fixed_size_binary,
            types.is_binary_view,
        )
    )


def _is_simple(kind: Any) -> bool:
    """Say whether values come as lists, dicts, strings and numbers at once."""
    types = pyarrow("pyarrow.types")
    if types.is_struct(kind):
        return all(_is_simple(field.type) for field in kind)
    if types.is_list(kind) or types.is_large_list(kind):
        return _is_simple(kind.value_type)
    return not (types.is_nested(kind) or is_binary(kind))
