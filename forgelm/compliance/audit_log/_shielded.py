"""Run something where no signal handler can come in between."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` wraps, without the 64 enums a call
import _thread
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable

__all__ = ["run_shielded"]

# Those that come of what the thread itself does are not held back, they end it.
_OF_FAULTS = ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP", "SIGSYS")
_HELD_BACK = [
    int(each) for each in signal.valid_signals() if getattr(each, "name", "") not in _OF_FAULTS
]
_LINKS_OF_ONE_THREAD = 3  # ".", ".." and the thread

_Task = Callable[[Callable[[], bool]], None]

# One thread serves the main thread for good. One thread an event would be simpler, but a process
# that forks while such a thread ends leaves its child with OpenSSL's locks held for ever.
_inbox: queue.SimpleQueue[Callable[[], None]] | None = None


def run_shielded(task: _Task) -> None:
    """Run `task`, and return or raise as it does.

    Python runs signal handlers on the main thread, between any two steps of its code. A handler
    that logs while an event is being written would wait for a lock its own thread holds. So signals
    are held back meanwhile, where no other thread could get them; else another thread writes, and
    the handler waits its turn like anybody. Ctrl-C, too, meets a whole event or none.

    Args:
        task: Called with a function that says whether the caller has been interrupted.
    """
    if threading.current_thread() is not threading.main_thread() or sys.is_finalizing():
        return task(lambda: False)
    if _inbox is None and _has_run_alone(task):
        return None
    try:
        inbox = _started()
    except RuntimeError:  # the interpreter is shutting down, or there are too many threads
        return task(lambda: False)
    return _run_elsewhere(inbox, task)


def _has_run_alone(task: _Task) -> bool:
    """Run `task` with all signals held back, if no other thread is there to get them instead.

    Returns:
        False where there may be one, or `task` waited for others when a signal came: its handler
        has run by then, and the task is to be run once more.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return False
    came: list[bool] = []

    def has_come() -> bool:
        came.extend([True] * bool(signal.sigpending()))
        return bool(came)

    before = _signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        _signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
        if not _is_only_thread():
            return False
        task(has_come)
    except TimeoutError:
        if not came:
            raise
        return False
    finally:
        _signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return True


def _is_only_thread() -> bool:
    """Say whether this process has no other thread, of Python or not; Linux alone tells."""
    try:
        return os.stat("/proc/self/task").st_nlink == _LINKS_OF_ONE_THREAD
    except OSError:
        return False


def _run_elsewhere(inbox: queue.SimpleQueue[Callable[[], None]], task: _Task) -> None:
    raised: list[BaseException] = []
    interrupted: list[bool] = []
    finished: list[bool] = []
    done = _thread.allocate_lock()
    done.acquire()

    def work() -> None:
        try:
            task(lambda: bool(interrupted))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller, below
            raised.append(error)
        finally:
            finished.append(True)
            done.release()

    inbox.put(work)
    try:
        done.acquire()
    except BaseException:
        interrupted.append(True)
        if not finished:  # a signal may come just after the lock was got
            done.acquire()
        raise
    if raised:
        raise raised.pop()


def _started() -> queue.SimpleQueue[Callable[[], None]]:
    global _inbox
    inbox = _inbox
    if inbox is None:
        inbox = queue.SimpleQueue()
        _thread.start_new_thread(_serve, (inbox,))
        _inbox = inbox
    return inbox


def _serve(inbox: queue.SimpleQueue[Callable[[], None]]) -> None:
    while True:
        inbox.get()()


def _forget() -> None:
    global _inbox
    _inbox = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
