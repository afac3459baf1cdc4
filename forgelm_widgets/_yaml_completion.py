"""Keys and values that fit at a place of a configuration's YAML, from the schema alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from forgelm import ConfigField, describe_config
from forgelm_widgets._completion import Offer, path_offers, variable_offers

__all__ = ["yaml_offers"]

_KEY = re.compile(r"^( *(?:- +)*)([\w-]*)$")
_VALUE = re.compile(r"^( *(?:- +)*)([\w-]+): +(\S.*|)$")
_BLOCK = re.compile(r"^( *(?:- +)*)([\w-]+):(?:\s|$)")
_PATH_NAME = re.compile(r"path|dir$|file$")


@cache
def _root() -> ConfigField:
    return describe_config()


def yaml_offers(
    lines: Sequence[str], line: int, column: int, variables: Mapping[str, Any]
) -> Iterator[Offer]:
    """Yield what fits before the cursor: keys of its block, or values of its key.

    Args:
        lines: The YAML.
        line: Line of the cursor, from 0.
        column: Characters before the cursor in its line.
        variables: The notebook's variables by name.
    """
    before = lines[line][:column]
    value = _VALUE.match(before)
    key = _KEY.match(before)
    if value is not None:
        block = _block(lines, line, len(value[1]))
        field = block.child(value[2]) if block else None
        yield from _values(field, value[3], variables)
    elif key is not None:
        block = _block(lines, line, len(key[1]))
        if block is None:
            return
        if "-" in key[1] and not block.children:
            yield from _values(block, key[2], variables)
            return
        taken = _siblings(lines, line, len(key[1]))
        for child in block.children:
            if child.name.startswith(key[2]) and child.name not in taken and not child.deprecated:
                colon = ":" if child.children else ": "
                yield Offer(child.name + colon, key[2], "keyword")


def _block(lines: Sequence[str], line: int, indent: int) -> ConfigField | None:
    """Return the field whose keys stand at `indent` in `line`, from the lines above."""
    names: list[str] = []
    # A dash belongs to the block of the list, which may stand at the same indent.
    dashed = "-" in lines[line][:indent]
    indent = lines[line].find("-") + 1 if dashed else indent
    for above in reversed(lines[:line]):
        found = _BLOCK.match(above)
        if found is None:
            continue
        place = len(found[1])
        if place < indent:
            names.append(found[2])
            dashed = "-" in found[1]
            indent = above.find("-") + 1 if dashed else place
        if indent == 0:
            break
    field: ConfigField | None = _root()
    for name in reversed(names):
        field = field.child(name) if field else None
    return field


def _siblings(lines: Sequence[str], line: int, indent: int) -> set[str]:
    """Return the keys that the same block has already."""
    keys: set[str] = set()
    item_starts = "-" in lines[line][:indent]
    directions = [lines[line + 1 :]] if item_starts else [lines[:line][::-1], lines[line + 1 :]]
    for part in directions:
        for other in part:
            found = _BLOCK.match(other)
            if found is None:
                continue
            if len(found[1]) < indent:
                break
            if len(found[1]) == indent:
                is_start = "-" in found[1]
                if is_start and part is not directions[0]:
                    break
                keys.add(found[2])
                if is_start:
                    break
    return keys


def _values(
    field: ConfigField | None, fragment: str, variables: Mapping[str, Any]
) -> Iterator[Offer]:
    if "{" in fragment:
        yield from variable_offers(fragment, variables)
        return
    if field is None or field.secret:
        return
    words = list(field.choices)
    if "boolean" in (field.type, field.item_type):
        words += ["true", "false"]
    if field.default is not None and isinstance(field.default, str | int | float):
        words.append(str(field.default).lower() if field.type == "boolean" else str(field.default))
    if field.nullable:
        words.append("null")
    for word in dict.fromkeys(words):
        if word and word.startswith(fragment):
            yield Offer(word, fragment, "value")
    if field.type == "string" and _PATH_NAME.search(field.name):
        yield from path_offers(fragment)
