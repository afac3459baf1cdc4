"""Reading a JSON document that somebody may have written to mislead its reader."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from forgelm.compliance.artefacts._model_files import is_no_plain_file
from forgelm.compliance.audit_log import open_regular, read_at

__all__ = ["DocumentError", "JsonDocument", "read_document"]

_MAX_BYTES = 8 * 1024 * 1024
_MAX_DEPTH = 100


class DocumentError(Exception):
    """It is no JSON object; the message is a clause that says where and why."""


class JsonDocument(NamedTuple):
    """A JSON object, and the dotted names of keys that it has more than once."""

    content: dict[str, Any]
    repeated: list[str]


def read_document(path: Path, *, follow_links: bool = False) -> JsonDocument:
    """Return the JSON object in the file at `path`.

    Raises:
        DocumentError: It is no regular file, or no strict JSON object of reasonable size.
        FileNotFoundError: There is nothing there.
        OSError: It cannot be read.
    """
    try:
        descriptor = open_regular(path, os.O_RDONLY, follow_links=follow_links)
    except OSError as error:
        if not is_no_plain_file(error):
            raise
        raise DocumentError("it is not a regular file") from None
    try:
        raw = read_at(descriptor, _MAX_BYTES + 1, 0)
    finally:
        os.close(descriptor)
    if len(raw) > _MAX_BYTES:
        raise DocumentError(f"it is longer than {_MAX_BYTES} bytes")
    content = _parsed(raw)
    if not isinstance(content, dict):
        raise DocumentError("it is not a JSON object")
    return JsonDocument(content, _repeated(content))


class _Repeating(dict[str, Any]):
    """A JSON object with a key in it twice; the last value counts, as everywhere."""

    names: list[str]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    marked = _Repeating(found)
    times = Counter(name for name, _ in pairs)
    marked.names = [name for name, count in times.items() if count > 1]
    return marked


def _parsed(raw: bytes) -> Any:
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DocumentError(f"byte {error.start}: it is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DocumentError(f"{where}: it is not JSON ({error.msg})") from None
    except RecursionError:
        raise DocumentError("it is nested too deeply") from None
    except ValueError as error:  # a constant that JSON lacks, or a number out of all bounds
        raise DocumentError(f"it is not strict JSON ({str(error).partition(';')[0]})") from None


def _repeated(content: dict[str, Any]) -> list[str]:
    """Return dotted names of repeated keys; walks without recursion and refuses deep nesting."""
    found: list[str] = []
    level: list[tuple[str, Any]] = [("", content)]
    for _ in range(_MAX_DEPTH):
        found += [path + name for path, value in level for name in getattr(value, "names", ())]
        level = [inner for path, value in level for inner in _containers(path, value)]
        if not level:
            return found
    raise DocumentError(f"it is nested more than {_MAX_DEPTH} deep")


def _containers(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, dict | list):
            yield f"{path}{name}.", item


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is out of range")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_constant
)
