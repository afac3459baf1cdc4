"""Rows of a corpus, and writers that put some of them into files of the same form.

A piece is what is read at once: a line, a record or a batch. A writer takes pieces of one form, so
that what stays of a table keeps its columns and types, and what stays of a text its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from forgelm.data_audit.copies._parquet import ParquetWriter, codec_of
from forgelm.data_audit.sources import (
    Corpus,
    Damaged,
    Line,
    Problem,
    all_batches,
    batch_lines,
    damage,
    document_shape,
    file_kind,
    open_table,
    packing,
    pyarrow,
    read_range,
    read_records,
)
from forgelm.errors import DataError

__all__ = [
    "JSON_LINES",
    "Layout",
    "Piece",
    "RowWriter",
    "check_format",
    "copy_rows",
    "corpus_pieces",
    "grown",
    "layout_of",
    "writer_of",
]


class Layout(NamedTuple):
    """What a file is like, beside its rows; rows of files with equal layouts fit into one file.

    Attributes:
        form: "jsonl", "json", "csv", "tsv", "parquet" or "arrow".
        suffix: How its name ends, ".gz" or ".zst" included.
        detail: CSV: the header as it stands. Arrow and Parquet: the schema, and how it is packed.
    """

    form: str
    suffix: str
    detail: tuple[Any, ...] = ()

    @property
    def has_dictionaries(self) -> bool:
        """Say whether a column of a table refers to words by number."""
        is_dictionary = pyarrow("pyarrow.types").is_dictionary if self.form == "arrow" else None
        return is_dictionary is not None and any(is_dictionary(f.type) for f in self.detail[0])


JSON_LINES = Layout("jsonl", ".jsonl")


class Piece(NamedTuple):
    """Lines that were read at once, and what they were read from: a record's text, or a batch."""

    lines: Sequence[Line]
    whole: Any = None


class RowWriter(Protocol):
    """Writes rows into one file."""

    def write(self, piece: Piece, places: list[int]) -> None:
        """Write the lines of `piece` at these places, which are rows."""

    def finish(self) -> None:
        """Write what belongs at the end of the file."""


def check_format(caller: str, file_format: str) -> None:
    """Raise a ValueError for a name that is no format of copies."""
    if file_format not in ("jsonl", "source"):
        raise ValueError(f"{caller}: file_format must be 'jsonl' or 'source', not {file_format!r}")


def grown() -> DataError:
    """Return the error for a source that has more rows when it is copied than it had before."""
    return DataError("The source has grown while it was read. Copy it when nothing writes to it.")


def layout_of(path: str) -> Layout:
    """Return the layout of a file of a corpus.

    Raises:
        DataError: A table that is damaged.
        OSError: It cannot be read.
    """
    kind = file_kind(path)
    assert kind is not None
    suffix = Path(path).name.removeprefix(kind.stem)
    if kind.form == "json":
        return Layout("json" if document_shape(path) != "lines" else "jsonl", suffix)
    if kind.form in ("csv", "tsv"):
        header = next((r.text for r in read_records(path) if r.cells), "")
        return Layout(kind.form, suffix, (header,))
    if not kind.is_table:
        return Layout(kind.form, suffix)
    with _told(path), open_table(path, kind.form) as table:
        if kind.form == "parquet":
            return Layout("parquet", suffix, (table.schema_arrow, codec_of(table)))
        return Layout("arrow", suffix, (table.schema, hasattr(table, "get_batch")))


def corpus_pieces(corpus: Corpus, as_source: bool) -> Iterator[tuple[str, str, Iterator[Piece]]]:
    """Yield split and path of each file, and its pieces.

    Args:
        corpus: What to read.
        as_source: Pieces for a writer of the file's own layout; else they are single lines.
    """
    ranges = groupby(corpus.ranges(), key=lambda part: (part.split, part.path))
    for (split, path), parts in ranges:
        kind = file_kind(path)
        if as_source and kind is not None and kind.form in ("csv", "tsv"):
            yield split, path, _records(path)
        elif as_source and kind is not None and kind.is_table:
            yield split, path, _batches(path, kind.form)
        else:
            yield split, path, (Piece([line]) for part in parts for line in read_range(part))


