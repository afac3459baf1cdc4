"""`{name}` in a line or in YAML: the value of a notebook's variable, as data and nothing else.

Only names and dotted attributes are looked up: nothing is evaluated, and a value can neither
become an option of a command nor another key of the YAML.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["expand_words", "expand_yaml", "shown_by_name"]

_NAME = r"[A-Za-z_]\w*(?:\.[A-Za-z]\w*)*"
_PLACE = re.compile(r"\{(" + _NAME + r")\}|\{\{" + _NAME + r"\}\}")
# All that the line holds besides a key or a dash: the value may be anything that JSON can say.
_WHOLE = re.compile(r"^(\s*(?:- +)*(?:[\w.-]+:\s+)?)\{(" + _NAME + r")\}(\s*(?:\s#.*)?)$")
_PLAIN_IN_YAML = re.compile(r"[\w./@+\-]*(?: [\w./@+\-]+)*", flags=re.ASCII)
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_SHORT_FLOAT = re.compile(r'"(?:[^"\\]|\\.)*"|\d+\.\d+(?:e[+-]\d+)?|(-?\d+)(e[+-]\d+)')
# A shorter value could be part of any word of a message.
_LEAST_HIDDEN_CHARS = 4


def expand_words(words: Sequence[str], variables: Mapping[str, Any]) -> list[str]:
    """Return the words of a command with the values of variables in place of `{name}`.

    Raises:
        ValueError: A name is not defined, or its value cannot stand there.

    Example:
        >>> expand_words(["audit", "{folder}/a.jsonl", "{{b}}"], {"folder": "my data"})
        ['audit', 'my data/a.jsonl', '{b}']
    """
    expanded = []
    for word in words:
        text = _PLACE.sub(lambda found: _text(found, variables), word)
        if text.startswith("-") and not word.startswith("-"):
            raise ValueError(f"{word} begins with a dash and would be taken for an option.")
        expanded.append(text)
    return expanded


def expand_yaml(text: str, variables: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return YAML with the values of variables, and the texts that were inserted by name.

    A value that stands alone may be any text, number, list or mapping. Within a longer value only
    letters, digits, spaces and `._/@+-` are allowed: anything else could change what the YAML says.

    Raises:
        ValueError: A name is not defined, or its value cannot stand there.

    Example:
        >>> expand_yaml("name: {n}\\nout: runs/{k}", {"n": "a: b", "k": 3})
        ('name: "a: b"\\nout: runs/3', {'n': 'a: b', 'k': '3'})
    """
    inserted: dict[str, str] = {}

    def insert(found: re.Match[str]) -> str:
        value = _text(found, variables)
        if found[1] is None:
            return value
        if _PLAIN_IN_YAML.fullmatch(value) is None:
            raise ValueError(
                f"{{{found[1]}}} holds characters that mean something in YAML. Let it be the "
                "whole value of its key: then it may hold anything."
            )
        inserted[found[1]] = value
        return value

    def expand(line: str) -> str:
        if line.lstrip().startswith("#"):
            return line
        whole = _WHOLE.match(line)
        if whole is None:
            return _PLACE.sub(insert, line)
        value = _look_up(whole[2], variables)
        inserted[whole[2]] = str(value)
        return f"{whole[1]}{_as_json(whole[2], value)}{whole[3]}"

    return "\n".join(map(expand, text.split("\n"))), inserted


def shown_by_name(message: str, inserted: Mapping[str, str]) -> str:
    """Return a message in which the values of variables are named, not told.

    Example:
        >>> shown_by_name("'xyzzy' is no number", {"rank": "xyzzy"})
        "'{rank}' is no number"
    """
    for name, value in sorted(inserted.items(), key=lambda item: -len(item[1])):
        for form in {value, json.dumps(value)[1:-1], repr(value)[1:-1]}:
            if len(form) >= _LEAST_HIDDEN_CHARS:
                message = message.replace(form, f"{{{name}}}")
    return message


def _text(found: re.Match[str], variables: Mapping[str, Any]) -> str:
    if found[1] is None:
        return found[0][1:-1]
    value = _look_up(found[1], variables)
    if isinstance(value, bool) or not isinstance(value, str | int | float | os.PathLike):
        raise ValueError(
            f"{{{found[1]}}} is a {type(value).__name__}; only text, numbers and paths can "
            "stand here."
        )
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _look_up(name: str, variables: Mapping[str, Any]) -> Any:
    first, *attributes = name.split(".")
    if first not in variables:
        raise ValueError(
            f"There is no variable {first!r}. Define it, or write {{{{{name}}}}} for the text "
            "itself."
        )
    value = variables[first]
    for attribute in attributes:
        try:
            value = getattr(value, attribute)
        except AttributeError:
            raise ValueError(f"{{{name}}}: there is no attribute {attribute!r}.") from None
    return value


def _as_json(name: str, value: Any) -> str:
    """Return JSON, which leaves no room for a second meaning, where YAML reads it as JSON does."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=os.fspath)
    except (TypeError, ValueError):
        raise ValueError(
            f"{{{name}}} is a {type(value).__name__}; only text, numbers, paths, lists and "
            "mappings of them can stand here."
        ) from None
    # YAML knows no pairs of surrogates and no number like 2e-05.
    text = _NOT_ASCII.sub(lambda found: f"\\U{ord(found[0]):08x}", text)
    return _SHORT_FLOAT.sub(lambda found: f"{found[1]}.0{found[2]}" if found[1] else found[0], text)
