"""Making keys, and signing where a log ends."""

from __future__ import annotations

import base64
import errno
import os
from datetime import UTC, datetime
from pathlib import Path

from forgelm.compliance._verify_log import verify_lines
from forgelm.compliance.audit_log import (
    create_durably,
    file_lock,
    open_regular,
    read_at,
    sync_folder,
    write_at,
)
from forgelm.compliance.checkpoints import (
    Checkpoint,
    CheckpointScan,
    NoteError,
    Signed,
    SigningKey,
    UnknownSignerError,
    checkpoints_path,
    read_text,
    signed_by,
    text_of,
)
from forgelm.errors import AuditLogError

__all__ = ["append_note", "create_signing_key", "log_at", "sign_checkpoint"]

_LOG_NAME = "audit_log.jsonl"
_LOCK_WAIT_S = 30.0


def create_signing_key(path: str | os.PathLike[str], name: str) -> str:
    """Write a new Ed25519 key and return its verifier key, which is public.

    Whoever has the file can sign in that name: keep it where the writers of the log cannot read
    it. Give the verifier key to everybody who is to check.

    Args:
        path: The new file, of mode 0600; nothing is ever overwritten.
        name: Who signs, without spaces and "+", for example "acme.example/audit".

    Raises:
        OptionalDependencyError: The `sign` extra is not installed.
        ValueError: The name cannot be used.
        FileExistsError: There is something at `path`.
        OSError: It cannot be written.
    """
    try:
        key = SigningKey.generate(name)
    except NoteError as error:
        raise ValueError(str(error)) from None
    create_durably(Path(path), key.to_text().encode() + b"\n")
    sync_folder(Path(path).parent)
    return str(key.verifier)


def sign_checkpoint(
    log: str | os.PathLike[str],
    key: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
) -> Checkpoint:
    """Verify a log and return a signed checkpoint of where it ends.

    The log is held to every checkpoint that the same key signed before, beside it and in `out`: a
    signer never vouches for a log that was altered in between. Tags are checked where
    `FORGELM_AUDIT_SECRET` is set.

    Args:
        log: The log, or the run directory that holds it.
        key: The file that `create_signing_key` wrote.
        out: The file that the checkpoint is appended to; `<log>.checkpoints` when not given.

    Raises:
        OptionalDependencyError: The `sign` extra is not installed.
        ValueError: The key file holds no signing key.
        AuditLogError: The log is altered, or earlier checkpoints are; an OSError.
        FileNotFoundError: There is no log.
        OSError: A file cannot be read or written.
    """
    signer = _read_signing_key(Path(key))
    path = log_at(log)
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, "there is no audit log to sign", str(path))
    beside = checkpoints_path(path)
    record = beside if out is None else Path(out)
    earlier = _earlier(beside, signer)
    elsewhere = _earlier(record, signer) if record != beside else []
    scan = CheckpointScan(earlier + elsewhere, may_be_foreign=not earlier)
    result = verify_lines(path, scan.accept)
    problem = result.reason
    change = scan.change()
    if not problem and change:
        problem = change[1] if change[0] is None else f"line {change[0]}: {change[1]}"
    if problem or result.head is None:
        raise AuditLogError(f"{path} was not signed, because it does not stand up: {problem}")
    origin = f"{signer.verifier.name}/{scan.first_line}"
    root = base64.b64encode(scan.tree.root()).decode()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    note = signer.sign(text_of(origin, scan.tree.size, root, now, result.head))
    append_note(record, note)
    return Checkpoint.parse(note)


def log_at(place: str | os.PathLike[str]) -> Path:
    """Return the log that a path or a run directory means."""
    return Path(place, _LOG_NAME) if os.path.isdir(place) else Path(place)


def append_note(path: Path, note: str) -> None:
    """Append a note to a file of notes, and flush it; a failure leaves the file as it was.

    Raises:
        AuditLogError: The file ends in the middle of a note.
        OSError: It is a link or cannot be written.
    """
    new = not path.exists()
    descriptor = open_regular(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        with file_lock(descriptor, wait_s=_LOCK_WAIT_S):
            size = os.fstat(descriptor).st_size
            if size and read_at(descriptor, 1, size - 1) != b"\n":
                raise AuditLogError(
                    f"{path} ends in the middle of a checkpoint: remove what follows the last "
                    "whole one, or name another file"
                )
            try:
                write_at(descriptor, (b"\n" if size else b"") + note.encode(), size)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
    finally:
        os.close(descriptor)
    if new:
        sync_folder(path.parent)


def _read_signing_key(path: Path) -> SigningKey:
    try:
        return SigningKey.parse(read_text(path))
    except NoteError as error:
        raise ValueError(f"{path} {error}") from None


def _earlier(record: Path, signer: SigningKey) -> list[Signed]:
    try:
        return signed_by([signer.verifier], record)
    except (FileNotFoundError, UnknownSignerError):
        return []
    except NoteError as error:
        raise AuditLogError(
            f"{record} {error}. Nothing was signed: restore it, or name another file"
        ) from None
