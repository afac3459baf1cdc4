"""The form's fields, read off the schema's tree: nothing here knows a key by name."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from forgelm import ConfigField, describe_config

__all__ = ["field_at", "form_payload", "secret_paths", "to_value"]

_WHOLE = re.compile(r"[-+]?[0-9]+")

# Building the tree takes milliseconds, and it is asked for at every key pressed.
_tree = functools.cache(describe_config)


def form_payload() -> dict[str, Any]:
    """Return the field tree for the view, without what is empty; a block seen twice is named."""
    return _payload(_tree(), {})


def _payload(field: ConfigField, seen: dict[str, tuple[str, list[Any]]]) -> dict[str, Any]:
    values = {
        "name": field.name,
        "type": field.type,
        "required": field.required,
        "default": field.default,
        "min": field.minimum,
        "max": field.maximum,
        "above": field.exclusive_minimum,
        "below": field.exclusive_maximum,
        "choices": list(field.choices) or None,
        "format": field.format,
        "item": field.item_type,
        "nullable": field.nullable,
        "deprecated": field.deprecated,
        "help": field.help,
        "group": field.group,
        "unit": field.unit,
        "basic": field.level == "basic",
        "secret": field.secret,
    }
    kept = {key: value for key, value in values.items() if value not in (None, False, "")}
    if field.default is not None:
        kept["default"] = field.default
    if not field.children:
        return kept
    children = [_payload(child, seen) for child in field.children]
    known = seen.setdefault(field.name, (field.path, children))
    same = known[1] is not children and known[1] == children
    return {**kept, "same_as": known[0]} if same else {**kept, "children": children}


def field_at(path: Sequence[str | int]) -> ConfigField | None:
    """Return the field at a place in the document, list items included."""
    field: ConfigField | None = _tree()
    for part in path:
        if field is None:
            return None
        if isinstance(part, str):
            field = field.child(part)
    return field


def secret_paths() -> Iterator[tuple[str, ...]]:
    """Yield the place of each field that holds a secret."""

    def walk(field: ConfigField) -> Iterator[tuple[str, ...]]:
        if field.secret:
            yield tuple(field.path.split("."))
        for child in field.children:
            yield from walk(child)

    return walk(_tree())


def to_value(path: Sequence[str | int], typed: Any) -> Any:
    """Return what was typed into a field as the value meant: digits as a number, "true" as true.

    What does not read as the field's type stays text, so that the check can say what is wrong.
    """
    field = field_at(path)
    if field is None or not isinstance(typed, str):
        return typed
    item = isinstance(path[-1], int) if path else False
    kind = field.item_type if item else field.type
    text = typed.strip()
    if kind in {"integer", "number"}:
        return _number(text, typed)
    if kind == "boolean" and text in {"true", "false"}:
        return text == "true"
    return typed


def _number(text: str, typed: str) -> Any:
    if _WHOLE.fullmatch(text) and len(text) < 20:
        return int(text)
    try:
        value = float(text)
    except ValueError:
        return typed
    return value if value - value == 0 else typed
