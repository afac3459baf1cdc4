"""The head file: where the log ends, in two slots, so that lines removed at the end are seen.

Each append writes its intent (the hash of the line to come) to slot 1, then the line, then the new
end to slot 0. A crash may tear the slot being written, never the other. Nothing is flushed but the
log, so after a power loss the head may lag behind the log; it never leads.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from forgelm.compliance.audit_log._chain import GENESIS
from forgelm.compliance.audit_log._entry import seal
from forgelm.compliance.audit_log._files import open_regular, read_at, write_at, write_replacing
from forgelm.compliance.audit_log._keys import KeyRing

__all__ = [
    "SLOT_BYTES",
    "Head",
    "HeadError",
    "HeadFile",
    "head_path",
    "parse_head",
]

_COMMIT, _INTENT = 0, 1
AHEAD = "ahead"
# A slot's text fits one 512-byte sector, the unit disks write whole; the rest is padding, which
# keeps the slots in different pages.
SLOT_BYTES = 4096
_CACHED_SLOTS = 8
# What a slot says, in order: names of `Head`, and what their values look like.
_INT, _BOOL = r"(\d{1,18})", "(true|false)"
_FIELDS = {
    "generation": _INT,
    "entries": _INT,
    "size_bytes": _INT,
    "last_line_bytes": _INT,
    "chain_head": '"(genesis|[0-9a-f]{64})"',
    "keyed": _BOOL,
    "anchored_from": _INT,
    "pending": '"(|ahead|[0-9a-f]{64})"',
    "pending_bytes": _INT,
    "pending_keyed": _BOOL,
}
_GROUPED = ', "grouped": true'
_LAYOUT = ", ".join(f'"{name}": %s' for name in _FIELDS)
_TEXT = re.compile(
    (
        r"((\{" + _LAYOUT % tuple(_FIELDS.values()) + f"({_GROUPED})?)"
        r'(?:, "hmac": "([^"]*)")?), "sha256": "([0-9a-f]{64})"\}'
    ).encode()
)
_IS_AHEAD = f'"pending": "{AHEAD}"'.encode()


class HeadError(Exception):
    """The head file was altered, or belongs to another secret; the message is a clause."""


class Head(NamedTuple):
    """Where a log ends.

    Attributes:
        generation: Counts writes of the head file.
        entries: Lines in the log.
        size_bytes: Their length, newlines included.
        last_line_bytes: Length of the last of them.
        chain_head: SHA-256 of the last of them, or "genesis".
        keyed: Lines carry tags by now.
        anchored_from: Lines that were there before the head file was.
        pending: SHA-256 of the line about to be written, or ""; "ahead" where this head itself is
            what is about to be flushed.
        pending_bytes: Its length.
        pending_keyed: It carries a tag.
        grouped: Several lines may be written before a flush.
    """

    generation: int = 0
    entries: int = 0
    size_bytes: int = 0
    last_line_bytes: int = 0
    chain_head: str = GENESIS
    keyed: bool = False
    anchored_from: int = 0
    pending: str = ""
    pending_bytes: int = 0
    pending_keyed: bool = False
    grouped: bool = False

    def with_line(self, line_hash: str, line_bytes: int, *, keyed: bool) -> Head:
        """Return the head after one more line."""
        return self._replace(
            entries=self.entries + 1,
            size_bytes=self.size_bytes + line_bytes,
            last_line_bytes=line_bytes,
            chain_head=line_hash,
            keyed=keyed or self.keyed,
            pending="",
            pending_bytes=0,
            pending_keyed=False,
        )


_Slot = tuple[Head, bytes, bytes | None]
_ENCODE: dict[type, Callable[[Any], str]] = {
    int: str,
    bool: lambda value: "true" if value else "false",
    str: '"{}"'.format,
}


def head_path(log: Path) -> Path:
    """Return where the head file of `log` lies."""
    return log.with_name(log.name + ".head")


def parse_head(content: bytes, keys: KeyRing) -> Head | None:
    """Return the newest state in a head file's bytes, or None where none was ever written.

    Raises:
        HeadError: It was altered, or its MAC matches none of `keys`.
    """
    if not content.strip(b"\0"):
        return None
    commit = _parse_slot(content[:SLOT_BYTES], keys)
    is_ahead = _IS_AHEAD in content[SLOT_BYTES:] and len(content) == 2 * SLOT_BYTES
    if commit is not None and is_ahead:  # whole or torn, it does not count
        return commit
    intent = _parse_slot(content[SLOT_BYTES : 2 * SLOT_BYTES], keys)
    if len(content) > 2 * SLOT_BYTES or (commit is None and (intent is None or not intent.pending)):
        raise HeadError("is damaged: neither of its two slots is whole")
    if intent is not None and intent.pending == AHEAD:
        # It counts only where the commit that followed its flush tore.
        return intent._replace(pending="") if commit is None else commit
    if intent is not None and commit is None:
        # The commit that tore was written after its line was flushed: that line must be there.
        return intent.with_line(intent.pending, intent.pending_bytes, keyed=intent.pending_keyed)
    if commit is not None and (intent is None or commit.generation > intent.generation):
        return commit
    return intent


def _parse_slot(slot: bytes, keys: KeyRing) -> Head | None:
    """Return a slot's state, or None when it is torn or was never written."""
    found = _read_slot(slot)
    if found is None:
        return None
    head, payload, mac = found
    if head.keyed and mac is None:
        raise HeadError("carries no MAC, although the log is keyed: it was replaced")
    if mac is not None and keys:
        macs = [_mac(secret, payload).encode() for secret in keys.secrets]
        if not any(hmac.compare_digest(expected, mac) for expected in macs):
            raise HeadError(
                "has a MAC that does not match: it was altered, or the secret is another one"
            )
    return head


