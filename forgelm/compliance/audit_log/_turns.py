"""Whose turn it is to flush: one writer takes it, the others see when their lines are covered.

The turn is the lock of the head file. Nothing wakes those who wait for it but the clock, so how
long they sleep follows what a flush takes: with nothing to gain, a line is not looked after.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from forgelm.compliance.audit_log._files import read_at
from forgelm.compliance.audit_log._head import (
    SLOT_BYTES,
    Head,
    HeadError,
    flush_is_announced,
    parse_head,
)
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._lock import file_lock

__all__ = ["Cancelled", "Crowd", "Placed", "Turn"]

_PAUSE_S = 0.0003
_LONGEST_PAUSE_S = 0.001
_SHORTEST_QUIET_S = 0.001
_LONGEST_PATIENCE_S = 0.01
_MOST_COUNTED_BYTES = 65536

Cancelled = Callable[[], bool]


@dataclass
class Placed:
    """Lines that are in the log, but not flushed yet."""

    offset: int
    data: bytes = field(repr=False)

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    def still_in(self, log: int) -> bool:
        return read_at(log, len(self.data), self.offset) == self.data


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
        return min(self.flush_s, _LONGEST_PATIENCE_S)

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
        flusher: The open head file.
        log: The open log.
        placed: Lines in it.
        keys: The secrets of the head file.
    """

    def __init__(self, flusher: int, log: int, placed: Placed, keys: KeyRing) -> None:
        self._flusher = flusher
        self._log = log
        self._placed = placed
        self._keys = keys
        self._content = b""
        self._waits_for_another = False

    @contextmanager
    def taken(self, crowd: Crowd, wait_s: float, cancelled: Cancelled) -> Iterator[bool]:
        """Hold the turn and give True; or give False as soon as the head file covers the lines.

        Raises:
            TimeoutError: Neither came within `wait_s`, or waiting was cancelled.
        """
        deadline = time.monotonic() + wait_s
        pause_s = _PAUSE_S
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(file_lock(self._flusher, wait_s=0))
                except TimeoutError:
                    if cancelled() or time.monotonic() > deadline:
                        raise
                else:
                    break
                time.sleep(pause_s)
                if self._is_covered():
                    yield False
                    return
                pause_s = self._pause_s(pause_s, crowd)
            yield True

    def gather(self, crowd: Crowd) -> None:
        """Let as many lines come as waited for a flush last time, while they do come."""
        now = came = time.monotonic()
        give_up = now + crowd.patience_s
        begin, size = self._committed_bytes(), 0
        while now < min(give_up, came + crowd.quiet_s):
            if os.fstat(self._log).st_size != size:
                size, came = os.fstat(self._log).st_size, now
                if _lines_between(self._log, begin, size) >= crowd.lines:
                    return
            time.sleep(_PAUSE_S)
            now = time.monotonic()

    def _committed_bytes(self) -> int:
        try:
            head = parse_head(read_at(self._flusher, 2 * SLOT_BYTES + 1, 0), self._keys)
        except HeadError:
            head = None
        return head.size_bytes if head is not None else self._placed.offset

    def _is_covered(self) -> bool:
        """Say whether the head file has passed the lines; asked often, and without a lock."""
        try:
            content = read_at(self._flusher, 2 * SLOT_BYTES + 1, 0)
            if content == self._content:
                return False
            self._content = content
            head = parse_head(content, self._keys)
            end = self._placed.end
            return head is not None and head.size_bytes >= end and self._placed.still_in(self._log)
        except (HeadError, OSError):
            return False

    def _pause_s(self, last_s: float, crowd: Crowd) -> float:
        """Sleep long where another has taken the turn and not begun: a flush is yet to come."""
        another_gathers = not flush_is_announced(self._content)
        if another_gathers != self._waits_for_another:
            self._waits_for_another = another_gathers
            return max(_PAUSE_S, 0.75 * crowd.patience_s if another_gathers else 0.0)
        return min(1.5 * last_s, _LONGEST_PAUSE_S)
