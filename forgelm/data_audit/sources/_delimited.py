"""Rows of a CSV or TSV file: every cell a string, named by the first row.

Source: RFC 4180, read as lenient as Python's csv module does, so that no cell escapes the search.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from forgelm.data_audit.sources._files import open_stream
from forgelm.data_audit.sources._jsonl import (
    MAX_LINE_BYTES,
    TOO_LONG,
    Line,
    Problem,
    RepeatedKeys,
    problem_line,
    skip_line,
)

__all__ = ["EXTRA_CELLS", "Record", "read_csv", "read_records"]

EXTRA_CELLS = "(cells without a name)"
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_UNCLOSED = Problem("parse_errors", "a quote that is never closed")


@dataclass
class Record:
    """One record of the file.

    Attributes:
        cells: Its cells; empty for a blank line and where there is a problem.
        text: What stands in the file, line ends included.
        lines: How many lines of the file that is.
        delimiter: What parts the cells.
        problem: Why the record was passed over.
    """

    cells: list[str]
    text: str
    lines: int
    delimiter: str
    problem: Problem | None = None


def read_csv(path: str) -> Iterator[Line]:
    """Yield the rows below the header, and a blank line for every other line of the file.

    Raises:
        OSError: The file cannot be read.
    """
    names: list[str] | None = None
    for record in read_records(path):
        size = len(record.text)
        if record.problem is not None:
            yield problem_line(record.problem, size)
        elif names is None or not record.cells:
            names = names or record.cells or None
            yield Line("", None, None, size)
        else:
            yield Line("", _row(names, record.cells), None, size)
        for _ in range(record.lines - 1):
            yield Line("", None, None, 0)


def _row(names: list[str], cells: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = dict(zip(names, cells, strict=False))
    if len(row) < min(len(names), len(cells)):
        row = RepeatedKeys(zip(names, cells, strict=False))
    if len(cells) > len(names):
        row[EXTRA_CELLS] = cells[len(names) :]
    return row


def read_records(path: str) -> Iterator[Record]:
    """Yield the records of a file, the header among them.

    Raises:
        OSError: The file cannot be read.
    """
    limit = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        with open_stream(path) as stream:
            lines = _TextLines(stream)
            tab = re.search(r"\.tsv(\.\w+)?$", path, re.IGNORECASE)
            delimiter = "\t" if tab else _delimiter(lines.header)
            reader = csv.reader(lines, delimiter=delimiter)
            while (record := _next_record(reader, lines, delimiter)) is not None:
                yield record
    finally:
        csv.field_size_limit(limit)


def _next_record(reader: Any, lines: _TextLines, delimiter: str) -> Record | None:
    problem = None
    cells: list[str] = []
    lines.begin()
    try:
        cells = next(reader)
    except StopIteration:
        return None
    except _TooLongError:
        problem = _UNCLOSED if lines.take_back() else TOO_LONG
    except csv.Error as error:
        problem = Problem("parse_errors", f"not CSV ({error})")
    if lines.ended_inside and lines.take_back():
        problem = _UNCLOSED
    text = "".join(lines.taken)
    if not text.isascii() and _BAD_BYTE.search(text):
        problem = problem or Problem("decode_errors", "not UTF-8")
    elif 3 * text.count("\0") > len(text):  # nothing would be found between the NULs
        problem = problem or Problem("decode_errors", "not UTF-8, but UTF-16 as it seems")
    return Record([] if problem else cells, text, max(len(lines.taken), 1), delimiter, problem)


def _delimiter(header: str) -> str:
    bare = _QUOTED.sub("", header)
    return max(_DELIMITERS, key=bare.count)


class _TooLongError(Exception):
    pass


class _TextLines:
    """The lines of a stream as text; a record of more than 32 MiB is an error."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._peeked: list[str | None] = []  # None: a line that was too long
        self._size = 0
        self.taken: list[str] = []
        self.ended_inside = False
        first = self._read()
        self.header = (first or "").removeprefix("\ufeff")
        self._peeked.append(None if first is None else self.header)

    def begin(self) -> None:
        """Begin a record."""
        self.taken.clear()
        self.ended_inside = False
        self._size = 0

    def take_back(self) -> bool:
        """Leave all lines of the record but its first one to be read again, if there are any."""
        later = self.taken[1:]
        self._peeked += [line or None for line in reversed(later)]
        del self.taken[1:]
        return bool(later)

    def __iter__(self) -> _TextLines:
        return self

    def __next__(self) -> str:
        text = self._peeked.pop() if self._peeked else self._read()
        if text == "":
            self.ended_inside = bool(self.taken)
            raise StopIteration
        self.taken.append(text or "")
        self._size += len(text or "")
        if text is None or self._size > MAX_LINE_BYTES:
            raise _TooLongError
        return text

    def _read(self) -> str | None:
        raw = self._stream.readline(MAX_LINE_BYTES + 1)
        if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            skip_line(self._stream)
            return None
        return raw.decode("utf-8", "surrogateescape")
