"""Rows of local files, one at a time, each with its number."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from forgelm._core import require
from forgelm.data._problems import RowProblems
from forgelm.errors import DataError

__all__ = ["SUFFIXES", "read_rows"]

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
_MAX_LINE_BYTES = 64 * 2**20
_MAX_FIELD_CHARS = 16 * 2**20
_MAX_ARRAY_BYTES = 2**30

Numbered = Iterator[tuple[int, dict[str, Any]]]


def read_rows(path: Path, problems: RowProblems) -> Numbered:
    """Yield `(number, row)` for every row that is an object; the others go to `problems`.

    The number counts from 1; in JSONL it is the line, blank lines counted.

    Raises:
        DataError: The file as a whole is not what its suffix says.
        OSError: The file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet(path)
    if suffix == ".csv":
        return _csv(path, problems)
    if suffix == ".json" and _starts_with_bracket(path):
        return _json_array(path, problems)
    return _jsonl(path, problems)


def _jsonl(path: Path, problems: RowProblems) -> Numbered:
    with open(path, "rb") as stream:
        for number in count(1):
            line = stream.readline(_MAX_LINE_BYTES + 1)
            if not line:
                return
            if len(line) > _MAX_LINE_BYTES:
                raise DataError(
                    f"{path.name}, row {number} is longer than {_MAX_LINE_BYTES >> 20} MiB: "
                    "JSONL has one object a line. Split the row, or rewrite the file as JSONL."
                )
            if not line.strip():
                continue
            row = _parsed(line, path, number, problems)
            if row is not None:
                yield number, row


def _parsed(line: bytes, path: Path, number: int, problems: RowProblems) -> dict[str, Any] | None:
    try:
        value = json.loads(line.rstrip().decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        problems.add(path.name, number, f"not UTF-8 at byte {error.start + 1}")
    except json.JSONDecodeError as error:
        problems.add(path.name, number, f"not JSON at column {error.colno}: {error.msg}")
    except (ValueError, RecursionError):
        problems.add(path.name, number, "not JSON that can be read: a number or nesting too big")
    else:
        if isinstance(value, dict):
            return value
        problems.add(path.name, number, f"a row must be an object, not {_kind(value)}")
    return None


def _json_array(path: Path, problems: RowProblems) -> Numbered:
    if path.stat().st_size > _MAX_ARRAY_BYTES:
        raise DataError(f"{path.name} is a JSON array of more than 1 GiB. Convert it to JSONL.")
    try:
        rows = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name} is not valid JSON: {_json_reason(error)}") from error
    for number, row in enumerate(rows, 1):
        if isinstance(row, Mapping):
            yield number, dict(row)
        else:
            problems.add(path.name, number, f"a row must be an object, not {_kind(row)}")


def _csv(path: Path, problems: RowProblems) -> Numbered:
    csv.field_size_limit(max(csv.field_size_limit(), _MAX_FIELD_CHARS))
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            for number, row in enumerate(csv.DictReader(stream, strict=True), 1):
                if None in row:
                    problems.add(path.name, number, "more fields than the header has columns")
                elif None in row.values():
                    problems.add(path.name, number, "fewer fields than the header has columns")
                else:
                    yield number, dict(row)
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8. Save it as CSV in UTF-8.") from error
    except csv.Error as error:
        raise DataError(f"{path.name} is not valid CSV: {error}.") from error


def _parquet(path: Path) -> Numbered:
    pyarrow = require("pyarrow", extra="train", feature="Reading Parquet files")
    parquet = require("pyarrow.parquet", extra="train", feature="Reading Parquet files")
    number = 0
    try:
        with parquet.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=1_000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.ArrowException as error:
        raise DataError(
            f"{path.name} is not a readable Parquet file (it broke after row {number})."
        ) from error


def _starts_with_bracket(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _json_reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}: {error.msg}."
    return "not UTF-8, or a number or nesting too big."


def _kind(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
