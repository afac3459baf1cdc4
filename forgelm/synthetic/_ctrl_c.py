"""Ctrl-C between two rows, never within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ctrl_c_between"]


class _Held:
    def __init__(self) -> None:
        self._busy = self._pending = False

    @contextmanager
    def back(self) -> Iterator[None]:
        """Hold Ctrl-C back within the block, and let it come at its end."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self._pending:
            self._pending = False
            raise KeyboardInterrupt

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        if not self._busy:
            raise KeyboardInterrupt
        self._pending = True


@contextmanager
def ctrl_c_between() -> Iterator[_Held]:
    """Yield what can hold Ctrl-C back; a program with a handler of its own keeps that."""
    held = _Held()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield held
        return
    signal.signal(signal.SIGINT, held.handle)
    try:
        yield held
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
