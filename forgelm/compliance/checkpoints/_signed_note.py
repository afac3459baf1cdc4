"""Notes with Ed25519 signatures, and the keys for them, as text that other programs read.

Source: C2SP signed-note (c2sp.org/signed-note); private keys as golang.org/x/mod/sumdb/note
writes them; RFC 8032 (Ed25519).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forgelm._core import require

__all__ = [
    "NoteError",
    "SigningKey",
    "UnknownSignerError",
    "VerifierKey",
    "decode_base64",
    "open_note",
    "split_note",
]

_MAX_NOTE_CHARS = 1_000_000
_MAX_SIGNATURES = 100
_ED25519 = 1
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_NOT_TEXT = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")
_DASH = "\u2014 "
_PRIVATE = "PRIVATE+KEY+"
_FEATURE = "Signing a checkpoint"


class NoteError(ValueError):
    """A note or a key cannot be used; the message is a clause that says why."""


class UnknownSignerError(NoteError):
    """A note is sound, but nobody whose key was given signed it."""


@dataclass(frozen=True)
class VerifierKey:
    """A public key and the name of who signs with it.

    Attributes:
        name: Who signs, for example "acme.example/audit".
        public: The 32 bytes of the key.
    """

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that a signature names its key by."""
        return _key_id(self.name, self.public)

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read `name+hash+base64`.

        Raises:
            NoteError: It is no such key, or not for Ed25519.
        """
        name, key_id, key = _read_key(text.strip())
        found = cls(name, key)
        if found.key_id != key_id:
            raise NoteError(
                "is no verifier key: its hash does not match, so it was cut or mistyped"
            )
        return found

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Say whether `signature` is this key's over `message`."""
        ed25519 = _ed25519()
        invalid = require("cryptography.exceptions", extra="sign", feature=_FEATURE)
        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (invalid.InvalidSignature, ValueError):
            return False
        return True

    def __str__(self) -> str:
        return _key_text(self.name, self.key_id, self.public)


class SigningKey:
    """A private key; it shows itself in no repr."""

    def __init__(self, name: str, seed: bytes) -> None:
        problem = _problem_with_name(name)
        if problem:
            raise NoteError(problem)
        self._seed = seed
        self._private = _ed25519().Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = VerifierKey(name, self._private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> SigningKey:
        """Return a new key for `name`."""
        return cls(name, _ed25519().Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> SigningKey:
        """Read what `to_text` wrote.

        Raises:
            NoteError: It is no private key; the message shows nothing of it.
        """
        text = text.strip()
        if not text.startswith(_PRIVATE):
            raise NoteError(f"is no signing key: it does not begin with {_PRIVATE}")
        name, key_id, seed = _read_key(text.removeprefix(_PRIVATE))
        key = cls(name, seed)
        if key.verifier.key_id != key_id:
            raise NoteError("is no signing key: its hash does not match, so it was cut or mistyped")
        return key

    def to_text(self) -> str:
        """Return the secret as one line of text."""
        return _PRIVATE + _key_text(self.verifier.name, self.verifier.key_id, self._seed)

    def sign(self, text: str) -> str:
        """Return the note of `text`, which ends with a newline, and this key's signature."""
        signature = self.verifier.key_id + self._private.sign(text.encode())
        return f"{text}\n{_DASH}{self.verifier.name} {base64.b64encode(signature).decode()}\n"


def open_note(note: str, keys: Sequence[VerifierKey]) -> tuple[str, VerifierKey]:
    """Return the text of a note and the first of `keys` that signed it.

    Signatures of other keys are ignored; a wrong one of a known key is not.

    Raises:
        NoteError: It is malformed, or a known key's signature does not hold.
        UnknownSignerError: No known key signed it.
    """
    text, signatures = split_note(note)
    known = {(key.name, key.key_id): key for key in keys}
    signer: VerifierKey | None = None
    for name, signature in signatures:
        key = known.get((name, signature[:4]))
        if key is None:
            continue
        if not key.verifies(text.encode(), signature[4:]):
            raise NoteError(
                f"has a signature of {name} that does not hold: the note was altered, or the "
                "signature was made up"
            )
        signer = signer or key
    if signer is None:
        others = ", ".join(dict.fromkeys(ascii(name)[:200] for name, _ in signatures[:5]))
        raise UnknownSignerError(
            f"is not signed with a key that was given, but by {others} with another key: check "
            "that the public key is the right one"
        )
    return text, signer


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return a note's text and its signatures, as (name, key id and signature), unchecked.

    Raises:
        NoteError: It is malformed.
    """
    if len(note) > _MAX_NOTE_CHARS:
        raise NoteError(f"is longer than {_MAX_NOTE_CHARS} characters")
    if _NOT_TEXT.search(note):
        raise NoteError("has a control character, CRLF line ends or bytes that are no UTF-8")
    text, separator, block = note.rpartition("\n\n")
    if not separator or not block.endswith("\n"):
        raise NoteError("is no signed note: no block of signatures follows an empty line")
    lines = block[:-1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise NoteError(f"has more than {_MAX_SIGNATURES} signatures")
    return text + "\n", [_read_signature(line) for line in lines]


def _read_signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or _problem_with_name(name):
        raise NoteError("has a signature line that is malformed")
    signature = decode_base64(encoded)
    if signature is None or len(signature) <= 4:
        raise NoteError("has a signature line whose base64 is malformed")
    return name, signature


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of canonical standard base64, or None."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return content if base64.b64encode(content).decode() == text else None


def _read_key(text: str) -> tuple[str, bytes, bytes]:
    name, _, rest = text.partition("+")
    hexadecimal, _, encoded = rest.partition("+")
    content = decode_base64(encoded)
    if _problem_with_name(name) or len(hexadecimal) != 8 or content is None:
        raise NoteError("is no key of the form name+hash+base64")
    if len(content) != 1 + _KEY_BYTES or content[0] != _ED25519:
        raise NoteError("is no Ed25519 key")
    try:
        return name, bytes.fromhex(hexadecimal), content[1:]
    except ValueError:
        raise NoteError("is no key of the form name+hash+base64") from None


def _key_text(name: str, key_id: bytes, content: bytes) -> str:
    return f"{name}+{key_id.hex()}+{base64.b64encode(bytes([_ED25519]) + content).decode()}"


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([_ED25519]) + public).digest()[:4]


def _problem_with_name(name: str) -> str | None:
    if not name or len(name) > 200:
        return "a key's name must have 1 to 200 characters"
    if "+" in name or not name.isprintable() or any(character.isspace() for character in name):
        return "a key's name must have no '+', no space and no control character"
    return None


def _ed25519() -> Any:
    module = "cryptography.hazmat.primitives.asymmetric.ed25519"
    return require(module, extra="sign", feature=_FEATURE)
