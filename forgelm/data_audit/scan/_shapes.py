"""The types of everything in a row, nested values too, by path."""

from __future__ import annotations

from typing import Any

from forgelm.data_audit.sources import column_name

__all__ = ["Shapes", "add_shapes", "see_shapes", "shown_shapes"]

Shapes = dict[tuple[str, ...], set[str]]

MAX_PATHS = 5000
_MAX_DEPTH = 8
_ITEMS = "[]"


def see_shapes(shapes: Shapes, value: Any, path: tuple[str, ...] = ()) -> None:
    """Add the types of `value` and what is in it to `shapes`; the items of a list are at "[]"."""
    if path:
        types = shapes.get(path)
        if types is None:
            if len(shapes) >= MAX_PATHS:
                return
            types = shapes[path] = set()
        types.add(type(value).__name__)
    if len(path) >= _MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            see_shapes(shapes, item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            see_shapes(shapes, item, (*path, _ITEMS))


def add_shapes(shapes: Shapes, more: Shapes) -> None:
    """Add those of a later part of the corpus."""
    for path, types in more.items():
        if path in shapes or len(shapes) < MAX_PATHS:
            shapes.setdefault(path, set()).update(types)


def shown_shapes(shapes: Shapes) -> Shapes:
    """Return them under names that are safe to show."""
    shown: Shapes = {}
    for path, types in shapes.items():
        shown.setdefault(tuple(map(column_name, path)), set()).update(types)
    return shown
