"""Lines of a JSON Lines file, read as hostile input: what is wrong with one is said, not raised."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Literal, NamedTuple

from forgelm.data_audit.sources._files import open_stream

__all__ = [
    "MAX_DEPTH",
    "MAX_LINE_BYTES",
    "TOO_DEEP",
    "TOO_LONG",
    "Line",
    "Problem",
    "RepeatedKeys",
    "all_items",
    "as_line",
    "decode_json",
    "is_deeper",
    "problem_line",
    "read_lines",
    "skip_line",
]

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
    """One line, or one row of a table: what it holds, or what is wrong with it.

    Attributes:
        text: The JSON of the row as it stands in the file; empty where the file is not JSON.
        row: None for a blank line, and where there is a problem.
        problem: Why the line was passed over.
        size_bytes: Bytes of the file that it takes; 0 where that is not known.
    """

    text: str
    row: dict[str, Any] | None
    problem: Problem | None
    size_bytes: int


class RepeatedKeys(dict[str, Any]):
    """An object in which a key comes more than once: the last value counts, the others are kept."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        self.shadowed: list[tuple[str, Any]] = []
        for key, value in pairs:
            if key in self:
                self.shadowed.append((key, self[key]))
            self[key] = value


TOO_LONG = Problem("parse_errors", f"longer than {MAX_LINE_BYTES >> 20} MiB")
TOO_DEEP = Problem("parse_errors", f"nested deeper than {MAX_DEPTH} levels")


def read_lines(path: str, start: int = 0, end: int | None = None) -> Iterator[Line]:
    """Yield the lines of `path` that begin in `[start, end)`; a blank one has no row.

    Raises:
        OSError: The file cannot be read.
    """
    with open_stream(path) as stream:
        position = start
        if start:
            stream.seek(start - 1)
            position = start - 1 + skip_line(stream)
        while end is None or position < end:
            raw = stream.readline(MAX_LINE_BYTES + 1)
            if not raw:
                return
            size = len(raw)
            if size > MAX_LINE_BYTES and not raw.endswith(b"\n"):
                size += skip_line(stream)
                yield problem_line(TOO_LONG, size)
            else:
                yield _parse(raw[3:] if position == 0 and raw.startswith(_BOM) else raw, size)
            position += size


def skip_line(stream: BinaryIO) -> int:
    """Read to the end of the line, and return how many bytes that was."""
    skipped = 0
    while block := stream.readline(_BLOCK):
        skipped += len(block)
        if block.endswith(b"\n"):
            break
    return skipped


def problem_line(problem: Problem, size: int = 0) -> Line:
    """Return a line that was passed over."""
    return Line("", None, problem, size)


def _parse(raw: bytes, size: int) -> Line:
    try:
        text = raw.strip().decode("utf-8")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 (byte {error.start + 1} of the line)"
        return problem_line(Problem("decode_errors", reason), size)
    if not text:
        return Line("", None, None, size)
    try:
        value, end = decode_json(text)
    except json.JSONDecodeError as error:
        reason = f"not JSON (column {error.colno})"
        return problem_line(Problem("parse_errors", reason), size)
    except RecursionError:
        return problem_line(TOO_DEEP, size)
    if end != len(text):
        reason = f"not JSON (column {end + 1})"
        return problem_line(Problem("parse_errors", reason), size)
    return as_line(text, value, size)


def as_line(text: str, value: Any, size: int) -> Line:
    """Return the line of a value that came out of `decode_json`."""
    if not isinstance(value, dict):
        reason = f"a JSON {_NAMES.get(type(value), 'value')}, not an object"
        return problem_line(Problem("non_object_rows", reason), size)
    if text.count("[") + text.count("{") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        return problem_line(TOO_DEEP, size)
    return Line(text, value, None, size)


_NAMES: dict[type, str] = {
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    return row if len(row) == len(pairs) else RepeatedKeys(pairs)


_DECODE = json.JSONDecoder(object_pairs_hook=_object).raw_decode
# For an integer of more digits than Python turns into one.
_DECODE_HUGE = json.JSONDecoder(object_pairs_hook=_object, parse_int=float).raw_decode


def decode_json(text: str, start: int = 0) -> tuple[Any, int]:
    """Return the JSON value at `start` and where it ends.

    Raises:
        json.JSONDecodeError: There is none.
        RecursionError: It is nested too deep.
    """
    try:
        return _DECODE(text, start)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _DECODE_HUGE(text, start)


def all_items(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return keys and values of an object, those that a repeated key hides among them."""
    if isinstance(value, RepeatedKeys):
        return [*value.shadowed, *value.items()]
    return value.items()


def is_deeper(value: Any, levels: int) -> bool:
    """Say whether containers are nested deeper than `levels`."""
    level = [value]
    for _ in range(levels):
        level = [
            child
            for parent in level
            for child in (
                [item for _, item in all_items(parent)] if isinstance(parent, dict) else parent
            )
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
