"""Whose turn it is to flush: one writer takes it, the others see when their lines are covered.

The turn is the lock of the head file. Nothing wakes those who wait for it but the clock: a lock
that blocks could not be given up, and to look is cheap while the disk works.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from forgelm.compliance.audit_log._files import read_at
from forgelm.compliance.audit_log._head import SLOT_BYTES, Head, HeadError, parse_head
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._lock import try_lock, unlock

__all__ = ["Cancelled", "Crowd", "Placed", "Turn"]

_PAUSE_S = 0.0003
_GATHER_PAUSE_S = 0.00015
_LONGEST_PAUSE_S = 0.001
_SHORTEST_QUIET_S = 0.001
_LONGEST_PATIENCE_S = 0.01
_MOST_COUNTED_BYTES = 65536

Cancelled = Callable[[], bool]


@dataclass
class Placed:
    """Lines that are in the log, but not flushed yet; closed as a context.

    Attributes:
        offset: Where they begin.
        data: Their bytes.
        after: Where the log ends with them.
        log: The open log.
        head_file: The open head file.
    """

    offset: int
    data: bytes = field(repr=False)
    after: Head
    log: int
    head_file: int

    def __enter__(self) -> Placed:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for descriptor in (self.log, self.head_file):
            with suppress(OSError):
                os.close(descriptor)

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    def are_in_log(self) -> bool:
        """Say whether nobody withdrew them."""
        return read_at(self.log, len(self.data), self.offset) == self.data


@dataclass
class Crowd:
    """What a process knows of those it shares flushes with.

    Attributes:
        flush_s: How long the last flush took.
        lines: How many lines, of all writers, waited for a flush then.
    """

    flush_s: float = 0.0
    lines: int = 1

    @property
    def patience_s(self) -> float:
        """How long a flush may wait for the lines of others at most."""
        return min(2 * self.flush_s, _LONGEST_PATIENCE_S)

    @property
    def quiet_s(self) -> float:
        """How long nobody has to come for a flush to wait no longer."""
        return max(self.flush_s / 4, _SHORTEST_QUIET_S)

    def look_back(self, log: int, committed: Head, flushed: Head) -> None:
        """Count who waited while the lines from `committed` to `flushed` were flushed."""
        behind = _lines_between(log, flushed.size_bytes, os.fstat(log).st_size)
        self.lines = flushed.entries - committed.entries + behind


def _lines_between(log: int, begin: int, end: int) -> int:
    """Count lines, of a long range only those at its beginning."""
    return read_at(log, min(max(0, end - begin), _MOST_COUNTED_BYTES), begin).count(b"\n")


class Turn:
    """The turn to flush lines of a log, or to see that another has done so.

    Args:
        placed: Lines in it.
        keys: The secrets of the head file.
    """

    def __init__(self, placed: Placed, keys: KeyRing) -> None:
        self._placed = placed
        self._keys = keys
        self._commit = b""

    @contextmanager
    def taken(self, wait_s: float, cancelled: Cancelled) -> Iterator[bool]:
        """Hold the turn and give True; or give False as soon as the head file covers the lines.

        Raises:
            TimeoutError: Neither came within `wait_s`, or waiting was cancelled.
        """
        deadline = time.monotonic() + wait_s
        pause_s = _PAUSE_S
        while not try_lock(self._placed.head_file):
            if cancelled() or time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, f"another process flushed for {wait_s:g} s")
            time.sleep(pause_s)
            if self._is_covered():
                yield False
                return
            pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
        try:
            yield True
        finally:
            unlock(self._placed.head_file)

    def gather(self, crowd: Crowd) -> None:
        """Let as many lines come as waited for a flush last time, while they do come."""
        now = came = time.monotonic()
        give_up = now + crowd.patience_s
        log, begin, size = self._placed.log, self._committed_bytes(), 0
        while now < min(give_up, came + crowd.quiet_s):
            if os.fstat(log).st_size != size:
                size, came = os.fstat(log).st_size, now
                if _lines_between(log, begin, size) >= crowd.lines:
                    return
            time.sleep(_GATHER_PAUSE_S)
            now = time.monotonic()

    def _committed_bytes(self) -> int:
        try:
            head = parse_head(read_at(self._placed.head_file, 2 * SLOT_BYTES + 1, 0), self._keys)
        except HeadError:
            head = None
        return head.size_bytes if head is not None else self._placed.offset

    def _is_covered(self) -> bool:
        """Say whether the head file has passed the lines; asked often, and without a lock."""
        try:
            commit = read_at(self._placed.head_file, SLOT_BYTES, 0)
            if commit == self._commit:
                return False
            self._commit = commit
            head = parse_head(commit, self._keys)
            covered = head is not None and head.size_bytes >= self._placed.end
            return covered and self._placed.are_in_log()
        except (HeadError, OSError):
            return False
