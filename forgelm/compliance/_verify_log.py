"""Walking a log from its first byte to its last, in constant memory."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

from forgelm.compliance._chain import SECRET_VARIABLE, ChainWalker
from forgelm.compliance._entry import BLANK, INCOMPLETE, MAX_LINE_BYTES
from forgelm.compliance._files import open_regular, read_at
from forgelm.compliance._head import SLOT_BYTES, Head, HeadError, head_path, parse_head
from forgelm.compliance._lock import file_lock
from forgelm.compliance._results import VerifyResult
from forgelm.compliance._sidecar import ManifestError, manifest_path, read_manifest

__all__ = ["verify_audit_log"]

_LOCK_WAIT_S = 2.0
_BUFFER_BYTES = 1024 * 1024


def verify_audit_log(
    path: str | os.PathLike[str], *, hmac_secret: str | None = None, require_hmac: bool = False
) -> VerifyResult:
    """Say whether a log is whole and unaltered, and if not, what is wrong and where.

    Args:
        path: The log file. The manifest and head file beside it are read when they are there.
        hmac_secret: The secret the tags were made with; `FORGELM_AUDIT_SECRET` when not given.
        require_hmac: Every line must carry a tag that matches; without a secret nothing passes.

    Returns:
        The verdict; a missing, empty or malformed log is one, too.

    Raises:
        OSError: The log or a file beside it cannot be read, or is no regular file.
    """
    secret = hmac_secret or os.environ.get(SECRET_VARIABLE) or None
    if require_hmac and secret is None:
        return _invalid(
            "require_hmac is set, but there is no secret to check the tags with: pass hmac_secret= "
            f"or set {SECRET_VARIABLE}"
        )
    try:
        log = Path(path)
        descriptor = open_regular(log, os.O_RDONLY, follow_links=True)
    except FileNotFoundError:
        return _invalid(f"there is no file at {path}{_pinned_elsewhere(Path(path))}")
    except ValueError as error:
        return _invalid(f"{os.fspath(path)!r} cannot be a path: {error}")
    try:
        return _Verification(log, descriptor, secret, require_hmac).run()
    finally:
        os.close(descriptor)


class _Verification:
    """One walk over an open log, up to where it ended when the walk began."""

    def __init__(self, log: Path, descriptor: int, secret: str | None, require_hmac: bool) -> None:
        self._log = log
        self._descriptor = descriptor
        self._secret = secret
        self._walker = ChainWalker(secret, require_tags=require_hmac)
        self._head: Head | None = None
        self._notes: list[str] = []

    def run(self) -> VerifyResult:
        try:
            manifest = read_manifest(self._log)
            size = self._snapshot()
        except ManifestError as error:
            return _invalid(f"the manifest {manifest_path(self._log)} {error}")
        except HeadError as error:
            return _invalid(f"the head file {head_path(self._log)} {error}")
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            return _invalid(f"{error.filename} is a symbolic link, not the file itself")
        if not size:
            return _invalid(f"{self._log} is empty{_pinned_elsewhere(self._log)}")
        if manifest is None:
            self._notes.append("There is no manifest: what the first line was is not pinned.")
        first = None if manifest is None else str(manifest["first_entry_sha256"])
        return self._walk(size, first) or self._missing_at_end() or self._passed()

    def _snapshot(self) -> int:
        """Read the head file and return the log's size, as they are between two appends."""
        try:
            with file_lock(self._descriptor, wait_s=_LOCK_WAIT_S, shared=True):
                self._head = self._read_head()
                return os.fstat(self._descriptor).st_size
        except OSError as error:
            if error.errno not in (errno.ETIMEDOUT, errno.ENOLCK, errno.ENOTSUP):
                raise
            self._notes.append("The log could not be locked: an event may have been under way.")
            self._head = self._read_head()
            return os.fstat(self._descriptor).st_size

    def _read_head(self) -> Head | None:
        try:
            descriptor = open_regular(head_path(self._log), os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            content = read_at(descriptor, 2 * SLOT_BYTES + 1, 0)
        finally:
            os.close(descriptor)
        return parse_head(content, self._secret)

    def _walk(self, size: int, first_hash: str | None) -> VerifyResult | None:
        walker, head = self._walker, self._head
        pinned = head.entries if head else -1
        with io.FileIO(self._descriptor, closefd=False) as raw:
            stream = io.BufferedReader(raw, _BUFFER_BYTES)
            stream.seek(0)
            while walker.size_bytes < size:
                room = min(size - walker.size_bytes, MAX_LINE_BYTES + 1)
                problem = walker.problem_with(stream.readline(room))
                if problem:
                    return self._invalid_next(problem)
                if walker.entries == 1 and first_hash not in (None, walker.chain_head):
                    return self._invalid_last("it is not the first line that the manifest pins")
                if walker.entries == pinned and head is not None:
                    problem = _head_problem(walker, head)
                    if problem:
                        return self._invalid_last(problem)
        return None

    def _missing_at_end(self) -> VerifyResult | None:
        walker, head = self._walker, self._head
        if head is None or walker.entries >= head.entries:
            return None
        missing = head.entries - walker.entries
        return self._result(
            walker.entries + 1,
            f"{missing} line{'s were' if missing > 1 else ' was'} removed at the end: the log has "
            f"{walker.entries} ({walker.size_bytes} bytes), its head file records {head.entries} "
            f"({head.size_bytes} bytes)",
            read=walker.entries,
            last_hash=self._last_hash(),
        )

    def _passed(self) -> VerifyResult:
        walker, head, notes = self._walker, self._head, self._notes
        if head is None:
            notes.append("There is no head file: lines removed at the end would not be seen.")
        elif head.anchored_from:
            notes.append(
                f"The head file was begun after line {head.anchored_from}: lines removed at the "
                "end before then would not be seen."
            )
        if head is not None and walker.entries > head.entries:
            notes.append(f"The lines after line {head.entries} are not in the head file yet.")
        if walker.keyed and self._secret is None:
            notes.append("The tags were not checked: no secret was given.")
        if self._secret is not None and not walker.keyed:
            notes.append("No line carries a tag: the secret proves nothing here.")
        return self._result(None, None, read=walker.entries, last_hash=self._last_hash())

    def _invalid_next(self, problem: str) -> VerifyResult:
        """The line after the last accepted one is not as it should be."""
        number = self._walker.entries + 1
        blank = problem == BLANK
        reason = f"line {number} (byte {self._walker.size_bytes}): {problem}"
        if problem == INCOMPLETE:
            reason += self._what_the_head_says()
        return self._result(number, reason, read=number - blank, last_hash=self._last_hash())

    def _last_hash(self) -> str | None:
        return self._walker.chain_head if self._walker.entries else None

    def _what_the_head_says(self) -> str:
        head = self._head
        if head is None:
            return ""
        if head.entries > self._walker.entries:
            return f"; the head file records {head.entries} whole lines, so the end was cut"
        return "; the head file records no such line, and the next AuditLogger will set it aside"

    def _invalid_last(self, problem: str) -> VerifyResult:
        """The last accepted line fits the chain, but not what the side files pin."""
        walker = self._walker
        start = walker.size_bytes - walker.last_line_bytes
        reason = f"line {walker.entries} (byte {start}): {problem}"
        return self._result(walker.entries, reason, read=walker.entries, last_hash=None)

    def _result(
        self, index: int | None, reason: str | None, *, read: int, last_hash: str | None
    ) -> VerifyResult:
        return VerifyResult(
            valid=reason is None,
            entries_count=read,
            first_invalid_index=index,
            reason=reason,
            last_hash=last_hash,
            remarks=tuple(self._notes),
            has_head=self._head is not None,
        )


def _head_problem(walker: ChainWalker, head: Head) -> str | None:
    if (walker.chain_head, walker.size_bytes) != (head.chain_head, head.size_bytes):
        return "it is not the line that the head file records: it, or lines before it, were edited"
    if walker.keyed != head.keyed:
        have, had = ("tags", "none") if walker.keyed else ("no tags", "tags")
        return f"the lines up to here have {have}, where the head file records {had}"
    return None


def _pinned_elsewhere(log: Path) -> str:
    """Say which side files show that a missing or empty log had lines."""
    beside = [path.name for path in (manifest_path(log), head_path(log)) if path.exists()]
    return f", but {' and '.join(beside)} beside it: its lines were deleted" if beside else ""


def _invalid(reason: str) -> VerifyResult:
    return VerifyResult(valid=False, reason=reason)
