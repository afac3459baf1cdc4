"""Many events, one flush: what threads and processes write at the same time is flushed together.

Threads of one logger hand their events to the one of them that writes. Processes take turns under
the log's lock as ever, but flush after they gave it back: whoever flushes first does so for all
lines that are in the log by then, and says so in the head file. A second lock, on the head file,
makes the others wait for that. An event is acknowledged when the head file covers its line, or
this process flushed it itself.

The log and its head file stay open between events, and what others wrote since is read by whoever
flushes it: most of what one event of many costs a processor is to open, and to read once more.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from forgelm.compliance.audit_log._files import is_at, write_at
from forgelm.compliance.audit_log._head import Head, HeadError, HeadFile
from forgelm.compliance.audit_log._lock import file_lock
from forgelm.compliance.audit_log._store import LogStore
from forgelm.compliance.audit_log._tail import Follower, end_of_few, ends_in, follow_log
from forgelm.compliance.audit_log._turns import Cancelled, Crowd, Hold, Placed, Turn
from forgelm.errors import AuditLogError

__all__ = ["GroupStore"]

_PAUSE_S = 0.0001
_KEEPS_OPEN = os.name != "nt"  # where a file that is open cannot be renamed
_LONGEST_WAIT_S = 0.05


@dataclass(eq=False)
class _Request:
    event: str
    fields: Mapping[str, Any]
    done: bool = False
    error: Exception | None = None


class GroupStore(LogStore):
    """Appends to the log at `path` as `LogStore` does, with one flush for many events.

    What it keeps open it lets go of when a name leads elsewhere, or when anything failed.
    """

    _flushes_first = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._queue: list[_Request] = []
        self._turn = threading.Condition()
        self._busy = False
        self._threads = 1
        self._crowd = Crowd()
        self._hold: Hold | None = None

    def append(
        self,
        event: str,
        fields: Mapping[str, Any],
        *,
        wait_s: float,
        cancelled: Cancelled,
    ) -> None:
        request = _Request(event, fields)
        deadline = time.monotonic() + wait_s
        with self._turn:
            self._queue.append(request)
            while self._busy and not request.done:
                self._turn.wait(_LONGEST_WAIT_S)
                late = cancelled() or time.monotonic() > deadline
                if late and request in self._queue:
                    self._queue.remove(request)
                    text = f"other threads were writing for {wait_s:g} s"
                    raise TimeoutError(errno.ETIMEDOUT, text)
            leads = not request.done
            self._busy = self._busy or leads
        if leads:
            try:
                self._write_queued(wait_s, cancelled)
            finally:
                with self._turn:
                    self._busy = False
                    self._turn.notify_all()
        if request.error is not None:
            raise request.error

    def _write_queued(self, wait_s: float, cancelled: Cancelled) -> None:
        give_up = time.monotonic() + self._crowd.patience_s / 3
        while len(self._queue) < self._threads and time.monotonic() < give_up:
            time.sleep(_PAUSE_S)
        with self._turn:
            batch, self._queue = self._queue, []
        self._threads = max(len(batch), self._threads - 1)
        try:
            pending = batch
            while pending:
                placed = self._place(pending, wait_s, cancelled)
                if placed is None or self._make_durable(placed, wait_s, cancelled):
                    break
                pending = [request for request in batch if not request.done]
        except BaseException as error:
            self._let_go()
            failure = error if isinstance(error, Exception) else OSError(errno.EINTR, "interrupted")
            for request in batch:
                request.error = request.error or (None if request.done else failure)
            if failure is not error:
                raise
        finally:
            for request in batch:
                request.done = True
            if self._hold is not None and (self._hold.is_stuck or not _KEEPS_OPEN):
                self._let_go()

    def _place(self, batch: list[_Request], wait_s: float, cancelled: Cancelled) -> Placed | None:
        """Write the lines of `batch` and return them, or None where there are none."""
        if self._hold is not None:
            with file_lock(self._hold.log, wait_s=wait_s, cancelled=cancelled):
                end = self._end_of_few(self._hold)
                if end is not None:
                    return self._write_lines(self._hold, end, batch)
            self._let_go()
        with self._locked(wait_s, cancelled) as (log, head_file):
            head = self._prepared(log, head_file)
            if not head.entries:
                head = self._write(log, head_file, head, batch[0].event, batch[0].fields)
                batch[0].done = True
            if not head.grouped:
                head = head_file.begin_groups(head)
            self._hold = Hold(os.dup(log), head_file.detach(), self._keys)
            return self._write_lines(self._hold, head, batch)

    def _let_go(self) -> None:
        if self._hold is not None:
            self._hold.close()
            self._hold = None

    def _end_of_few(self, hold: Hold) -> Head | None:
        """Return where the log ends, if it is as this logger knows it but for few lines of others.

        What a crash left was read before, when the log was opened.
        """
        if not (is_at(hold.log, self.path) and is_at(hold.head_file, self._head_path)):
            return None
        head = None if self._withdrawn else hold.committed()
        if head is None or not head.grouped or head.keyed != (self._keys.secret is not None):
            return None
        return end_of_few(hold.log, head)

    def _write_lines(self, hold: Hold, head: Head, batch: list[_Request]) -> Placed | None:
        offset, lines = head.size_bytes, []
        for request in batch:
            if request.done:
                continue
            try:
                line, head = self._next_line(head, request.event, request.fields)
            except AuditLogError as error:
                request.error, request.done = error, True
            else:
                lines.append(line)
        placed = Placed(offset, b"".join(lines), head, hold)
        try:
            write_at(hold.log, placed.data, offset)
        except BaseException:
            self._roll_back(hold.log, offset, placed.data)
            raise
        return placed if lines else None

    def _make_durable(self, placed: Placed, wait_s: float, cancelled: Cancelled) -> bool:
        """Flush `placed`, or wait until others did; False where somebody withdrew it."""
        flushed = False
        try:
            turn = Turn(placed, self._keys)
            with turn.taken(wait_s, cancelled) as mine:
                if not mine:
                    return True
                followed = turn.gather(self._crowd)
                tail = self._announce(placed, followed, wait_s)
                if not isinstance(tail, Head):
                    return tail
                begun = time.monotonic()
                os.fsync(placed.hold.log)
                flushed = True
                self._crowd.flush_s = time.monotonic() - begun
                are_in_log = self._commit(placed, tail, wait_s)
            if self._crowd.lines > placed.entries:
                placed.hold.bell.ring_others()
            return are_in_log
        except BaseException as error:
            if flushed:
                self._say(logging.WARNING, f"the head file lags: {error}")
            elif not self._flushed_by_others(placed):
                raise
            self._let_go()
            return True

    def _announce(self, placed: Placed, followed: Follower | None, wait_s: float) -> Head | bool:
        """Record what is about to be flushed; True where it is flushed, False where it is gone."""
        log = placed.hold.log
        with file_lock(log, wait_s=wait_s):
            if not is_at(log, self.path):
                os.fsync(log)
                return placed.are_in_log()
            with HeadFile(self._head_path, self._keys) as head_file:
                head = self._read(head_file)
                if not placed.are_in_log():
                    return False
                if head.size_bytes >= placed.end:
                    return True
                tail: Head | str | None = followed.end(head) if followed else None
                tail = tail or follow_log(log, head, self._keys)
                if isinstance(tail, Head) and tail.size_bytes < placed.end:
                    tail = f"line {tail.entries + 1} (byte {tail.size_bytes}) is no entry"
                if isinstance(tail, str):
                    raise self._refusal(tail)
                head_file.write_ahead(head, tail)
                return tail

    def _commit(self, placed: Placed, tail: Head, wait_s: float) -> bool:
        """Record that the lines up to `tail` are flushed; False where `placed` was withdrawn."""
        log = placed.hold.log
        with file_lock(log, wait_s=wait_s):
            if is_at(log, self.path):
                with HeadFile(self._head_path, self._keys) as head_file:
                    committed = self._read(head_file)
                    if committed.size_bytes < tail.size_bytes and ends_in(log, tail):
                        head_file.write_commit(tail)
                self._crowd.look_back(log, committed, tail)
            return placed.are_in_log()

    def _flushed_by_others(self, placed: Placed) -> bool:
        """Withdraw lines that could not be flushed, unless another process has flushed them."""
        try:
            with (
                file_lock(placed.hold.log, wait_s=1),
                HeadFile(self._head_path, self._keys) as head_file,
            ):
                head = self._read(head_file)
                if not placed.are_in_log():
                    return False
                if head.size_bytes >= placed.end:
                    return True
                os.ftruncate(placed.hold.log, placed.offset)
        except OSError:
            self._withdrawn = (placed.offset, placed.data)
        return False

    def _read(self, head_file: HeadFile) -> Head:
        try:
            head = head_file.read()
        except HeadError as error:
            raise self._refusal(f"its head file {error}") from None
        if head is None:
            raise self._refusal("its head file is gone")
        return head
