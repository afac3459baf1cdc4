"""The findings of an audit as a file: where each is, and a masked excerpt; never the value."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import numpy as np

from forgelm._core import is_installed, open_atomic, require
from forgelm.data_audit.detectors import PII_TIERS
from forgelm.data_audit.scan import KINDS, Partial
from forgelm.data_audit.sources import printable
from forgelm.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FindingsFile", "findings_file_name", "open_findings_file", "read_findings"]

COLUMNS = ("kind", "tier", "split", "file", "row", "column", "start", "end", "excerpt")
_NUMBERS = {"row", "start", "end"}
_PARQUET, _JSONL = "data_audit_findings.parquet", "data_audit_findings.jsonl"
_ROW_GROUP = 16_384
_NEXT_STEP = "name the file, or the directory that audit_dataset wrote as output_dir"

Row = tuple[Any, ...]
AddPartial = Callable[[str, Partial], None]


def findings_file_name() -> str:
    """Return the name of the findings file, which depends on whether pyarrow is installed."""
    return _PARQUET if is_installed("pyarrow") else _JSONL


@contextmanager
def open_findings_file(folder: Path) -> Iterator[AddPartial]:
    """Open a findings file in `folder` that appears, whole, when the block ends without an error.

    Yields:
        What to call with a split and each of its partials, in order.
    """
    name = findings_file_name()
    with TemporaryFile(dir=folder) as stream:  # nameless: a killed audit leaves nothing behind
        buffer = _Buffer(_parquet_writer(stream) if name == _PARQUET else _jsonl_writer(stream))
        yield buffer.add
        buffer.finish()
        stream.seek(0)
        with open_atomic(folder / name) as target:
            copyfileobj(stream, target)
    (folder / (_JSONL if name == _PARQUET else _PARQUET)).unlink(missing_ok=True)


class _Buffer:
    """Hands findings on in groups of a fixed size: the bytes do not depend on the ranges."""

    def __init__(self, write: Callable[[Sequence[Row], bool], None]) -> None:
        self._write = write
        self._waiting: list[Row] = []
        self._rows_before: dict[str, int] = {}

    def add(self, split: str, partial: Partial) -> None:
        before = self._rows_before.get(split, 0)
        self._rows_before[split] = before + partial.rows
        file = printable(partial.path.replace("\\", "/").rsplit("/", 1)[-1])
        for record, excerpt in zip(partial.findings.tolist(), partial.excerpts, strict=True):
            row, start, end, column, kind = record
            name = KINDS[kind]
            tier = PII_TIERS.get(name, "critical")
            place = (split, file, before + row, partial.paths[column], start, end)
            self._waiting.append((name, tier, *place, excerpt))
            if len(self._waiting) == _ROW_GROUP:
                self._write(self._waiting, False)
                self._waiting = []

    def finish(self) -> None:
        self._write(self._waiting, True)


def _jsonl_writer(stream: Any) -> Callable[[Sequence[Row], bool], None]:
    def write(rows: Sequence[Row], last: bool) -> None:  # noqa: ARG001  parquet has an end
        lines = (json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows)
        stream.write("".join(lines).encode("ascii"))

    return write


def _parquet_writer(stream: Any) -> Callable[[Sequence[Row], bool], None]:
    arrow = require("pyarrow", extra="data", feature="the findings file")
    parquet = require("pyarrow.parquet", extra="data", feature="the findings file")
    schema = arrow.schema(
        [(name, arrow.int64() if name in _NUMBERS else arrow.string()) for name in COLUMNS]
    )
    writer = parquet.ParquetWriter(stream, schema, compression="zstd")

    def write(rows: Sequence[Row], last: bool) -> None:
        if rows:
            columns = [
                _arrow_column(arrow, values, is_number=name in _NUMBERS)
                for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(columns, schema=schema))
        if last:
            writer.close()

    return write


def _arrow_column(arrow: Any, values: Sequence[Any], *, is_number: bool) -> Any:
    """Return a column made from bytes: `arrow.array` would import pandas, which takes 50 MB."""
    if is_number:
        data = arrow.py_buffer(np.array(values, np.int64))
        return arrow.Array.from_buffers(arrow.int64(), len(values), [None, data])
    texts = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
    buffers = arrow.py_buffer(ends), arrow.py_buffer(b"".join(texts))
    return arrow.StringArray.from_buffers(len(texts), *buffers)


def read_findings(path: str | os.PathLike[str]) -> FindingsFile:
    """Open the findings that `audit_dataset(..., output_dir=...)` wrote, to page through them.

    Args:
        path: The findings file, or the directory with it.

    Raises:
        DataError: There is no such file, or it holds no findings of an audit.
        OptionalDependencyError: The file is Parquet and pyarrow is not installed.
        OSError: The file cannot be read.
    """
    place = Path(path)
    if place.is_dir():
        found = [place / name for name in (_PARQUET, _JSONL) if (place / name).is_file()]
        if not found:
            raise DataError(f"{printable(str(place))}: no findings file in there; {_NEXT_STEP}.")
        place = found[0]
    if not place.is_file():
        raise DataError(f"{printable(str(place))}: no such file; {_NEXT_STEP}.")
    return FindingsFile(place)


class FindingsFile:
    """Findings on disk, read a page at a time.

    Each is a dict: kind, tier, split, file, row, column, start, end and excerpt.

    Args:
        path: A Parquet or JSON Lines file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parquet: Any = _open_parquet(path) if path.suffix == ".parquet" else None
        if self._parquet is not None:
            self._length = int(self._parquet.metadata.num_rows)
        else:
            with open(path, "rb") as stream:
                self._length = sum(1 for _ in stream)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._from(0)

    def __repr__(self) -> str:
        return f"<{len(self)} findings in {printable(self.path.name)}>"

    def page(
        self,
        offset: int = 0,
        limit: int = 100,
        *,
        kind: str | None = None,
        split: str | None = None,
    ) -> list[dict[str, Any]]:
        """Return up to `limit` findings from number `offset` on.

        Args:
            offset: How many to pass over, of those asked for.
            limit: How many to return at most.
            kind: Only findings of this kind.
            split: Only findings of this split.

        Raises:
            ValueError: `offset` or `limit` is negative.
        """
        if offset < 0 or limit < 0:
            raise ValueError(f"offset and limit must be 0 or more, not {offset} and {limit}")
        if kind is None and split is None:
            return list(islice(self._from(offset), limit))
        wanted = (
            finding
            for finding in self
            if kind in (None, finding["kind"]) and split in (None, finding["split"])
        )
        return list(islice(wanted, offset, offset + limit))

    def to_frame(self, offset: int = 0, limit: int = 10_000) -> pd.DataFrame:
        """Return a page as a table.

        Raises:
            OptionalDependencyError: pandas is not installed.
        """
        pandas = require("pandas", extra="notebook", feature="FindingsFile.to_frame()")
        frame: pd.DataFrame = pandas.DataFrame(self.page(offset, limit), columns=list(COLUMNS))
        return frame

    def _from(self, offset: int) -> Iterator[dict[str, Any]]:
        if self._parquet is None:
            return islice(self._lines(), offset, None)
        groups: list[int] = []
        for group in range(self._parquet.metadata.num_row_groups):
            size = self._parquet.metadata.row_group(group).num_rows
            if offset >= size and not groups:
                offset -= size
            else:
                groups.append(group)
        tables = (self._parquet.read_row_group(group).to_pylist() for group in groups)
        return islice(chain.from_iterable(tables), offset, None)

    def _lines(self) -> Iterator[dict[str, Any]]:
        with open(self.path, encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    finding = json.loads(line)
                    yield {name: finding[name] for name in COLUMNS}
                except (ValueError, TypeError, KeyError) as error:
                    raise DataError(
                        f"{printable(str(self.path))}:{number}: no finding of an audit; "
                        f"{_NEXT_STEP}."
                    ) from error


def _open_parquet(path: Path) -> Any:
    arrow = require("pyarrow", extra="data", feature="reading findings from Parquet")
    parquet = require("pyarrow.parquet", extra="data", feature="reading findings from Parquet")
    try:
        file = parquet.ParquetFile(path)
    except arrow.ArrowInvalid as error:
        raise DataError(f"{printable(str(path))}: not a Parquet file; {_NEXT_STEP}.") from error
    if not set(COLUMNS) <= set(file.schema_arrow.names):
        raise DataError(f"{printable(str(path))}: no findings of an audit; {_NEXT_STEP}.")
    return file
