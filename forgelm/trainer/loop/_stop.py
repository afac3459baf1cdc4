"""Asking a run to stop: from another thread or process, with Ctrl-C or with SIGTERM."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from forgelm.runs import asks_for_best, read_stop

__all__ = ["StopRequest", "interrupt_requests_stop"]

_LOOK_EVERY_S = 0.25


class StopRequest:
    """A flag that any thread may raise once; the run lowers it at the end of a step.

    Attributes:
        run_dir: The folder in which any process may ask with a `STOP` file.
        keep_best: Whether the best checkpoint so far is to become the final model.
    """

    def __init__(self) -> None:
        self.run_dir: Path | None = None
        self.keep_best = False
        self._reason: str | None = None
        self._looked_at = -math.inf

    @property
    def reason(self) -> str | None:
        """Why the run is to stop, None as long as nobody asked; looks for the file now and then."""
        now = time.monotonic()
        if self._reason is None and self.run_dir and now - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = now
            if (reason := read_stop(self.run_dir)) is not None:
                self.ask(reason, keep_best=asks_for_best(self.run_dir))
        return self._reason

    def ask(self, reason: str, *, keep_best: bool = False) -> None:
        """Ask for a stop; the first request stays."""
        if self._reason is None:
            self.keep_best = keep_best
            self._reason = reason


@contextmanager
def interrupt_requests_stop(stop: StopRequest) -> Iterator[None]:
    """Turn SIGTERM and the first SIGINT into a stop request, the second into KeyboardInterrupt.

    Only in the main thread, where Python delivers signals, and only where they mean something.
    """
    ours = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if ours else ()
    before = {number: signal.getsignal(number) for number in numbers}
    before = {n: handler for n, handler in before.items() if handler not in (None, signal.SIG_IGN)}
    interrupts = 0

    def handle(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal interrupts
        if signum == signal.SIGTERM:
            stop.ask("terminated (SIGTERM)")
            return
        interrupts += 1
        if interrupts > 1:
            raise KeyboardInterrupt
        stop.ask("interrupted (Ctrl-C)")

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
