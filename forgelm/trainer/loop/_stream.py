"""Writing the event stream of a run and telling its listeners."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from forgelm._core import append_json_line
from forgelm.runs import (
    METRICS_FILE,
    Listener,
    ProgressEvent,
    ProgressKind,
    ProgressTail,
    StatusFile,
)

__all__ = ["Listeners", "ProgressStream"]

logger = logging.getLogger(__name__)

_FSYNC_EVERY_S = 2.0


class Listeners:
    """Callables that hear every event; one that raises hears no more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callables: list[Listener] = []

    def add(self, listener: Listener) -> None:
        """Let `listener` hear what comes from now on; a second time changes nothing."""
        with self._lock:
            if listener not in self._callables:
                self._callables.append(listener)

    def remove(self, listener: Listener) -> None:
        """Let `listener` hear nothing more."""
        with self._lock:
            if listener in self._callables:
                self._callables.remove(listener)

    def tell(self, event: ProgressEvent) -> None:
        """Call every listener with `event`."""
        with self._lock:
            callables = tuple(self._callables)
        for listener in callables:
            try:
                listener(event)
            except Exception:
                logger.warning(
                    "a listener raised and hears no more of this run: %r", listener, exc_info=True
                )
                self.remove(listener)


class ProgressStream:
    """The open `metrics.jsonl` of a run: each event is on disk before a listener hears it.

    Args:
        run_dir: The folder of the run.
        run_id: Its name, on every event.
        listeners: Who hears the events.
        status: Shows the newest of them; None for a process that writes no files.
    """

    def __init__(
        self, run_dir: Path, run_id: str, listeners: Listeners, status: StatusFile | None
    ) -> None:
        self.status = status
        self._file = _open_at_end(run_dir / METRICS_FILE) if status is not None else None
        self._run_id = run_id
        self._listeners = listeners
        self._synced_at = 0.0
        self.last: ProgressEvent | None = None
        self._seq = 0
        if self._file is not None and self._file.tell():
            self.last = ProgressTail(run_dir).read()[-1]
            self._seq = self.last.seq + 1

    def emit(
        self,
        kind: ProgressKind,
        *,
        step: int | None = None,
        max_steps: int | None = None,
        epoch: float | None = None,
        metrics: Mapping[str, float] | None = None,
        message: str | None = None,
    ) -> None:
        """Append one event; a place that is not given stays where the last event was."""
        last = self.last
        event = ProgressEvent(
            kind=kind,
            run_id=self._run_id,
            seq=self._seq,
            time=time.time(),
            step=step if step is not None else last.step if last else 0,
            max_steps=max_steps if max_steps is not None else last.max_steps if last else 0,
            epoch=epoch if epoch is not None else last.epoch if last else 0.0,
            metrics=dict(metrics or {}),
            message=message,
        )
        self._seq += 1
        self.last = event
        if self._file is None or self.status is None:
            return
        append_json_line(self._file, event.to_json())
        self._file.flush()
        if time.monotonic() - self._synced_at > _FSYNC_EVERY_S:
            self._sync(self._file)
        self.status.tell(event)
        self._listeners.tell(event)

    def close(self) -> None:
        """Make what was written durable and close the file."""
        if self._file is not None:
            self._sync(self._file)
            self._file.close()

    def _sync(self, file: TextIO) -> None:
        os.fsync(file.fileno())
        self._synced_at = time.monotonic()


def _open_at_end(path: Path) -> TextIO:
    """Open a file to append lines to it; a last line that a killed process left torn is cut off."""
    path.touch()
    with open(path, "r+b") as stream:
        data = stream.read()
        stream.truncate(data.rfind(b"\n") + 1)
    file = open(path, "a", encoding="utf-8")  # noqa: SIM115
    file.seek(0, os.SEEK_END)
    return file
