"""One writer at a time, over threads and processes, without ever waiting for ever."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ["close_kept", "file_lock", "is_stuck", "keep", "try_lock", "unlock"]

_YIELDS = 20 if hasattr(os, "sched_yield") else 0
_FIRST_PAUSE_S = 0.00003
_LONGEST_PAUSE_S = 0.002

# A descriptor inherited by a forked child would keep its parent's lock alive after the parent.
_locked: set[int] = set()
_kept: set[int] = set()
_stuck: set[int] = set()


@contextmanager
def file_lock(
    descriptor: int,
    *,
    wait_s: float,
    shared: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Hold the lock of an open file; released at the end, and by the system when a process dies.

    Every opening of a file locks on its own, so threads exclude each other as processes do.

    Args:
        descriptor: The open file.
        wait_s: How long to wait for others, seconds.
        shared: Let other shared holders in (POSIX; exclusive on Windows).
        cancelled: Asked between attempts; True gives up.

    Raises:
        TimeoutError: Another holder kept the lock for `wait_s`, or waiting was cancelled.
    """
    deadline = time.monotonic() + wait_s
    pause, yields = _FIRST_PAUSE_S, _YIELDS
    while not try_lock(descriptor, shared=shared):
        if cancelled() or time.monotonic() >= deadline:
            raise TimeoutError(errno.ETIMEDOUT, f"another process held the lock for {wait_s:g} s")
        if yields:  # a line is written in less time than the shortest sleep takes
            yields -= 1
            os.sched_yield()
        else:
            time.sleep(pause)
            pause = min(1.3 * pause, _LONGEST_PAUSE_S)
    try:
        yield
    finally:
        unlock(descriptor)


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file if nobody else has it, and say whether that was so."""
    if not _try_lock(descriptor, shared):
        return False
    _locked.add(descriptor)
    return True


def unlock(descriptor: int) -> None:
    """Release the lock that `try_lock` took."""
    _locked.discard(descriptor)
    try:
        _unlock(descriptor)
    except OSError:  # closing the file releases the lock all the same
        _stuck.add(descriptor)


def keep(descriptor: int) -> None:
    """Have children that are forked close an open file that this process locks now and then."""
    _stuck.discard(descriptor)
    _kept.add(descriptor)


def is_stuck(descriptor: int) -> bool:
    """Say whether an open file that is kept has to be closed, as a lock on it was not released."""
    return descriptor in _stuck


def close_kept(descriptor: int) -> None:
    """Close what `keep` was called with."""
    _kept.discard(descriptor)
    with suppress(OSError):
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    # Windows locks are mandatory: lock one byte far behind the text, so that readers get through.
    # The C runtime takes the position as a 32-bit number.
    _LOCKED_BYTE = 0x7FFF_0000

    def _try_lock(descriptor: int, shared: bool) -> bool:  # noqa: ARG001
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _close_inherited() -> None:
        for descriptor in _locked | _kept:
            with suppress(OSError):
                os.close(descriptor)
        _locked.clear()
        _kept.clear()

    os.register_at_fork(after_in_child=_close_inherited)
