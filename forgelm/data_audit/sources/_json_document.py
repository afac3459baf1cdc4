"""Rows of a JSON document: an array of objects, or an object that holds one list of them.

An array is read in pieces, so that a large file needs little memory. Many a `.json` file is JSON
Lines in truth, and is read as such.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Literal

from forgelm.data_audit.sources._files import open_stream
from forgelm.data_audit.sources._jsonl import (
    MAX_DEPTH,
    MAX_LINE_BYTES,
    TOO_DEEP,
    TOO_LONG,
    Line,
    Problem,
    as_line,
    decode_json,
    is_deeper,
    problem_line,
    read_lines,
)

__all__ = ["document_shape", "read_json", "whole_document"]

_MAX_OBJECT_BYTES = 1 << 30
_BLOCK = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_BAD_BYTE = re.compile("[\udc80-\udcff]")
# Lists of objects that belong to a row, so that the object around them is one.
_PARTS_OF_A_ROW = {"messages", "conversations", "prompt", "chosen", "rejected", "tools"}

Shape = Literal["array", "object", "lines"]


def document_shape(path: str) -> Shape:
    """Return what the file holds, by its first line.

    Raises:
        OSError: The file cannot be read.
    """
    with open_stream(path) as stream:
        first = b""
        while not first:
            raw = stream.readline(MAX_LINE_BYTES)
            if not raw:
                return "lines"
            first = raw.removeprefix(codecs.BOM_UTF8).strip()
        if first.startswith(b"["):
            return "array"
        if not first.startswith(b"{") or (_is_whole(first) and _goes_on(stream)):
            return "lines"
    return "object" if whole_document(path) is not None else "lines"


def _is_whole(raw: bytes) -> bool:
    try:
        text = raw.decode("utf-8")
        return decode_json(text)[1] == len(text)
    except (ValueError, RecursionError):
        return False


def _goes_on(stream: BinaryIO) -> bool:
    return any(block.strip() for block in iter(lambda: stream.read(_BLOCK), b""))


def whole_document(path: str) -> str | None:
    """Return the text of a file that is one JSON object; None when it is no such file."""
    with open_stream(path) as stream:
        raw = stream.read(_MAX_OBJECT_BYTES + 1)
    if len(raw) > _MAX_OBJECT_BYTES:
        return None
    raw = raw.removeprefix(codecs.BOM_UTF8).strip()
    return raw.decode("utf-8") if _is_whole(raw) else None


def read_json(path: str) -> Iterator[Line]:
    """Yield the rows of a JSON document; the text of each is its JSON.

    Raises:
        OSError: The file cannot be read.
    """
    shape = document_shape(path)
    if shape == "lines":
        yield from read_lines(path)
    elif shape == "array":
        with open_stream(path) as stream:
            yield from _array(_Window(stream))
    else:
        text = whole_document(path)
        if text is not None:
            yield from _object_rows(text)


def _object_rows(text: str) -> Iterator[Line]:
    document: dict[str, Any] = decode_json(text)[0]
    lists = [
        value
        for key, value in document.items()
        if isinstance(value, list)
        and key not in _PARTS_OF_A_ROW
        and any(isinstance(item, dict) for item in value)
    ]
    if len(lists) != 1:
        yield as_line(text, document, len(text))
        return
    may_be_deep = is_deeper(document, MAX_DEPTH)
    for item in lists[0]:
        if may_be_deep and isinstance(item, dict) and is_deeper(item, MAX_DEPTH):
            yield problem_line(TOO_DEEP)
        else:
            yield as_line("", item, 0)


class _Window:
    """A moving piece of the text of a stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._ended = False
        self.text = ""
        self.at = 0

    def widen(self) -> bool:
        """Read as much again as is there; return whether there was more."""
        if self._ended:
            return False
        raw = self._stream.read(max(_BLOCK, len(self.text) - self.at))
        self._ended = not raw
        self.text = self.text[self.at :] + self._decode(raw, not raw)
        self.at = 0
        return True

    def next_sign(self) -> str:
        """Return the next character that is no space, "" at the end."""
        while True:
            space = _SPACE.match(self.text, self.at)
            assert space is not None
            self.at = space.end()
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.widen():
                return ""

    def value(self) -> tuple[str, Any]:
        """Read one JSON value: its text and itself."""
        while True:
            try:
                value, end = decode_json(self.text, self.at)
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self.text) - 16
                if is_cut and len(self.text) - self.at > MAX_LINE_BYTES:
                    raise OverflowError from error
                if not is_cut or not self.widen():
                    raise
                continue
            if end == len(self.text) and self.widen():  # a number may go on
                continue
            text, self.at = self.text[self.at : end], end
            return text, value


def _array(window: _Window) -> Iterator[Line]:
    window.next_sign()
    window.at += 1
    sign = window.next_sign()
    while sign != "]":
        try:
            text, value = window.value()
        except (json.JSONDecodeError, RecursionError, OverflowError) as error:
            yield problem_line(_the_rest(error))
            return
        size = len(text)
        if not text.isascii() and _BAD_BYTE.search(text):
            yield problem_line(Problem("decode_errors", "not UTF-8"), size)
        else:
            yield as_line(text, value, size)
        sign = window.next_sign()
        if sign == ",":
            window.at += 1
            sign = window.next_sign()
        elif sign != "]":
            yield problem_line(_the_rest(None))
            return
    window.at += 1
    if window.next_sign():
        yield problem_line(Problem("parse_errors", "more text after the end of the array"))


def _the_rest(error: Exception | None) -> Problem:
    what = "not JSON"
    if isinstance(error, RecursionError | OverflowError):
        what = "nested too deep" if isinstance(error, RecursionError) else TOO_LONG.reason
    return Problem("parse_errors", f"{what} from here on; the rest of the file is passed over")
