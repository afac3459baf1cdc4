"""Rows of Python objects: dicts, tables of pandas and `datasets`, anything that yields rows."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from forgelm.data_audit.sources._jsonl import (
    MAX_DEPTH,
    TOO_DEEP,
    Line,
    Problem,
    RepeatedKeys,
    problem_line,
)

__all__ = ["IN_MEMORY", "chunks", "plain", "read_objects"]

IN_MEMORY = "(in memory)"
_CHUNK_ROWS = 1000
_SCALARS = (str, int, float, bool, type(None))


def chunks(rows: Any) -> Iterator[Sequence[Any]]:
    """Yield the rows of a DataFrame, a `datasets` data set or any iterable, a thousand at a time.

    There is at least one chunk.
    """
    pandas, datasets = sys.modules.get("pandas"), sys.modules.get("datasets")
    if pandas is not None and isinstance(rows, pandas.DataFrame):
        yield from _frame_chunks(rows)
    elif datasets is not None and isinstance(rows, datasets.Dataset):
        yield from _dataset_chunks(rows)
    else:
        stream = iter(rows)
        chunk = list(islice(stream, _CHUNK_ROWS))
        while True:
            yield chunk
            chunk = list(islice(stream, _CHUNK_ROWS))
            if not chunk:
                return


def _frame_chunks(frame: Any) -> Iterator[Sequence[Any]]:
    names = [str(name) for name in frame.columns]
    for start in range(0, max(len(frame), 1), _CHUNK_ROWS):
        part = frame.iloc[start : start + _CHUNK_ROWS]
        part = part.astype(object).where(part.notna(), None)
        columns = [part.iloc[:, place].tolist() for place in range(len(names))]
        yield [RepeatedKeys(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _dataset_chunks(dataset: Any) -> Iterator[Sequence[Any]]:
    # As Arrow: images and sounds stay packed, and a format of tensors is passed by.
    tables = dataset.with_format("arrow")
    for start in range(0, max(len(dataset), 1), _CHUNK_ROWS):
        rows: list[Any] = tables[start : start + _CHUNK_ROWS].to_pylist() if len(dataset) else []
        yield rows


def read_objects(rows: Iterable[Any]) -> Iterator[Line]:
    """Yield a line for each row, as if it had come from a file."""
    for row in rows:
        if not isinstance(row, Mapping):
            reason = f"a Python {type(row).__name__}, not a mapping"
            yield problem_line(Problem("non_object_rows", reason))
            continue
        try:
            value = plain(row)
        except RecursionError:
            yield problem_line(TOO_DEEP)
            continue
        yield Line("", value, None, 0)


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` in the types of JSON as far as they can hold it; other objects stay.

    Bytes that are UTF-8 become text.

    Raises:
        RecursionError: Containers are nested too deep, or in themselves.

    Example:
        >>> plain({1: (b"caf\\xc3\\xa9", {"x"})})
        {'1': ['café', ['x']]}
    """
    if type(value) in _SCALARS:
        return value
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        shadowed = value.shadowed if isinstance(value, RepeatedKeys) else []
        pairs = [(str(k), plain(v, depth + 1)) for k, v in (*shadowed, *value.items())]
        result = dict(pairs)
        return result if len(result) == len(pairs) else RepeatedKeys(pairs)
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(item, depth + 1) for item in value), key=repr)
    if isinstance(value, bytes | bytearray):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars
        return plain(value.tolist(), depth + 1)
    return value
