"""Personal data beside the log: the log keeps a salted commitment, so that the value can go.

A commitment is HMAC-SHA256 of the value's canonical JSON under a random salt of 32 bytes. Without
the salt it can be linked to no guess of the value; with both it can be checked. Value and salt lie
in a file of their own; erasing them there leaves every line of the log as it is.

Source: Regulation (EU) 2016/679, Articles 17 (erasure) and 25 (data protection by design).
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from forgelm.compliance.audit_log._blocks import LongLine, line_blocks
from forgelm.compliance.audit_log._entry import encode
from forgelm.compliance.audit_log._files import open_regular, sync_folder, write_at, write_replacing
from forgelm.compliance.audit_log._lock import file_lock
from forgelm.compliance.audit_log._parts import base_of

__all__ = ["COMMITMENT", "ERASED", "CommitmentScan", "Kept", "Personal", "PersonalFile"]

COMMITMENT = "personal_commitment"
ERASED = "audit.personal_data_erased"

_COMMITMENTS = re.compile(rb'"personal_commitment": "([0-9a-f]{64})"')
_HASHES = re.compile(rb'"([0-9a-f]{64})"')
_EVENT = b'"event": "'
_OVERLAP_BYTES = 128
_ERASED_EVENT = b'"event": "%b"' % ERASED.encode()
_LOCK_WAIT_S = 30.0


class Personal:
    """A value of an event that must be erasable: the log holds a commitment in its place.

    Example:
        >>> Personal("Ada")
        Personal(...)
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Personal(...)"


class Kept(NamedTuple):
    """One value beside the log."""

    commitment: str
    salt: str
    value: Any

    @classmethod
    def of(cls, value: Any) -> Kept:
        """Return a new commitment to a value of strict JSON."""
        salt = secrets.token_hex(32)
        return cls(_commitment(salt, value), salt, value)

    def stands(self) -> bool:
        """Say whether the value is the one that was committed to."""
        return hmac.compare_digest(_commitment(self.salt, self.value), self.commitment)


def _commitment(salt: str, value: Any) -> str:
    return hmac.digest(bytes.fromhex(salt), encode({"value": value}), "sha256").hex()


class PersonalFile:
    """The values beside a log, in a file of mode 0600 next to it.

    Attributes:
        path: The file.
    """

    def __init__(self, log: Path) -> None:
        base = base_of(log)
        self.path = base.with_name(f"{base.name}.personal.jsonl")

    def __iter__(self) -> Iterator[Kept]:
        """Yield what is there; damaged lines are left out."""
        try:
            descriptor = open_regular(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            yield from _read(descriptor)
        finally:
            os.close(descriptor)

    def add(self, kept: list[Kept]) -> None:
        """Write values down, on the disk when this returns."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(os.O_RDWR | os.O_CREAT) as descriptor:
            size = os.fstat(descriptor).st_size
            lines = [encode(one._asdict()) + b"\n" for one in kept]
            # An interrupted write may have left half a line behind.
            write_at(descriptor, b"".join([b"\n" * bool(size), *lines]), size)
            os.fsync(descriptor)
            if not size:
                sync_folder(self.path.parent)

    def erase(self, chosen: Callable[[Kept], bool]) -> None:
        """Write the file anew without the values that are `chosen`."""
        with self._locked(os.O_RDWR) as descriptor:
            left = [encode(one._asdict()) for one in _read(descriptor) if not chosen(one)]
            write_replacing(self.path, b"".join(line + b"\n" for line in left))

    @contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        current = False
        while not current:
            descriptor = open_regular(self.path, flags)
            try:
                with file_lock(descriptor, wait_s=_LOCK_WAIT_S):
                    current = os.path.samestat(os.fstat(descriptor), os.stat(self.path))
                    if current:
                        yield descriptor
            finally:
                os.close(descriptor)


def _read(descriptor: int) -> Iterator[Kept]:
    for block in line_blocks(descriptor, 0, os.fstat(descriptor).st_size):
        whole = block.read() if isinstance(block, LongLine) else block
        for line in whole.split(b"\n"):
            try:
                kept = Kept(**json.loads(line))
                bytes.fromhex(kept.salt)
                kept.commitment.encode("ascii")
            except (ValueError, TypeError, AttributeError, RecursionError):
                continue
            yield kept


class CommitmentScan:
    """Collects the commitments of a log while it is read, and says what became of each."""

    def __init__(self) -> None:
        self._open: dict[str, None] = {}
        self._erased: set[str] = set()

    def look_at(self, block: bytes | LongLine) -> None:
        """Take in whole lines of the log."""
        if isinstance(block, LongLine):
            self._look_at_long(block)
            return
        self._collect(block)
        at = block.find(_ERASED_EVENT)
        while at >= 0:
            start, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
            entry = _object(block[start:end])
            if entry.get("event") == ERASED and isinstance(entry.get("commitments"), list):
                self._erased.update(name for name in entry["commitments"] if isinstance(name, str))
            at = block.find(_ERASED_EVENT, end) if end >= 0 else -1

    def _look_at_long(self, line: LongLine) -> None:
        before, erases = b"", None
        for piece in line:
            # Neither a commitment nor the event is cut at the end of a piece.
            window = before + piece
            self._collect(window)
            at = window.find(_EVENT) if erases is None else -1
            if 0 <= at <= len(window) - len(_ERASED_EVENT):
                erases = window.startswith(_ERASED_EVENT, at)
            if erases:
                self._erased.update(found.decode() for found in _HASHES.findall(window))
            before = window[-_OVERLAP_BYTES:]

    def _collect(self, text: bytes) -> None:
        if b'"personal_commitment": "' in text:
            self._open.update(dict.fromkeys(found.decode() for found in _COMMITMENTS.findall(text)))

    def states(self, log: Path) -> dict[str, str]:
        """Return "matches", "altered", "erased" or "missing" for each commitment."""
        if not self._open:
            return {}
        states = {name: "erased" if name in self._erased else "missing" for name in self._open}
        for kept in PersonalFile(log):
            if kept.commitment in states:
                states[kept.commitment] = "matches" if kept.stands() else "altered"
        return states


def _object(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
