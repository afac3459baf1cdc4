"""Columns and what is nested in them as fields of a Croissant card, typed by all of their values.

A field is described only if Croissant can say what its values are; so a loader that follows the
card can read every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["field_of", "unique_names"]

Path = tuple[str, ...]
Shapes = Mapping[Path, set[str]]

_ITEMS = "[]"
_DATA_TYPES = {
    "str": "sc:Text",
    "bool": "sc:Boolean",
    "int": "sc:Integer",
    "float": "sc:Float",
}
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JSON_PATH_WORDS = frozenset(("parent", "where", "wherenot", "flatten", "among"))


def field_of(identifier: str, column: str, shapes: Shapes, file: str) -> dict[str, Any] | None:
    """Return the field of a top-level column, or None where Croissant has no type for its values.

    Args:
        identifier: Its `@id`.
        column: Its name.
        shapes: Names of the types of all values, by path; items of a list are at "[]".
        file: The `@id` of the file.

    Example:
        >>> field = field_of("train/n", "n", {("n",): {"int", "NoneType"}}, "file-0")
        >>> field["dataType"]
        'sc:Integer'
    """
    if not column.strip():
        return None
    source = {"fileObject": {"@id": file}, "extract": {"column": column}}
    start: dict[str, Any] = {"@type": "cr:Field", "@id": identifier, "name": column}
    found = _scalar((column,), shapes)
    if found is not None:
        return {**start, **found, "source": source}
    types = _types((column,), shapes)
    path: Path = (column,)
    if types == {"list"}:
        path, types = (*path, _ITEMS), _types((column, _ITEMS), shapes)
    if types != {"dict"}:
        return None
    sub_fields = [
        {
            "@type": "cr:Field",
            "@id": f"{identifier}/{'.'.join(keys)}",
            "name": ".".join(keys),
            **scalar,
            "source": {**source, "transform": {"jsonPath": ".".join(keys)}},
        }
        for keys, scalar in _scalars_below(path, (), shapes)
    ]
    if not sub_fields:
        return None
    repeated = {"repeated": True} if path[-1] == _ITEMS else {}
    return {**start, **repeated, "subField": sub_fields}


def _scalars_below(base: Path, keys: Path, shapes: Shapes) -> Iterator[tuple[Path, dict[str, Any]]]:
    here = (*base, *keys)
    for path in shapes:
        key = path[-1]
        if len(path) != len(here) + 1 or path[:-1] != here:
            continue
        if not _PLAIN_KEY.fullmatch(key) or key in _JSON_PATH_WORDS:
            continue
        scalar = _scalar(path, shapes)
        if scalar is not None:
            yield (*keys, key), scalar
        elif _types(path, shapes) == {"dict"}:
            yield from _scalars_below(base, (*keys, key), shapes)


def _scalar(path: Path, shapes: Shapes) -> dict[str, Any] | None:
    """Return type and repetition of plain values or lists of them; None for any others."""
    types = _types(path, shapes)
    repeated = types == {"list"}
    if repeated:
        types = _types((*path, _ITEMS), shapes)
    if types & {"dict", "list"}:
        return None
    return {"dataType": _data_type(types), **({"repeated": True} if repeated else {})}


def _types(path: Path, shapes: Shapes) -> set[str]:
    return set(shapes.get(path, ())) - {"NoneType"}


def _data_type(names: set[str]) -> str:
    if names == {"int", "float"}:
        return "sc:Float"
    return _DATA_TYPES.get(min(names), "sc:Text") if len(names) == 1 else "sc:Text"


def unique_names(names: Sequence[str]) -> list[str]:
    """Return `names`, each one that was there before with a number behind it.

    Example:
        >>> unique_names(["a", "b", "a"])
        ['a', 'b', 'a-2']
    """
    seen: set[str] = set()
    result = []
    for name in names:
        shown, count = name, 1
        while shown in seen:
            count += 1
            shown = f"{name}-{count}"
        seen.add(shown)
        result.append(shown)
    return result
