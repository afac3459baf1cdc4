"""Any Python value as strict JSON: nothing a caller hands in can break a line or stop the log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from typing import Any

from forgelm.compliance.audit_log._entry import ENVELOPE
from forgelm.compliance.audit_log._personal import COMMITMENT, Kept, Personal

__all__ = ["strict_fields"]

# 2,048 bits are 617 digits, below the lowest limit (640) Python lets be set for parsing integers.
_MAX_INT_BITS = 2048
_MAX_DEPTH = 64
_RESERVED = frozenset({*ENVELOPE, "_kid", "_hmac"})


def strict_fields(fields: Mapping[str, Any], kept: list[Kept] | None = None) -> dict[str, Any]:
    """Return `fields` in types that strict JSON has, with no name of the envelope among the keys.

    A name that clashes is kept with `field_` before it. Non-finite floats become "NaN",
    "Infinity" and "-Infinity", sets sorted lists, integers over 2,048 bits hexadecimal text,
    anything else its `str()`. Where two keys of a mapping have the same text, such as 1 and "1",
    the one that is not a string gets its type's name after it. A `Personal` value becomes its
    commitment, and is added to `kept`.
    """
    kept = [] if kept is None else kept
    safe: dict[str, Any] = {}
    for name, value in fields.items():
        unused = name
        while unused in _RESERVED or (unused != name and unused in fields):
            unused = f"field_{unused}"
        safe[unused] = _strict(value, (), kept)
    return safe


def _strict(value: Any, parents: tuple[int, ...], kept: list[Kept]) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MAX_INT_BITS else hex(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else _NON_FINITE[float.__repr__(value)]
    if isinstance(value, Personal):
        kept.append(Kept.of(_strict(value.value, parents, [])))
        return {COMMITMENT: kept[-1].commitment}
    if not isinstance(value, Mapping | Set | list | tuple):
        return _text(value)
    if id(value) in parents or len(parents) >= _MAX_DEPTH:
        return _text(value)
    inner = (*parents, id(value))
    try:
        if isinstance(value, Mapping):
            return _strict_mapping(value, inner, kept)
        items = [_strict(item, inner, kept) for item in value]
    except Exception:  # noqa: BLE001 - a container's own code may fail in any way
        return _text(value)
    return sorted(items, key=str) if isinstance(value, Set) else items


def _strict_mapping(
    value: Mapping[Any, Any], parents: tuple[int, ...], kept: list[Kept]
) -> dict[str, Any]:
    taken = {key for key in value if isinstance(key, str)}
    safe: dict[str, Any] = {}
    for key, item in value.items():
        safe[key if isinstance(key, str) else _unique(key, taken)] = _strict(item, parents, kept)
    return safe


def _unique(key: Any, taken: set[str]) -> str:
    """Return a text for `key` that is not taken, and take it."""
    text = _JSON_WORDS.get(key) if key is None or isinstance(key, bool) else None
    text = text or str(_strict(key, (), []))
    if text in taken:
        text = f"{text} ({type(key).__name__})"
    number, candidate = 2, text
    while candidate in taken:
        candidate, number = f"{text} #{number}", number + 1
    taken.add(candidate)
    return candidate


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - the value's own code may fail in any way
        return f"<{type(value).__name__} without a text>"


_NON_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_JSON_WORDS = {None: "null", True: "true", False: "false"}
