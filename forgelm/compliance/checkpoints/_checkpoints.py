"""Signed checkpoints of a log: how many lines it had, and the Merkle root over them.

Source: C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint) over an RFC 9162 tree. A leaf is a line
without its newline, over all files of a rotated log in order.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from forgelm.compliance.audit_log import LogHead, base_of, open_regular, read_at, read_expected
from forgelm.compliance.checkpoints._merkle import HASH_BYTES
from forgelm.compliance.checkpoints._signed_note import (
    NoteError,
    UnknownSignerError,
    VerifierKey,
    decode_base64,
    open_note,
    split_note,
)

__all__ = [
    "Checkpoint",
    "CheckpointSource",
    "KeySource",
    "Signed",
    "checkpoints_path",
    "read_checkpoints",
    "read_text",
    "read_verifier_keys",
    "signed_by",
    "text_of",
]

_MAX_FILE_BYTES = 16 * 1024 * 1024
_SIZE = re.compile("0|[1-9][0-9]{0,18}")
_EXTENSION = "forgelm-log "

KeySource = str | os.PathLike[str]


@dataclass(frozen=True)
class Checkpoint:
    """What a signer says of a log; nobody has checked the signature yet.

    Attributes:
        origin: Whose checkpoint of which log: the signer's name, "/" and the SHA-256 of the log's
            first line.
        size: Lines of the log.
        root: Merkle root over them, base64.
        note: All of it as signed text, with the signatures.
        signed_at: When it was signed, as the signer says; None where the note does not tell.
        head: Where the log ended, as the signer says; None where the note does not tell.
    """

    origin: str
    size: int
    root: str
    note: str
    signed_at: str | None = None
    head: LogHead | None = None

    @classmethod
    def parse(cls, note: str) -> Checkpoint:
        """Read a signed note, whoever signed it.

        Raises:
            NoteError: It is no checkpoint; a ValueError.
        """
        text, _ = split_note(note)
        lines = text[:-1].split("\n")
        if len(lines) < 3 or "" in lines:
            raise NoteError("is no checkpoint: it needs origin, size and root, and no empty line")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size):
            raise NoteError("has a size that is no decimal number of a log's lines")
        if len(decode_base64(root) or b"") != HASH_BYTES:
            raise NoteError("has a root that is not the base64 of 32 bytes")
        signed_at, head = _read_extension(lines[3:], int(size))
        return cls(origin, int(size), root, note, signed_at, head)

    @property
    def root_bytes(self) -> bytes:
        """The root as 32 bytes."""
        return decode_base64(self.root) or b""


CheckpointSource = Checkpoint | str | os.PathLike[str]
Signed = tuple[Checkpoint, VerifierKey]


def text_of(origin: str, size: int, root: str, signed_at: str, head: LogHead) -> str:
    """Return the text that is signed."""
    told = {"signed_at": signed_at, **dataclasses.asdict(head)}
    return f"{origin}\n{size}\n{root}\n{_EXTENSION}{json.dumps(told)}\n"


def _read_extension(lines: Sequence[str], size: int) -> tuple[str | None, LogHead | None]:
    found = next((line for line in lines if line.startswith(_EXTENSION)), None)
    if found is None:
        return None, None
    try:
        told = json.loads(found.removeprefix(_EXTENSION))
        signed_at, head = told.pop("signed_at"), read_expected(told)
        datetime.fromisoformat(signed_at)
        sane = head.entries_count == size and _is_sane(head)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        sane = False
    if not sane:
        raise NoteError(f"has a line {_EXTENSION.strip()!r} that is malformed or contradicts it")
    return signed_at, head


def _is_sane(head: LogHead) -> bool:
    numbers = [head.entries_count, head.earlier_entries, head.size_bytes, head.last_line_bytes]
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and head.earlier_entries < head.entries_count
        and 0 < head.last_line_bytes <= head.size_bytes
        and isinstance(head.keyed, bool)
        and all(key is None or isinstance(key, str) for key in head.key_ids)
    )


def checkpoints_path(log: Path) -> Path:
    """Return where the checkpoints of a log are kept beside it."""
    base = base_of(log)
    return base.with_name(base.name + ".checkpoints")


def read_text(path: Path) -> str:
    """Return what a file of notes or keys says.

    Raises:
        NoteError: It is too long or no UTF-8; the message is a clause without the path.
        OSError: It cannot be read, or is no regular file.
    """
    descriptor = open_regular(path, os.O_RDONLY, follow_links=True)
    try:
        content = read_at(descriptor, _MAX_FILE_BYTES + 1, 0)
    finally:
        os.close(descriptor)
    if len(content) > _MAX_FILE_BYTES:
        raise NoteError(f"is longer than {_MAX_FILE_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NoteError(f"is not UTF-8 (byte {error.start})") from None


def read_checkpoints(path: str | os.PathLike[str]) -> list[Checkpoint]:
    """Return the checkpoints in a file, the oldest first; their signatures are not checked.

    Raises:
        ValueError: There is something else in it.
        OSError: It cannot be read.
    """
    try:
        return _split(read_text(Path(path)))
    except NoteError as error:
        raise ValueError(f"{path}: it {error}") from None


def _split(content: str) -> list[Checkpoint]:
    if not content.endswith("\n"):
        raise NoteError("ends in the middle of a checkpoint: what was written last is incomplete")
    blocks = content[:-1].split("\n\n")
    if len(blocks) % 2:
        raise NoteError("is no signed note: no block of signatures follows an empty line")
    pairs = zip(blocks[::2], blocks[1::2], strict=True)
    return [Checkpoint.parse(f"{text}\n\n{signatures}\n") for text, signatures in pairs]


def read_verifier_keys(source: KeySource) -> list[VerifierKey]:
    """Return the verifier keys in a text or a file, one a line.

    Raises:
        ValueError: There is none, or something else.
        OSError: The file cannot be read.
    """
    text = os.fspath(source)
    if not isinstance(source, str) or os.path.isfile(source):
        try:
            text = read_text(Path(source))
        except NoteError as error:
            raise ValueError(f"public_key: {source} {error}") from None
    lines = [line.strip() for line in text.splitlines()]
    try:
        keys = [VerifierKey.parse(line) for line in lines if line and not line.startswith("#")]
    except NoteError as error:
        raise ValueError(f"public_key {error}") from None
    if not keys:
        raise ValueError("public_key holds no verifier key (name+hash+base64)")
    return keys


def signed_by(keys: Sequence[VerifierKey], source: CheckpointSource) -> list[Signed]:
    """Return the checkpoints of a source that one of `keys` signed, and which.

    Those that only others signed are left out.

    Raises:
        NoteError: One is malformed, one has a wrong signature, or none is signed with `keys`; the
            message is a clause.
        OSError: The file cannot be read.
    """
    if isinstance(source, Checkpoint):
        notes = [Checkpoint.parse(source.note)]
    else:
        notes = _split(read_text(Path(source)))
    found: list[Signed] = []
    unknown: UnknownSignerError | None = None
    for checkpoint in notes:
        try:
            found.append((checkpoint, open_note(checkpoint.note, keys)[1]))
        except UnknownSignerError as error:
            unknown = error
    if not found:
        raise unknown or NoteError("holds no checkpoint")
    return found
