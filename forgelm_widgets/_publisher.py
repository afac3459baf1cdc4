"""One thread a widget that does its work and sends its messages, in order."""

from __future__ import annotations

import contextvars
import heapq
import itertools
import threading
import time
from collections.abc import Callable

__all__ = ["Publisher"]

_Job = Callable[[], None]


class Publisher:
    """Runs jobs one after the other on a thread of its own.

    The thread keeps the context of the cell that made it: without it a message sent after the
    page was loaded anew may get lost.

    Args:
        on_error: Told of what a job raised; the thread goes on.
    """

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._on_error = on_error
        self._changed = threading.Condition()
        self._queue: list[tuple[float, int, str | None, _Job]] = []
        self._numbers = itertools.count()
        self._busy = self._closed = False
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._work,), name="forgelm-publisher", daemon=True
        )
        self._thread.start()

    def put(self, job: _Job, *, after_s: float = 0.0, key: str | None = None) -> None:
        """Run `job` soon; it replaces one with the same `key` that has not begun."""
        with self._changed:
            if self._closed:
                return
            if key is not None:
                self._queue = [entry for entry in self._queue if entry[2] != key]
                heapq.heapify(self._queue)
            entry = (time.monotonic() + after_s, next(self._numbers), key, job)
            heapq.heappush(self._queue, entry)
            self._changed.notify_all()

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Wait until nothing is left to do; False when that takes longer than `timeout_s`."""
        with self._changed:
            idle = self._changed.wait_for(lambda: not self._queue and not self._busy, timeout_s)
        return bool(idle)

    def close(self) -> None:
        """Drop what has not begun and end the thread."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(5)

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - shown in the widget; the thread goes on
                self._on_error(error)
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> _Job | None:
        with self._changed:
            while not self._closed:
                due_s = self._queue[0][0] - time.monotonic() if self._queue else None
                if due_s is not None and due_s <= 0:
                    self._busy = True
                    return heapq.heappop(self._queue)[3]
                self._changed.wait(due_s)
        return None
