"""Worker processes of this machine: plain interpreters that are fed over pipes.

They import nothing of the caller's program (a script needs no `if __name__ == "__main__"`), inherit
no threads or locks, do not see Ctrl-C, and end when their pipe does, however the parent went.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from forgelm.data_audit.scan import Partial, ScanOptions, scan_range
from forgelm.data_audit.sources import ByteRange
from forgelm.errors import ForgeError

__all__ = ["map_in_processes"]

_WORKER = "from forgelm.data_audit.engines._workers import serve; serve()"


def map_in_processes(
    ranges: Sequence[ByteRange], options: ScanOptions, workers: int
) -> Generator[Partial, None, None]:
    """Yield the result of each range, in order, from so many processes.

    Raises:
        OSError: A file cannot be read, or a worker process died.
    """
    pool: SimpleQueue[_Worker] = SimpleQueue()
    started: list[_Worker] = []
    executor = ThreadPoolExecutor(workers)
    try:
        for _ in range(workers):
            started.append(_Worker())
            pool.put(started[-1])
        yield from executor.map(lambda r: _scan_with(pool, r, options), ranges)
    finally:
        for worker in started:
            worker.stop()
        executor.shutdown(cancel_futures=True)


def _scan_with(pool: SimpleQueue[_Worker], byte_range: ByteRange, options: ScanOptions) -> Partial:
    worker = pool.get()
    try:
        return worker.scan(byte_range, options)
    finally:
        pool.put(worker)


class _Worker:
    def __init__(self) -> None:
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )

    def scan(self, byte_range: ByteRange, options: ScanOptions) -> Partial:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            pickle.dump((byte_range, options), stdin)
            stdin.flush()
            answer = pickle.load(stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise OSError(
                f"a worker process ended early (exit status {self._process.poll()}) at "
                f"{byte_range.path}, byte {byte_range.start}; try again with workers=1"
            ) from error
        if isinstance(answer, BaseException):
            raise answer
        assert isinstance(answer, Partial)
        return answer

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # what was still to be sent has no reader now
                    stream.close()


def serve() -> None:
    """Scan ranges that come in on standard input until it ends; run in a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    results, sys.stdout = sys.stdout.buffer, sys.stderr
    while True:
        try:
            byte_range, options = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer: Any
        try:
            answer = scan_range(byte_range, options)
        except (OSError, ForgeError) as error:
            answer = error
        except Exception as error:  # noqa: BLE001  raised again by the parent; may not pickle
            answer = RuntimeError(f"{byte_range.path}, byte {byte_range.start}: {error!r}")
        pickle.dump(answer, results, protocol=pickle.HIGHEST_PROTOCOL)
        results.flush()
