"""Lines of a JSON Lines file, read as hostile input: what is wrong with one is said, not raised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

__all__ = ["Line", "Problem", "read_lines"]

MAX_LINE_BYTES = 32 << 20
MAX_DEPTH = 200
_BOM = b"\xef\xbb\xbf"
_BLOCK = 1 << 20

Fault = Literal["decode_errors", "parse_errors", "non_object_rows"]


class Problem(NamedTuple):
    """Why a line was passed over."""

    fault: Fault
    reason: str


class Line(NamedTuple):
    """One line: its text and row, or what is wrong with it."""

    text: str
    row: dict[str, Any]
    problem: Problem | None
    size_bytes: int


_TOO_LONG = Problem("parse_errors", f"longer than {MAX_LINE_BYTES >> 20} MiB")
_TOO_DEEP = Problem("parse_errors", f"nested deeper than {MAX_DEPTH} levels")


def read_lines(path: str, start: int = 0, end: int | None = None) -> Iterator[Line]:
    """Yield the lines of `path` that begin in `[start, end)`; a blank one has no row.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb", buffering=_BLOCK) as stream:
        position = start
        if start:
            stream.seek(start - 1)
            position = start - 1 + _skip_line(stream)
        while end is None or position < end:
            raw = stream.readline(MAX_LINE_BYTES + 1)
            if not raw:
                return
            size = len(raw)
            if size > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                size += _skip_line(stream)
                yield Line("", {}, _TOO_LONG, size)
            else:
                yield _parse(raw[3:] if position == 0 and raw.startswith(_BOM) else raw, size)
            position += size


def _skip_line(stream: Any) -> int:
    skipped = 0
    while block := stream.readline(_BLOCK):
        skipped += len(block)
        if block.endswith(b"\n"):
            break
    return skipped


def _parse(raw: bytes, size: int) -> Line:
    try:
        text = raw.strip().decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 (byte {error.start + 1} of the line)"
        return Line("", {}, Problem("decode_errors", reason), size)
    if not text:
        return Line("", {}, None, size)
    try:
        value = _load(text)
    except json.JSONDecodeError as error:
        return Line("", {}, Problem("parse_errors", f"not JSON (column {error.colno})"), size)
    except RecursionError:
        return Line("", {}, _TOO_DEEP, size)
    if not isinstance(value, dict):
        reason = f"a JSON {_NAMES.get(type(value), 'value')}, not an object"
        return Line("", {}, Problem("non_object_rows", reason), size)
    if _may_be_deep(text) and _is_deeper(value, MAX_DEPTH):
        return Line("", {}, _TOO_DEEP, size)
    return Line(text, value, None, size)


_NAMES: dict[type, str] = {
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than Python turns into one
        return json.loads(text, parse_int=float)


def _may_be_deep(text: str) -> bool:
    return text.count("[") + text.count("{") > MAX_DEPTH


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
