"""Asking a run to stop: from another thread, or with Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["StopRequest", "interrupt_requests_stop"]


class StopRequest:
    """A flag that any thread may raise once; the run lowers it at the end of a step."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def ask(self, reason: str) -> None:
        """Ask for a stop; the first reason given stays."""
        if self.reason is None:
            self.reason = reason


@contextmanager
def interrupt_requests_stop(stop: StopRequest) -> Iterator[None]:
    """Turn the first SIGINT into a stop request and the second into KeyboardInterrupt.

    Only in the main thread, where Python delivers signals, and only where SIGINT means something.
    """
    ours = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if ours else None
    if before in (None, signal.SIG_IGN):
        yield
        return
    interrupts = 0

    def handle(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        nonlocal interrupts
        interrupts += 1
        if interrupts > 1:
            raise KeyboardInterrupt
        stop.ask("interrupted (Ctrl-C)")

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
