"""Run the Windows side of the lock on this machine, and print the calls it makes.

`msvcrt` is a stand-in here: it shows with which arguments the C runtime would be called and what
the lock makes of its answers, not how Windows behaves.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import types

calls: list[tuple[int, int, int]] = []
answers: list[OSError | None] = []


def locking(descriptor: int, mode: int, count: int) -> None:
    calls.append((os.lseek(descriptor, 0, os.SEEK_CUR), mode, count))
    answer = answers.pop(0) if answers else None
    if answer is not None:
        raise answer


runtime = types.ModuleType("msvcrt")
runtime.locking, runtime.LK_NBLCK, runtime.LK_UNLCK = locking, 2, 0  # type: ignore[attr-defined]
sys.modules["msvcrt"] = runtime
platform, sys.platform = sys.platform, "win32"
from forgelm.compliance.audit_log._lock import file_lock  # noqa: E402

sys.platform = platform

with tempfile.TemporaryFile() as file:
    answers[:] = [OSError(errno.EACCES, "held"), OSError(errno.EDEADLK, "held"), None]
    with file_lock(file.fileno(), wait_s=5):
        print("held after", len(calls))
    print(calls)
    answers[:] = [OSError(errno.EACCES, "held")] * 10_000
    try:
        with file_lock(file.fileno(), wait_s=0.05):
            print("never")
    except TimeoutError as error:
        print(error.strerror)
    answers[:] = [OSError(errno.EIO, "broken")]
    try:
        with file_lock(file.fileno(), wait_s=5):
            print("never")
    except OSError as error:
        print(error.strerror)
    print("size", os.fstat(file.fileno()).st_size)
