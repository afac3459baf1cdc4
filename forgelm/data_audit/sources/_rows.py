"""What is in a row: its strings with the place of each, and the text a trainer would see."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from forgelm.data_audit.detectors import mask_pii, mask_secrets
from forgelm.data_audit.sources._jsonl import all_items

__all__ = ["column_name", "printable", "string_leaves", "training_text"]

_MAX_NAME = 120

# Fields that trainers read, in the order in which their text is put together.
_TEXT_FIELDS = (
    "text",
    "System",
    "system",
    "User",
    "prompt",
    "instruction",
    "input",
    "question",
    "messages",
    "conversations",
    "Assistant",
    "completion",
    "response",
    "output",
    "answer",
    "chosen",
    "rejected",
)
_MESSAGE_TEXT = ("content", "value", "text")


def string_leaves(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return every string of a row with its column path, for example `messages[].content`.

    A key that holds personal data or a credential itself is a leaf too, as `(key)` of its parent;
    so is what an object hides by a key that comes again.
    """
    leaves: list[tuple[str, str]] = []
    for key, value in row.items() if type(row) is dict else all_items(row):
        if _is_telling(key):
            leaves.append(("(key)", key))
        if type(value) is str:
            leaves.append((key, value))
        elif isinstance(value, dict | list):
            _collect(value, key, leaves)
    return leaves


def _collect(value: Any, path: str, leaves: list[tuple[str, str]]) -> None:
    if isinstance(value, list):
        path += "[]"
        for item in value:
            if isinstance(item, str):
                leaves.append((path, item))
            elif isinstance(item, dict | list):
                _collect(item, path, leaves)
        return
    for key, item in value.items() if type(value) is dict else all_items(value):
        if _is_telling(key):
            leaves.append((f"{path}.(key)", key))
        if isinstance(item, str):
            leaves.append((f"{path}.{key}", item))
        elif isinstance(item, dict | list):
            _collect(item, f"{path}.{key}", leaves)


def _is_telling(key: str) -> bool:
    return len(key) > 5 and (_is_telling_key(key) if len(key) < 200 else _masked(key) != key)


@lru_cache(maxsize=4096)
def _is_telling_key(key: str) -> bool:
    return _masked(key) != key


def _masked(text: str) -> str:
    return mask_pii(mask_secrets(text))


def column_name(path: str) -> str:
    """Return a column path that is safe to show: masked, printable, of bounded length."""
    return printable(_masked(path))


def printable(name: str) -> str:
    """Return `name` with control and other unprintable characters escaped, at most 120 long."""
    shown = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "…"
    if shown.isprintable():
        return shown
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in shown
    )


def training_text(row: dict[str, Any]) -> str:
    """Return the text a trainer would see, fields and messages apart by a blank line.

    A row without any of the usual fields gives all its strings.
    """
    parts: list[str] = []
    for field in _TEXT_FIELDS:
        value = row.get(field)
        if type(value) is str:
            parts.append(value)
        elif value:
            parts += _message_texts(value)
    if not parts:
        parts = [text for _, text in string_leaves(row)]
    return "\n\n".join(part for part in parts if part)


def _message_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _message_texts(item)
    elif isinstance(value, dict):
        for field in _MESSAGE_TEXT:
            if field in value:
                yield from _message_texts(value[field])
                break
        else:
            yield from (text for _, text in string_leaves(value))
