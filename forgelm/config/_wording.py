"""The words for what is wrong with one value. They never repeat the value: it may be a secret."""

from __future__ import annotations

import difflib
import math
from typing import Any

from pydantic_core import ErrorDetails

from forgelm.config._schema import ConfigField

__all__ = ["explain"]

_EXPECTED = {
    "string_type": "text",
    "string_sub_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "model_attributes_type": "a block of keys",
}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_GIVEN = {str: "text", list: "a list", dict: "a block of keys", type(None): "nothing"}


def explain(field: ConfigField | None, line: ErrorDetails) -> str:
    """Return what is wrong with the value at `field`, and the next step."""
    kind, given, context = line["type"], line["input"], line.get("ctx", {})
    if kind == "missing":
        return _missing(field)
    if kind in _EXPECTED:
        expected = _EXPECTED[kind]
        return f"must be {expected}, not {_given(given)}{_hint(field, expected, given)}"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"must be {words} {context[key]:g}{_number(given)}"
    if kind == "literal_error":
        return _not_a_choice(field, given)
    if kind == "finite_number":
        return "must be a finite number"
    if kind == "too_short":
        return "is empty; give at least one entry, or leave the key out"
    if kind == "string_pattern_mismatch":
        return "must be 1 to 32 lower-case letters, digits and underscores"
    if kind == "json_invalid":
        return f"is not valid JSON: {context['error']}"
    return line["msg"]


def _missing(field: ConfigField | None) -> str:
    if field is None:
        return "is missing"
    if field.type == "object":
        own = [child.name for child in field.children if child.required]
        needs = f"with its key {own[0]}" if own else f"or write `{field.name}: {{}}` for defaults"
        return f"this block is missing; add it {needs}"
    return f"is missing; add it. {field.help}"


def _given(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "a decimal number" if math.isfinite(value) else "an infinite or too large number"
    if isinstance(value, int):
        return "a number"
    return _GIVEN.get(type(value), f"a {type(value).__name__}")


def _hint(field: ConfigField | None, expected: str, value: Any) -> str:
    if expected == "text" and isinstance(value, bool | int | float):
        return "; put it in quotes"
    if isinstance(value, str) and expected in {"a whole number", "a number", "true or false"}:
        return "; write it without quotes, as plain digits" if "number" in expected else ""
    if expected == "a list":
        return "; write it in brackets, such as [a, b]"
    if expected == "a block of keys" and value is None and field is not None:
        return f"; write `{field.name}: {{}}` for defaults"
    if value is None:
        optional = field is not None and not field.required
        return "; write a value" + (" or leave the key out" if optional else "")
    return ""


def _number(value: Any) -> str:
    plain = isinstance(value, int | float) and abs(value) < 1e15
    return f"; it is {value:g}" if plain else ""


def _not_a_choice(field: ConfigField | None, value: Any) -> str:
    choices = field.choices if field is not None else ()
    if field is not None and field.type == "list":
        return f"must be a list of names, or the word {choices[0]}"
    near = difflib.get_close_matches(value[:80], choices, n=1) if isinstance(value, str) else []
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"must be one of {', '.join(choices)}{meant}"
