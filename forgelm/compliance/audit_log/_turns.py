"""Whose turn it is to flush: one writer takes it, the others see when their lines are covered.

The turn is the lock of the head file. Those who wait for it are woken by a bell or by the clock: a
lock that blocks could not be given up.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from forgelm.compliance.audit_log._bell import Bell
from forgelm.compliance.audit_log._files import read_at
from forgelm.compliance.audit_log._head import SLOT_BYTES, Head, HeadError, parse_head
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._lock import close_kept, is_stuck, keep, try_lock, unlock
from forgelm.compliance.audit_log._tail import Follower

__all__ = ["Cancelled", "Crowd", "Hold", "Placed", "Turn"]

_PAUSE_S = 0.0003
_GATHER_PAUSE_S = 0.00015
_LAST_PAUSE_S = 0.00005
_FEW = 2
_LONGEST_PAUSE_S = 0.001
_SHORTEST_QUIET_S = 0.001
_LONGEST_PATIENCE_S = 0.01
_MOST_COUNTED_BYTES = 65536
_MOST_RINGS = 64

Cancelled = Callable[[], bool]


class Hold:
    """What a logger keeps open of a log between its events.

    Args:
        log: The open log; closed by `close`, as is the other.
        head_file: The open head file.
        keys: The secrets of the head file.
    """

    def __init__(self, log: int, head_file: int, keys: KeyRing) -> None:
        self.log = log
        self.head_file = head_file
        self._keys = keys
        self._slot = b""
        self._head: Head | None = None
        self._process = os.getpid()
        keep(log)
        keep(head_file)
        self.bell = Bell(log)

    def committed(self) -> Head | None:
        """Return up to where the log is flushed; None where the head file does not plainly say so.

        It is asked often, and without a lock.
        """
        slot = read_at(self.head_file, SLOT_BYTES, 0)
        if slot != self._slot:
            try:
                self._head = parse_head(slot, self._keys)
            except HeadError:
                self._head = None
            self._slot = slot
        return self._head

    @property
    def is_stuck(self) -> bool:
        """A lock was not released: others wait until the files are closed."""
        return is_stuck(self.log) or is_stuck(self.head_file)

    def close(self) -> None:
        """Close it, unless that was done before or when a child was forked."""
        self.bell.close()
        if self._process == os.getpid():
            self._process = 0
            close_kept(self.log)
            close_kept(self.head_file)

    def __del__(self) -> None:
        self.close()


@dataclass
class Placed:
    """Lines that are in the log, but not flushed yet.

    Attributes:
        offset: Where they begin.
        data: Their bytes.
        after: Where the log ends with them.
        hold: The open files.
    """

    offset: int
    data: bytes = field(repr=False)
    after: Head
    hold: Hold

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    @property
    def entries(self) -> int:
        return self.data.count(b"\n")

    def behind(self, head: Head) -> Head:
        """Return `after` as it is behind `head`, where they begin."""
        entries = head.entries + self.entries
        return self.after._replace(entries=entries, anchored_from=head.anchored_from)

    def are_in_log(self) -> bool:
        """Say whether nobody withdrew them."""
        return read_at(self.hold.log, len(self.data), self.offset) == self.data


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

    @contextmanager
    def taken(self, wait_s: float, cancelled: Cancelled) -> Iterator[bool]:
        """Hold the turn and give True; or give False as soon as the head file covers the lines.

        Raises:
            TimeoutError: Neither came within `wait_s`, or waiting was cancelled.
        """
        head_file, bell = self._placed.hold.head_file, self._placed.hold.bell
        deadline = time.monotonic() + wait_s
        pause_s, rings = _PAUSE_S, 0
        while not try_lock(head_file):
            if cancelled() or time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, f"another process flushed for {wait_s:g} s")
            rung = bell.wait(pause_s)
            covered = self._is_covered()
            bell.is_heard = rung or (bell.is_heard and not covered)
            if covered:
                yield False
                return
            rings += rung
            if rings > _MOST_RINGS:  # whoever that is does not flush
                time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
        try:
            yield True
        finally:
            unlock(head_file)

    def gather(self, crowd: Crowd) -> Follower | None:
        """Let as many lines come as waited for a flush last time, while they do come.

        Returns:
            What read them; None where the head file does not say where they begin.
        """
        now = came = time.monotonic()
        give_up = now + crowd.patience_s
        follower, missing, size = self._follower(), crowd.lines, 0
        if follower is None:
            return None
        log = self._placed.hold.log
        while missing > 0 and now < min(give_up, came + crowd.quiet_s):
            if os.fstat(log).st_size != size:
                size, came = os.fstat(log).st_size, now
                missing = crowd.lines - follower.read_on()
            else:
                time.sleep(_GATHER_PAUSE_S if missing > _FEW else _LAST_PAUSE_S)
            now = time.monotonic()
        return follower

    def _follower(self) -> Follower | None:
        placed = self._placed
        head = placed.hold.committed()
        if head is None:
            return None
        is_next = placed.offset == head.size_bytes
        own, after = (placed.data, placed.behind(head)) if is_next else (b"", head)
        return Follower(placed.hold.log, head, self._keys, own, after)

    def _is_covered(self) -> bool:
        """Say whether the head file has passed the lines."""
        try:
            head = self._placed.hold.committed()
            covered = head is not None and head.size_bytes >= self._placed.end
            return covered and self._placed.are_in_log()
        except OSError:
            return False
