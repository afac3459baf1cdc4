"""Run something where no signal handler can come in between."""

from __future__ import annotations

import _thread
from collections.abc import Callable

__all__ = ["run_shielded"]


def run_shielded(task: Callable[[Callable[[], bool]], None]) -> None:
    """Run `task` on a thread of its own, and return or raise as it does.

    Python runs signal handlers on the main thread, between any two steps of its code. A handler
    that logs while an event is being written would wait for a lock its own thread holds; with the
    writing elsewhere it waits its turn like anybody. Ctrl-C, too, meets a whole event or none.

    Args:
        task: Called with a function that says whether the caller has been interrupted.
    """
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

    try:
        _thread.start_new_thread(work, ())
    except RuntimeError:  # the interpreter is shutting down, or there are too many threads
        work()
    try:
        done.acquire()
    except BaseException:
        interrupted.append(True)
        if not finished:  # a signal may come just after the lock was got
            done.acquire()
        raise
    if raised:
        raise raised.pop()
