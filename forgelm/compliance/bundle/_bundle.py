"""`build_evidence_bundle`: the evidence of a run in one file, with an index of digests."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from forgelm._core import open_atomic
from forgelm._version import __version__
from forgelm.compliance._verify_log import verify_audit_log
from forgelm.compliance.artefacts import LOG_NAME, digest_file
from forgelm.compliance.audit_log import VerifyResult, archived_parts, file_lock, open_regular
from forgelm.compliance.bundle._bundle_content import (
    INDEX_NAME,
    BundleContent,
    find_content,
    log_files,
)
from forgelm.compliance.bundle._bundle_reader import MAX_ENTRIES
from forgelm.errors import DataError

__all__ = ["BUNDLE_FORMAT", "EvidenceBundle", "build_evidence_bundle"]

BUNDLE_FORMAT = "forgelm-evidence/1"
_BLOCK_BYTES = 1024 * 1024
_LOCK_WAIT_S = 30.0
_ROTATION_PAUSES = 200
_PAUSE_S = 0.01
_FIRST_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can name
_FILE_MODE = 0o100644 << 16
_UNIX = 3


@dataclass(frozen=True)
class EvidenceBundle:
    """A bundle that was written.

    Attributes:
        path: The zip.
        index_sha256: SHA-256 of its index, which has every file's: keep it elsewhere.
        files: Names of the files in it.
        digested: Names of the files that only their digest is in it of, such as weights.
        left_out: What stayed out of it, and why.
        log: The verdict on the audit log in it; a bundle of an altered log is one all the same.
    """

    path: Path
    index_sha256: str
    files: tuple[str, ...]
    digested: tuple[str, ...]
    left_out: dict[str, str]
    log: VerifyResult


def build_evidence_bundle(
    run_dir: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    include_weights: bool = False,
) -> EvidenceBundle:
    """Write the evidence of a run into one zip, and say what is in it.

    The run directory is only read: no event is recorded. The same files give the same bytes,
    because the zip has no times in it and is not compressed. Of a run that goes on, the log is
    taken between two events. What seems to hold a credential stays out, and the index says so.

    Args:
        run_dir: The folder of the run.
        out: The zip to write; `<run_dir>.evidence.zip` beside the folder when not given.
        include_weights: Put the models in whole, not only their documents and digests.

    Returns:
        What was written.

    Raises:
        DataError: The folder holds no audit log, or links where evidence should be.
        ValueError: `out` lies inside the run directory.
        FileExistsError: There is something at `out` already.
        OSError: A file cannot be read or the zip not be written; there is no zip then.
    """
    folder = Path(run_dir).resolve()
    target = folder.with_name(f"{folder.name}.evidence.zip") if out is None else Path(out).resolve()
    if not (folder / LOG_NAME).is_file() and not archived_parts(folder / LOG_NAME):
        raise DataError(f"{folder}: there is no {LOG_NAME}. Give the run directory.")
    if target.is_relative_to(folder):
        raise ValueError(f"{target} lies in the run directory, which a bundle must not change")
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    before = _verdict_so_far(folder / LOG_NAME)
    content = find_content(folder, include_weights=include_weights)
    with open_atomic(target) as stream, zipfile.ZipFile(stream, "w") as bundle:
        files, log = _copied(folder, content, bundle, before)
        index = _index(folder, content, files, log)
        bundle.writestr(_entry(INDEX_NAME, len(index)), index)
    return EvidenceBundle(
        path=target,
        index_sha256=hashlib.sha256(index).hexdigest(),
        files=tuple(content.included),
        digested=tuple(content.digested),
        left_out=dict(content.left_out),
        log=log,
    )


def _copied(
    folder: Path, content: BundleContent, bundle: zipfile.ZipFile, before: VerifyResult | None
) -> tuple[list[dict[str, Any]], VerifyResult]:
    """Copy every file; those of the log all at one moment, between two events."""
    others = [name for name in content.included if not name.startswith(LOG_NAME)]
    with _no_writer(folder / LOG_NAME):
        log = _verdict_now(folder / LOG_NAME, before)
        of_log = [name for name in log_files(folder) if name not in content.left_out]
        files = [_copy(folder, name, bundle) for name in of_log]
    content.included = [*of_log, *others]
    if len(content.included) >= MAX_ENTRIES:
        raise DataError(f"{folder}: {len(content.included)} files are too many for one bundle")
    files += [_copy(folder, name, bundle) for name in others]
    return files, log


def _verdict_so_far(log: Path) -> VerifyResult | None:
    """Return the verdict on a log that others may write to; None where it was rotated meanwhile."""
    parts = archived_parts(log)
    verdict = verify_audit_log(log)
    whole = verdict.head is not None and bool(verdict.head.earlier_entries) == bool(parts)
    return verdict if whole and archived_parts(log) == parts else None


def _verdict_now(log: Path, before: VerifyResult | None) -> VerifyResult:
    """Return the verdict on the log as it is; of a valid one, only what came since is read."""
    if before is None:
        return verify_audit_log(log)
    now = verify_audit_log(log, expected_head=before, only_new_lines=True)
    return before if now.valid and now.chain_head == before.chain_head else now


@contextmanager
def _no_writer(log: Path) -> Iterator[None]:
    """Hold the lock of the log; right after a rotation, wait a little for its first line."""
    pauses = _ROTATION_PAUSES
    while True:
        with ExitStack() as stack:
            try:
                descriptor = open_regular(log, os.O_RDONLY)
            except FileNotFoundError:
                empty = True
            else:
                stack.callback(os.close, descriptor)
                _lock(stack, descriptor)
                if not _bears_the_name(descriptor, log):
                    continue
                empty = not os.fstat(descriptor).st_size
            if not empty or not pauses:
                yield
                return
        pauses -= 1
        time.sleep(_PAUSE_S)


def _lock(stack: ExitStack, descriptor: int) -> None:
    try:
        stack.enter_context(file_lock(descriptor, wait_s=_LOCK_WAIT_S, shared=True))
    except OSError as error:  # a file system without locks has no other writer to wait for
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP):
            raise


def _bears_the_name(descriptor: int, log: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(log))
    except FileNotFoundError:
        return False


def _entry(name: str, size: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_TIME)
    entry.create_system = _UNIX
    entry.external_attr = _FILE_MODE
    entry.file_size = size
    return entry


def _copy(folder: Path, name: str, bundle: zipfile.ZipFile) -> dict[str, Any]:
    """Copy a file up to where it ended when it was opened, and return its line of the index."""
    digest = hashlib.sha256()
    with os.fdopen(open_regular(folder / name, os.O_RDONLY), "rb") as source:
        size = os.fstat(source.fileno()).st_size
        with bundle.open(_entry(name, size), "w") as target:
            for block in _blocks(source, size):
                digest.update(block)
                target.write(block)
                size -= len(block)
    if size:
        raise OSError(errno.EIO, "it became shorter while it was read; try again", name)
    length = bundle.getinfo(name).file_size
    return {"path": name, "size_bytes": length, "sha256": digest.hexdigest()}


def _blocks(source: BinaryIO, size: int) -> Iterator[bytes]:
    while size and (block := source.read(min(size, _BLOCK_BYTES))):
        yield block
        size -= len(block)


def _index(
    folder: Path, content: BundleContent, files: list[dict[str, Any]], log: VerifyResult
) -> bytes:
    digested = []
    for name in content.digested:
        digest, size = digest_file(folder / name)
        digested.append({"path": name, "size_bytes": size, "sha256": digest})
    index = {
        "format": BUNDLE_FORMAT,
        "forgelm_version": __version__,
        "log": {
            "valid": log.valid,
            "reason": log.reason,
            "head": asdict(log.head) if log.head else None,
        },
        "files": files,
        "digests_only": digested,
        "left_out": content.left_out,
    }
    return (json.dumps(index, indent=1, sort_keys=True) + "\n").encode("ascii")
