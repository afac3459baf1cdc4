"""A log and what lies beside it, as they are between two appends."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm.compliance.audit_log._files import open_regular, read_at
from forgelm.compliance.audit_log._head import SLOT_BYTES, Head, HeadError, head_path, parse_head
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._lock import file_lock
from forgelm.compliance.audit_log._parts import archived_parts
from forgelm.compliance.audit_log._sidecar import ManifestError, manifest_path, read_manifest

__all__ = ["Snapshot", "UnreadableError", "snapshot_of"]

_LOCK_WAIT_S = 2.0
_MAX_MOVES = 1000
# A rotation leaves no file of that name, or an empty one, for as long as a few flushes take.
_ROTATION_S = 0.5
_PAUSE_S = 0.005


class UnreadableError(Exception):
    """There is nothing to verify, or what pins it is damaged; the message is the reason."""


class _NoLineError(UnreadableError):
    """The log is missing or empty: its lines were deleted, or it is being rotated right now."""


@dataclass(frozen=True)
class Snapshot:
    """An open log.

    Attributes:
        log: Its path.
        descriptor: The open file.
        size_bytes: Where it ended between two appends; it may have grown since.
        head: What its head file said then.
        manifest: What its manifest said then.
        locked: Nobody was appending meanwhile.
    """

    log: Path
    descriptor: int
    size_bytes: int
    head: Head | None
    manifest: Mapping[str, Any] | None
    locked: bool = True


@contextmanager
def snapshot_of(log: Path, keys: KeyRing) -> Iterator[Snapshot]:
    """Open a log and read what lies beside it, all of one state also while it is rotated.

    Raises:
        UnreadableError: There is no log, or what lies beside it is damaged.
        OSError: Something cannot be read.
    """
    found = _settled(log, keys)
    try:
        yield found
    finally:
        os.close(found.descriptor)


def _settled(log: Path, keys: KeyRing) -> Snapshot:
    """Look again for a moment where a log without a line has archives: one may just be made."""
    give_up = time.monotonic() + _ROTATION_S
    while True:
        try:
            return _found(log, keys)
        except _NoLineError:
            if time.monotonic() > give_up or not _archives(log):
                raise
            time.sleep(_PAUSE_S)


def _found(log: Path, keys: KeyRing) -> Snapshot:
    for _ in range(_MAX_MOVES):
        descriptor = _opened(log)
        found = None
        try:
            found = _seen(log, descriptor, keys)
        finally:
            if found is None:
                os.close(descriptor)
        if found is not None:
            return found
    raise UnreadableError(f"{log} is replaced all the time")


def _opened(log: Path) -> int:
    try:
        return open_regular(log, os.O_RDONLY, follow_links=True)
    except FileNotFoundError:
        raise _NoLineError(f"there is no file at {log}{_pinned_elsewhere(log)}") from None
    except ValueError as error:
        raise UnreadableError(f"{os.fspath(log)!r} cannot be a path: {error}") from None


def _seen(log: Path, descriptor: int, keys: KeyRing) -> Snapshot | None:
    """Return what is there, None where the file lost its name to a rotation meanwhile."""
    try:
        try:
            with file_lock(descriptor, wait_s=_LOCK_WAIT_S, shared=True):
                return _read(log, descriptor, keys)
        except OSError as error:
            if error.errno not in (errno.ETIMEDOUT, errno.ENOLCK, errno.ENOTSUP):
                raise
            return _read(log, descriptor, keys, locked=False)
    except ManifestError as error:
        problem = f"the manifest {manifest_path(log)} {error}"
    except HeadError as error:
        problem = f"the head file {head_path(log)} {error}"
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        problem = f"{error.filename} is a symbolic link, not the file itself"
    raise UnreadableError(problem)


def _read(log: Path, descriptor: int, keys: KeyRing, *, locked: bool = True) -> Snapshot | None:
    opened = os.fstat(descriptor)
    try:
        if not os.path.samestat(opened, os.stat(log)):
            return None
    except FileNotFoundError:
        return None
    if not opened.st_size:
        raise _NoLineError(f"{log} is empty{_pinned_elsewhere(log)}")
    head = _read_head(log, keys)
    return Snapshot(log, descriptor, opened.st_size, head, read_manifest(log), locked)


def _read_head(log: Path, keys: KeyRing) -> Head | None:
    try:
        descriptor = open_regular(head_path(log), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        content = read_at(descriptor, 2 * SLOT_BYTES + 1, 0)
    finally:
        os.close(descriptor)
    return parse_head(content, keys)


def _pinned_elsewhere(log: Path) -> str:
    """Say which files show that a missing or empty log had lines."""
    beside = [path.name for path in (manifest_path(log), head_path(log)) if path.exists()]
    if beside:
        return f", but {' and '.join(beside)} beside it: its lines were deleted"
    archived = _archives(log)
    if not archived:
        return ""
    return (
        f", but {archived[-1].name} beside it: the log was rotated and nothing was logged since "
        "(then verify that file), or its newest file was deleted"
    )


def _archives(log: Path) -> list[Path]:
    return archived_parts(log) if log.parent.is_dir() else []
