"""The secrets that tags are made and checked with, by the id that a line names.

Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from forgelm.compliance.audit_log._entry import KEY_ID
from forgelm.errors import ConfigError

__all__ = ["SECRET_VARIABLE", "KeyRing", "Signer"]

SECRET_VARIABLE = "FORGELM_AUDIT_SECRET"
KEY_ID_VARIABLE = "FORGELM_AUDIT_KEY_ID"
KEYS_VARIABLE = "FORGELM_AUDIT_KEYS"

_BLOCK_BYTES = 64  # of SHA-256
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_MAX_CACHED_SIGNERS = 1024


class Signer:
    """HMAC-SHA256 with one key, prepared once: a tag costs two copies of a state."""

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(padded.translate(_INNER))
        self._outer = hashlib.sha256(padded.translate(_OUTER))

    def tag(self, *parts: bytes | memoryview) -> str:
        """Return the tag of the bytes in `parts`, one after the other."""
        return self.tag_of(parts)

    def tag_of(self, parts: Iterable[bytes | memoryview]) -> str:
        """Return the tag of the bytes that `parts` yields."""
        inner, outer = self._inner.copy(), self._outer.copy()
        for part in parts:
            inner.update(part)
        outer.update(inner.digest())
        return outer.hexdigest()


class KeyRing:
    """Finds the key of a line by its run and the key id it names.

    Args:
        secret: The secret a new line is tagged with, and of lines whose key id `by_id` lacks.
        by_id: Secrets by key id; the one of lines without a key id is under "".
        key_id: The id of `secret`, written on new lines.
    """

    def __init__(
        self,
        secret: str | None,
        by_id: Mapping[str, str] | None = None,
        key_id: str | None = None,
    ) -> None:
        self.secret = secret
        self.key_id = key_id
        self._by_id = dict(by_id or {})
        if secret is not None and key_id is not None:
            self._by_id[key_id] = secret
        self._signers: dict[tuple[str, str | None], Signer] = {}

    def __bool__(self) -> bool:
        return self.secret is not None or bool(self._by_id)

    @property
    def secrets(self) -> list[str]:
        """Every secret, the one for new lines first."""
        first = [] if self.secret is None else [self.secret]
        return [*first, *(secret for secret in self._by_id.values() if secret not in first)]

    def signer(self, run_id: str, key_id: str | None) -> Signer | None:
        """Return what makes the tags of a run under a key id, or None where no secret fits."""
        name = (run_id, key_id)
        found = self._signers.get(name)
        if found is not None:
            return found
        secret = self._by_id.get(key_id or "", self.secret)
        if secret is None:
            return None
        if len(self._signers) >= _MAX_CACHED_SIGNERS:
            self._signers.clear()
        material = (secret + run_id).encode("utf-8", "surrogatepass")
        self._signers[name] = Signer(hashlib.sha256(material).digest())
        return self._signers[name]

    @classmethod
    def from_environment(cls) -> KeyRing:
        """Return the ring of a writer.

        Raises:
            ConfigError: A variable is malformed, or names a key id without a secret.
        """
        by_id = _keys_of_environment()
        key_id = os.environ.get(KEY_ID_VARIABLE) or None
        if key_id is not None and not KEY_ID.fullmatch(key_id):
            raise ConfigError(
                f"{KEY_ID_VARIABLE} must be 1 to 64 letters, digits, '_', '.' or '-'."
            )
        secret = os.environ.get(SECRET_VARIABLE) or by_id.get(key_id or "")
        if key_id is not None and not secret:
            raise ConfigError(
                f"{KEY_ID_VARIABLE} names a key, but there is no secret for it: set "
                f"{SECRET_VARIABLE}, or give it under that id in {KEYS_VARIABLE}."
            )
        return cls(secret, by_id, key_id)

    @classmethod
    def for_verifying(cls, secret: str | None, by_id: Mapping[str, str] | None) -> KeyRing:
        """Return the ring of a verifier: what it is given, else what the environment has."""
        if by_id is not None:
            problem = _problem_with_keys(by_id)
            if problem:
                raise TypeError(f"hmac_keys {problem}")
        return cls(
            secret or os.environ.get(SECRET_VARIABLE) or None,
            by_id if by_id is not None else _keys_of_environment(),
            None if secret else os.environ.get(KEY_ID_VARIABLE) or None,
        )


def _keys_of_environment() -> dict[str, str]:
    text = os.environ.get(KEYS_VARIABLE)
    if not text:
        return {}
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{KEYS_VARIABLE} is not JSON: it must map key ids to secrets.") from None
    problem = _problem_with_keys(document)
    if problem:
        raise ConfigError(f"{KEYS_VARIABLE} {problem}.")
    keys: dict[str, str] = document
    return keys


def _problem_with_keys(document: Any) -> str | None:
    if not isinstance(document, Mapping):
        return "must map key ids to secrets"
    for key_id, secret in document.items():
        if not isinstance(key_id, str) or (key_id and not KEY_ID.fullmatch(key_id)):
            return "has a key id that is not 1 to 64 letters, digits, '_', '.' or '-'"
        if not isinstance(secret, str) or not secret:
            return f"has no secret, a non-empty string, for the key id {key_id!r}"
    return None
