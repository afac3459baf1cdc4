"""Waking writers that wait for a flush of the same log, so that they need not look ever so often.

A bell is a hint and no more: whoever was rung looks at the head file as if time had passed. So it
does no harm that anybody on the machine may ring, and nothing is lost where nobody can.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress

__all__ = ["Bell"]

_BELLS = 32
_MOST_MISSING = 4
_LONGEST_WAIT_S = 0.01


class Bell:
    """One of the bells of a log; the writer that flushed the log rings all of them.

    They are datagram sockets with abstract names, which Linux alone has: no file is left behind,
    and a bell is gone with its process. Elsewhere a wait is a sleep; so it is for a writer that
    found all bells taken, or was not rung when it should have been.

    Args:
        log: The open log.

    Attributes:
        is_heard: Whoever flushed rang it last time.
    """

    def __init__(self, log: int) -> None:
        self._others: list[str] = []
        self._socket: socket.socket | None = None
        self.is_heard = False
        if sys.platform == "linux":
            with suppress(OSError):
                status = os.fstat(log)
                row = f"\0forgelm-{status.st_dev}-{status.st_ino}-"
                self._others = [f"{row}{each}" for each in range(_BELLS)]
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self.is_heard = self._takes_one(self._socket)

    def _takes_one(self, bell: socket.socket) -> bool:
        for name in self._others:
            with suppress(OSError):
                bell.bind(name)
                self._others.remove(name)
                return True
        return False

    def wait(self, pause_s: float) -> bool:
        """Wait for somebody to ring, or `pause_s` where nobody does; say whether somebody rang."""
        if not self.is_heard:
            time.sleep(pause_s)
        if self._socket is None:
            return False
        try:
            timeout = _LONGEST_WAIT_S if self.is_heard else 0
            if self._socket.gettimeout() != timeout:
                self._socket.settimeout(timeout)
            return bool(self._socket.recv(1))
        except (TimeoutError, BlockingIOError):
            return False
        except OSError:
            self.is_heard = False
            return False

    def ring_others(self) -> None:
        """Ring the bells of the log but this one, up to where several in a row are not there."""
        if self._socket is None:
            return
        self._socket.settimeout(0)
        missing = 0
        for name in self._others:
            try:
                self._socket.sendto(b"!", name)
                missing = 0
            except ConnectionRefusedError:
                missing += 1
                if missing == _MOST_MISSING:
                    break
            except OSError:  # its owner has no time to listen
                missing = 0

    def close(self) -> None:
        """Take the bell away."""
        if self._socket is not None:
            self._socket.close()
            self._socket, self.is_heard = None, False