def _records(path: str) -> Iterator[Piece]:
    has_header = False
    with _told(path):
        for record in read_records(path):
            is_row = has_header and bool(record.cells)
            line = Line("", {} if is_row else None, record.problem, 0)
            blanks = [Line("", None, None, 0)] * (record.lines - 1)
            yield Piece([line, *blanks], record.text)
            has_header = has_header or bool(record.cells)


def _batches(path: str, form: str) -> Iterator[Piece]:
    with _told(path), open_table(path, form) as table:
        for batch in all_batches(table, form):
            yield Piece(list(batch_lines(batch)), batch)


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except Damaged as error:
        raise damage(path, str(error)) from error


@contextmanager
def writer_of(layout: Layout, stream: BinaryIO) -> Iterator[RowWriter]:
    """Open a writer of this layout."""
    kind = file_kind("rows" + layout.suffix)
    content = packing(stream, kind.packed if kind else "")
    try:
        writer = _WRITERS[layout.form](content, *layout.detail)
        try:
            yield writer
        finally:
            writer.finish()
    finally:
        if content is not stream:
            content.close()


def copy_rows(
    pieces: Iterator[Piece],
    writers: Mapping[Any, RowWriter],
    choose: Callable[[], Any],
    skip: Callable[[int, Problem], None],
) -> None:
    """Write each row to the writer of what `choose` returns for it; None leaves it out.

    Args:
        pieces: The rows of a file.
        writers: Where they may go.
        choose: Called for each row, in order.
        skip: Called with the number, from 1, of each line that cannot be read.
    """
    number = 0
    for piece in pieces:
        places: dict[Any, list[int]] = {}
        for place, line in enumerate(piece.lines):
            number += 1
            if line.problem is not None:
                skip(number, line.problem)
            elif line.row is not None and (goal := choose()) is not None:
                places.setdefault(goal, []).append(place)
        for goal, chosen in places.items():
            writers[goal].write(piece, chosen)


def _as_json(line: Line) -> str:
    """Return a row as JSON in one line: as it stood in the file, where it was JSON."""
    text = line.text or json.dumps(line.row, default=str)
    return text.replace("\r", " ").replace(
        "\n", " "
    )  # between values: in a string both are escaped


class _JsonLines:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, piece: Piece, places: list[int]) -> None:
        for place in places:
            text = _as_json(piece.lines[place])
            self._stream.write(text.encode("utf-8", "backslashreplace") + b"\n")

    def finish(self) -> None:
        pass


class _JsonArray:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._start = b"[\n"

    def write(self, piece: Piece, places: list[int]) -> None:
        for place in places:
            text = _as_json(piece.lines[place])
            self._stream.write(self._start + text.encode("utf-8", "backslashreplace"))
            self._start = b",\n"

    def finish(self) -> None:
        self._stream.write(b"[]\n" if self._start == b"[\n" else b"\n]\n")


class _Csv:
    def __init__(self, stream: BinaryIO, header: str) -> None:
        self._stream = stream
        stream.write(_ended(header))

    def write(self, piece: Piece, places: list[int]) -> None:
        for _ in places:
            self._stream.write(_ended(piece.whole))

    def finish(self) -> None:
        pass


def _ended(record: str) -> bytes:
    return (record if record.endswith(("\n", "\r")) else record + "\n").encode("utf-8")


class _Table:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, piece: Piece, places: list[int]) -> None:
        batch, total = piece.whole, len(piece.lines)
        if all(line.problem is None for line in piece.lines):
            chosen = batch if len(places) == total else batch.take(pyarrow().array(places))
            self._writer.write_batch(chosen)
            return
        for place in places:  # what makes no sense is not even to be moved
            self._writer.write_batch(batch.slice(place, 1))

    def finish(self) -> None:
        self._writer.close()


def _parquet(stream: BinaryIO, schema: Any, codec: str) -> _Table:
    return _Table(ParquetWriter(stream, schema, codec))


def _arrow(stream: BinaryIO, schema: Any, is_file: bool) -> _Table:
    ipc = pyarrow().ipc
    return _Table((ipc.new_file if is_file else ipc.new_stream)(stream, schema))


_WRITERS: dict[str, Callable[..., Any]] = {
    "jsonl": _JsonLines,
    "json": _JsonArray,
    "csv": _Csv,
    "tsv": _Csv,
    "parquet": _parquet,
    "arrow": _arrow,
}
