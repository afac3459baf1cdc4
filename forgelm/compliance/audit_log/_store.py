"""The files of a log, and how one line is appended so that a crash at any point loses nothing.

Intent to the head file, the line, one flush of the log, commit to the head file: see `_head`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import shlex
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from forgelm.compliance.audit_log._entry import MAX_FIELDS, MAX_LINE_BYTES
from forgelm.compliance.audit_log._files import (
    create_durably,
    is_at,
    open_regular,
    read_at,
    sync_folder,
    write_at,
)
from forgelm.compliance.audit_log._head import Head, HeadError, HeadFile, head_path
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._lock import file_lock
from forgelm.compliance.audit_log._parts import (
    CONTINUED,
    ROTATED,
    Link,
    end_of_archive,
    finish_rotation,
    link_of,
    next_part,
)
from forgelm.compliance.audit_log._sidecar import ManifestError, read_manifest, write_manifest
from forgelm.compliance.audit_log._tail import follow_log, read_first_line
from forgelm.errors import AuditLogError

__all__ = ["Compose", "LogStore"]

_REROOTED = "audit.chain_rerooted"
_RECOVERED = "audit.tail_recovered"
_PINNED = ("run_id", "created_at", "first_entry_sha256")

Compose = Callable[[str, Mapping[str, Any], str], bytes]
"""Makes the bytes of a line from its event, its fields and the hash of the line before."""


class LogStore:
    """Appends to the log at `path`; keeps nothing open and nothing cached between calls.

    Attributes:
        path: The log file.
        messages: (level, text) for Python's own logging, left for the caller: its handlers may
            wait for the caller's thread.
    """

    _flushes_first = True

    def __init__(self, path: Path, run_id: str, keys: KeyRing, compose: Compose) -> None:
        self.path = path
        self._head_path = head_path(path)
        self._run_id = run_id
        self._keys = keys
        self._compose = compose
        self._start_checked = False
        self._withdrawn: tuple[int, bytes] | None = None
        self.messages: deque[tuple[int, str]] = deque()

    def append(
        self,
        event: str,
        fields: Mapping[str, Any],
        *,
        wait_s: float,
        cancelled: Callable[[], bool],
    ) -> None:
        """Write one event; it is on the disk when this returns, and not in the log if it raises.

        Raises:
            OSError: It could not be written, or what is on the disk must be repaired first.
        """
        with self._locked(wait_s, cancelled) as (log, head_file):
            head = self._prepared(log, head_file)
            self._write(log, head_file, head, event, fields)

    def rotate(self, *, wait_s: float, cancelled: Callable[[], bool]) -> Path:
        """Archive the log under the next free name, which is returned.

        Raises:
            OSError: It has no line yet, or could not be archived.
        """
        with self._locked(wait_s, cancelled) as (log, head_file):
            head = self._prepared(log, head_file)
            if not head.entries:
                raise AuditLogError(f"{self.path} has no event yet: there is nothing to archive.")
            os.fsync(log)
            link = link_of(self.path, log)
            earlier = link.entries if isinstance(link, Link) else 0
            archive = next_part(self.path)
            details = {"archived_as": archive.name, "total_entries": earlier + head.entries + 1}
            self._write(log, head_file, head, ROTATED, details)
            os.rename(self.path, archive)
            finish_rotation(self.path)
            self._start_checked = False
        self._begin_next_file(wait_s, cancelled)
        return archive

    def _begin_next_file(self, wait_s: float, cancelled: Callable[[], bool]) -> None:
        """Write the first line behind an archive at once: a log that is missing was deleted."""
        try:
            with self._locked(wait_s, cancelled) as (log, head_file):
                self._prepared(log, head_file)
        except OSError as error:  # the log is archived all the same
            self._say(logging.WARNING, f"the next event begins the new file: {error}")

    def _continue_archived(self, log: int, head_file: HeadFile) -> Head:
        """Begin an empty log by naming the file that it continues, where there is one."""
        link = end_of_archive(self.path)
        if link is None:
            return Head()
        if link.keyed and self._keys.secret is None:
            raise AuditLogError(
                f"{link.path}, which the log continues, is keyed: set FORGELM_AUDIT_SECRET."
            )
        fields = {
            "previous_file": link.path.name,
            "previous_entries": link.entries,
            "previous_chain_head": link.chain_head,
        }
        return self._write(log, head_file, Head(), CONTINUED, fields)

    @contextmanager
    def _locked(
        self, wait_s: float, cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, HeadFile]]:
        """Open the log that bears the name now, and its head file, and hold the log's lock."""
        current = False
        while not current:
            log = self._open_log()
            try:
                with file_lock(log, wait_s=wait_s, cancelled=cancelled):
                    current = is_at(log, self.path)
                    if current:
                        with HeadFile(self._head_path, self._keys) as head_file:
                            yield log, head_file
            finally:
                with suppress(OSError):  # the event is on the disk by now
                    os.close(log)

    def _open_log(self) -> int:
        try:
            return open_regular(self.path, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(self.path.parent.parent)
            return open_regular(self.path, os.O_RDWR | os.O_CREAT)

    def _prepared(self, log: int, head_file: HeadFile) -> Head:
        """Bring the log into a state that can be appended to, and return where it ends."""
        head, previous = self._settle(log, head_file)
        if previous is not None:
            head = self._write(log, head_file, head, _REROOTED, previous)
        if not head.entries:
            head = self._continue_archived(log, head_file)
        torn = os.fstat(log).st_size - head.size_bytes
        if torn:
            details = self._save_torn_tail(log, head.size_bytes, torn)
            head = self._write(log, head_file, head, _RECOVERED, details, over=torn)
        return head

    def _settle(self, log: int, head_file: HeadFile) -> tuple[Head, dict[str, Any] | None]:
        """Return where the log really ends, and what was pinned before where it starts anew."""
        size = os.fstat(log).st_size
        if not size:
            finish_rotation(self.path)
        try:
            head = head_file.read()
            manifest = None if self._start_checked and size else read_manifest(self.path)
        except HeadError as error:
            raise self._refusal(f"its head file {error}") from None
        except ManifestError as error:
            raise self._refusal(f"its manifest {error}") from None
        if not size and (head.entries if head else manifest):
            return self._start_anew(head_file, head, manifest or {})
        self._withdraw(log, head)
        tail = self._followed(log, head or Head(), manifest)
        if head is None:
            tail = tail._replace(anchored_from=tail.entries)
            head_file.create(tail)
        elif size > tail.size_bytes or (self._flushes_first and tail.size_bytes > head.size_bytes):
            os.fsync(log)  # the head file is about to name lines that it does not know yet
        unfinished = None if tail.entries or not manifest else manifest.get("rerooted_from")
        return tail, unfinished

    def _followed(self, log: int, head: Head, manifest: Mapping[str, Any] | None) -> Head:
        tail = self._end_of(log, head)
        if isinstance(tail, str):
            raise self._refusal(tail)
        if tail.keyed and self._keys.secret is None:
            raise AuditLogError(
                f"{self.path} is keyed: its lines carry HMAC tags. Set FORGELM_AUDIT_SECRET to "
                "the secret it was begun with, or log to another folder."
            )
        if manifest is not None and tail.entries:
            first = hashlib.sha256(read_first_line(log)).hexdigest()
            if first != manifest["first_entry_sha256"]:
                raise self._refusal("line 1 is not the line that its manifest pins")
        self._start_checked = True
        return tail

    def _end_of(self, log: int, head: Head) -> Head | str:
        return follow_log(log, head, self._keys)

    def _start_anew(
        self, head_file: HeadFile, head: Head | None, manifest: Mapping[str, Any]
    ) -> tuple[Head, dict[str, Any]]:
        pins = "its manifest" if manifest else "its head file"
        if os.environ.get("FORGELM_ALLOW_AUDIT_REROOT") != "1":
            raise AuditLogError(
                f"{self.path} is gone or empty, but {pins} says that it had lines. Restore it from "
                "a backup; or set FORGELM_ALLOW_AUDIT_REROOT=1 to start a new chain, which will "
                "say so in its first line."
            )
        self._say(logging.ERROR, f"the log is gone although {pins} pins it: a new chain is started")
        previous = {f"previous_{name}": manifest[name] for name in _PINNED if name in manifest}
        if head:
            previous |= {"previous_entries": head.entries, "previous_chain_head": head.chain_head}
        # The manifest keeps what was there until the new chain's first line says so.
        write_manifest(
            self.path, self._run_id, str(manifest.get("first_entry_sha256", "")), previous
        )
        head_file.create(Head())
        return Head(), previous

    def _withdraw(self, log: int, head: Head | None) -> None:
        """Cut the line of a call that raised and could not even cut it then."""
        if self._withdrawn is None:
            return
        offset, line = self._withdrawn
        # What others wrote behind it in a grouped log is not acknowledged: they write it again.
        length = len(line) + (not (head and head.grouped))
        if (head is None or head.size_bytes <= offset) and read_at(log, length, offset) == line:
            os.ftruncate(log, offset)
        self._withdrawn = None

    def _save_torn_tail(self, log: int, offset: int, size: int) -> dict[str, Any]:
        """Keep the bytes of an interrupted write in a file of their own."""
        if size > MAX_LINE_BYTES:
            raise self._refusal(f"{size} bytes after its last line are no interrupted write")
        torn = read_at(log, size, offset)
        copy = self.path.with_name(f"{self.path.name}.torn-{secrets.token_hex(8)}")
        create_durably(copy, torn)
        sync_folder(copy.parent)
        digest = hashlib.sha256(torn).hexdigest()
        self._say(logging.WARNING, f"an interrupted write of {size} bytes was moved to {copy.name}")
        return {"saved_as": copy.name, "at_byte": offset, "torn_bytes": size, "torn_sha256": digest}

    def _write(
        self,
        log: int,
        head_file: HeadFile,
        head: Head,
        event: str,
        fields: Mapping[str, Any],
        *,
        over: int = 0,
    ) -> Head:
        """Write one line behind `head`, `over` that many torn bytes, and return the new head."""
        line, after = self._next_line(head, event, fields)
        head_file.write_intent(head, after)
        if not head.entries:
            previous = fields if event == _REROOTED else None
            write_manifest(self.path, self._run_id, after.chain_head, previous)
        try:
            write_at(log, line, head.size_bytes)
            if over > len(line):
                os.ftruncate(log, after.size_bytes)
            os.fsync(log)
        except BaseException:
            if not over:
                self._roll_back(log, head.size_bytes, line)
            raise
        try:
            head_file.write_commit(after)
        except OSError as error:
            # The line is on the disk: raising would have the caller write it twice.
            self._say(logging.WARNING, f"the head file lags by one line: {error}")
        return after

    def _next_line(self, head: Head, event: str, fields: Mapping[str, Any]) -> tuple[bytes, Head]:
        """Return the line that follows `head`, and the head after it."""
        if len(fields) > MAX_FIELDS:
            raise AuditLogError(
                f"The event {event!r} has {len(fields)} fields; a line of the audit log has at "
                f"most {MAX_FIELDS}. Put them into one field, as a mapping."
            )
        body = self._compose(event, fields, head.chain_head)
        line = body + b"\n"
        if len(line) > MAX_LINE_BYTES:
            raise AuditLogError(
                f"The event {event!r} takes {len(line)} bytes; a line of the audit log has at most "
                f"{MAX_LINE_BYTES}. Log a path or a digest in place of the content."
            )
        digest = hashlib.sha256(body).hexdigest()
        return line, head.with_line(digest, len(line), keyed=self._keys.secret is not None)

    def _roll_back(self, log: int, offset: int, line: bytes) -> None:
        try:
            os.ftruncate(log, offset)
        except OSError:
            self._withdrawn = (offset, line)

    def _say(self, level: int, text: str) -> None:
        self.messages.append((level, f"{self.path}: {text}"))

    def _refusal(self, problem: str) -> AuditLogError:
        command = f"forgelm verify-audit {shlex.quote(str(self.path))}"
        return AuditLogError(
            f"Nothing was written to {self.path}, because {problem}. Run `{command}` to see what "
            "changed; then restore the log from a backup, or move it and the files beside it "
            "elsewhere to start a new one."
        )