def _read_slot(slot: bytes) -> _Slot | None:
    """Return what a whole slot says, the bytes under its MAC, and the MAC."""
    text = slot[: slot.find(b"}") + 1]
    return _read_text(text) if slot[len(text) :].isspace() else None


@functools.lru_cache(maxsize=_CACHED_SLOTS)
def _read_text(text: bytes) -> _Slot | None:
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    sealed, payload, *values, mac, digest = found.groups()
    if hashlib.sha256(sealed + b"}").hexdigest().encode() != digest:
        return None
    generation, entries, size, last, chain_head, keyed, anchored, pending, length, tag, group = (
        values
    )
    head = Head(
        generation=int(generation),
        entries=int(entries),
        size_bytes=int(size),
        last_line_bytes=int(last),
        chain_head=chain_head.decode(),
        keyed=keyed == b"true",
        anchored_from=int(anchored),
        pending=pending.decode(),
        pending_bytes=int(length),
        pending_keyed=tag == b"true",
        grouped=group is not None,
    )
    lengths = (head.entries, head.size_bytes, head.last_line_bytes)
    sane = lengths == (0, 0, 0) or (0 not in lengths and lengths[2] <= lengths[1])
    return (head, payload + b"}", mac) if sane else None


def _mac(secret: str, payload: bytes) -> str:
    secret_bytes = secret.encode("utf-8", "surrogatepass")
    key = hmac.digest(secret_bytes, b"forgelm audit log head", "sha256")
    return hmac.digest(key, payload, "sha256").hex()


def _slot_bytes(head: Head, keys: KeyRing) -> bytes:
    values = [_ENCODE[type(value)](value) for value in head[:-1]]
    text = _LAYOUT % tuple(values) + _GROUPED * head.grouped
    payload = f"{{{text}}}".encode("ascii")
    if keys.secret is not None:
        payload = seal(payload, "hmac", _mac(keys.secret, payload))
    sealed = seal(payload, "sha256", hashlib.sha256(payload).hexdigest())
    return sealed.ljust(SLOT_BYTES - 1) + b"\n"


class HeadFile:
    """The open head file of a log that this process has locked."""

    def __init__(self, path: Path, keys: KeyRing) -> None:
        self._path = path
        self._keys = keys
        self._generation = 0
        self._descriptor = -1
        self._commit = b""

    def __enter__(self) -> HeadFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def detach(self) -> int:
        """Return the descriptor, which is the caller's to close from now on; -1 if none is open."""
        descriptor, self._descriptor = self._descriptor, -1  # never closed twice
        return descriptor

    def _close(self) -> None:
        descriptor = self.detach()
        if descriptor >= 0:
            with suppress(OSError):
                os.close(descriptor)

    def read(self) -> Head | None:
        """Return the newest state, or None where there is no head file yet.

        Raises:
            HeadError: It was altered, or belongs to another secret.
            OSError: It cannot be opened.
        """
        try:
            self._descriptor = open_regular(self._path, os.O_RDWR)
        except FileNotFoundError:
            return None
        content = read_at(self._descriptor, 2 * SLOT_BYTES + 1, 0)
        head = parse_head(content, self._keys)
        if head is not None:
            self._generation = head.generation
            self._commit = content[:SLOT_BYTES]
        return head

    def create(self, head: Head) -> None:
        """Start a new head file at `head`; it appears whole, and on the disk, or not at all."""
        self._generation = 2
        older, newer = head._replace(generation=1), head._replace(generation=2)
        slots = _slot_bytes(newer, self._keys) + _slot_bytes(older, self._keys)
        write_replacing(self._path, slots)
        self._close()
        self._descriptor = open_regular(self._path, os.O_RDWR)

    def write_intent(self, head: Head, after: Head) -> None:
        """Record that the line which leads from `head` to `after` is about to be written."""
        self._mend(head)
        intent = head._replace(
            pending=after.chain_head,
            pending_bytes=after.last_line_bytes,
            pending_keyed=after.keyed,
        )
        self._write(_INTENT, intent)

    def begin_groups(self, head: Head) -> Head:
        """Record for good, before the first of them, that lines are flushed in groups."""
        grouped = head._replace(grouped=True)
        self.write_ahead(head, grouped)
        self.write_commit(grouped)
        os.fsync(self._descriptor)
        return grouped

    def _mend(self, head: Head) -> None:
        """Rewrite a torn commit: beside a new intent it would read as "that line was flushed"."""
        if self._commit and _parse_slot(self._commit, self._keys) is None:
            self.write_commit(head)
            os.fsync(self._descriptor)
            self._commit = b""

    def write_ahead(self, head: Head, after: Head) -> None:
        """Record that the lines from `head` to `after`, which are written, will be flushed."""
        self._mend(head)
        self._write(_INTENT, after._replace(pending=AHEAD))

    def write_commit(self, head: Head) -> None:
        """Record the new end, once the log is flushed."""
        self._write(_COMMIT, head)

    def _write(self, slot: int, head: Head) -> None:
        self._generation += 1
        content = _slot_bytes(head._replace(generation=self._generation), self._keys)
        write_at(self._descriptor, content, slot * SLOT_BYTES)
