"""Text that may leave the machine: no secret, no mention of everybody, no disguised link."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr

from forgelm.data_audit import mask_secrets

__all__ = ["Cleaner", "secrets_of"]

_MASK = "[REDACTED-SECRET]"
_READ_CHARS = 20_000
_SHORTEST_OWN = 6
# A false alarm costs nothing here, so a name that tells is enough. Bounded, hence linear.
_TOLD = re.compile(
    r"(?i)(?<![a-z0-9])([\w.-]{0,40}(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key"
    r"|credentials?|authorization)[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:bearer|basic)\s{1,3})?)"
    r"[^\s\"',;&<>\[]{1,500}"
)
_BEARER = re.compile(r"(?i)\b((?:bearer|basic) {1,3})(?!\[)[\w.~+/=-]{6,4096}")
_URL_USER = re.compile(r"(?<=://)[^\s/@\[]{1,300}@")
_URL_QUERY = re.compile(r"(https?://[^\s?#<>|]{1,500})[?#][^\s<>|\"']{1,2000}")
_WEBHOOK_PATH = re.compile(
    r"(https?://(?:hooks\.slack(?:-gov)?\.com|[\w.-]{1,200}\.(?:webhook\.office|logic\.azure"
    r"|powerplatform)\.com|(?:\w{1,20}\.)?discord(?:app)?\.com/api/webhooks)(?::\d{1,5})?/)"
    r"[^\s<>|\"']{1,2000}"
)
_MENTION = re.compile(r"(?i)@(?=(?:everyone|channel|here|all|team|group)\b)")
_ANGLE = re.compile(r"<(?=[!@#]|[a-z][a-z0-9+.-]{0,20}:|/?at\b)", re.IGNORECASE)
_UNSEEN = "\u200b"


class Cleaner:
    """Masks what looks like a secret, and those that are known.

    Args:
        own: Secrets of the configuration, which are masked wherever they stand.
    """

    def __init__(self, own: list[str]) -> None:
        known = sorted({text for text in own if len(text) >= _SHORTEST_OWN}, key=len, reverse=True)
        self._own = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, value: Any, limit: int) -> str:
        """Return one value as text of at most `limit` characters that may leave the machine."""
        text = "".join(_printable(str(value)[:_READ_CHARS]))
        if self._own is not None:
            text = self._own.sub(_MASK, text)
        text = mask_secrets(text, _MASK)
        text = _WEBHOOK_PATH.sub(rf"\1{_MASK}", text)
        text = _URL_USER.sub(f"{_MASK}@", text)
        text = _URL_QUERY.sub(rf"\1?{_MASK}", text)
        text = _TOLD.sub(rf"\1{_MASK}", text)
        text = _BEARER.sub(rf"\1{_MASK}", text)
        text = _MENTION.sub(f"@{_UNSEEN}", text)
        text = _ANGLE.sub(f"<{_UNSEEN}", text)
        return text if len(text) <= limit else f"{text[: limit - 3]}..."


def secrets_of(block: BaseModel) -> Iterator[str]:
    """Yield every secret of a configuration, also those it only names a variable for."""
    for name in type(block).model_fields:
        value = getattr(block, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif name.endswith("_env") and isinstance(value, str):
            yield os.environ.get(value, "")
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, BaseModel):
                yield from secrets_of(inner)


def _printable(text: str) -> Iterator[str]:
    """Yield the characters of a text without those that only steer, bidi controls among them."""
    for character in text:
        if character in "\t\n" or unicodedata.category(character) not in {"Cc", "Cf", "Cs"}:
            yield character
