"""The event stream of a run: what happened at which step, for listeners and for `metrics.jsonl`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from forgelm._core import json_safe, open_regular_file

__all__ = [
    "METRICS_FILE",
    "Listener",
    "ProgressEvent",
    "ProgressKind",
    "ProgressTail",
    "read_progress",
]

METRICS_FILE = "metrics.jsonl"

ProgressKind = Literal["train_begin", "log", "evaluate", "save", "stopping", "train_end", "failed"]


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """One thing that happened in a run.

    Attributes:
        kind: "train_begin", "log", "evaluate", "save", "stopping", "train_end" or "failed".
        run_id: The run it belongs to.
        seq: Position in the stream, from 0.
        time: Unix time, seconds.
        step: Optimizer steps done.
        max_steps: Optimizer steps planned.
        epoch: Passes over the training data done.
        metrics: `loss` and `eval_loss` (nats a token), `learning_rate`, `grad_norm`,
            `tokens_per_second`, `peak_vram_gb` or `rss_gb`, and what else the Trainer reports at
            this event.
        message: The checkpoint's path for "save", the reason for "stopping" and "failed", and at a
            "train_begin" that goes on with an earlier part of the run, from where. A "stopping"
            that begins with "keeping checkpoint-N" ends with that checkpoint as the final model.
    """

    kind: ProgressKind
    run_id: str
    seq: int
    time: float
    step: int
    max_steps: int
    epoch: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the event as a dict of strict JSON types, a line of `metrics.jsonl`."""
        document: dict[str, Any] = json_safe({name: getattr(self, name) for name in self.__slots__})
        return document


Listener = Callable[[ProgressEvent], None]


def read_progress(run_dir: str | Path) -> list[ProgressEvent]:
    """Read the events of a run, ended or still going on.

    Args:
        run_dir: The run's output directory, or the path of a `metrics.jsonl`.

    Returns:
        The events in order. A last line that is still being written is left out, and so is what
        lay beyond the checkpoint that a resumed run went on from: it was done once more.

    Raises:
        OSError: There is no readable `metrics.jsonl`.
    """
    events: list[ProgressEvent] = []
    for event in ProgressTail(run_dir).read():
        if event.kind == "train_begin":
            events = [earlier for earlier in events if 0 < event.step >= earlier.step]
        events.append(event)
    return events


class ProgressTail:
    """Reads the events of a run as they come: each call gives those that are new.

    A resumed run tells again what lay beyond its checkpoint: a "train_begin" at step S takes back
    every earlier event with a larger step.

    Attributes:
        path: The `metrics.jsonl`.
        restarts: How often `read_documents` found another file in its place and began anew.
        unreadable: Lines that `read_documents` passed over, in the file it reads now.

    Args:
        run_dir: The run's output directory, or the path of a `metrics.jsonl`.
    """

    def __init__(self, run_dir: str | Path) -> None:
        path = Path(run_dir)
        self.path = path / METRICS_FILE if path.is_dir() else path
        self.restarts = 0
        self.unreadable = 0
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._in_long_line = False

    def read(self, limit: int | None = None) -> list[ProgressEvent]:
        """Return the new events in order, at most `limit` of them.

        Raises:
            OSError: There is no readable `metrics.jsonl`.
        """
        events: list[ProgressEvent] = []
        with open_regular_file(self.path) as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n") or (limit is not None and len(events) >= limit):
                    break
                events.append(_from_line(line))
                self._offset += len(line)
        return events

    def read_documents(self, most_bytes: int = 1_000_000) -> tuple[list[dict[str, Any]], bool]:
        """Return the new lines as plain dicts, unchecked, and whether there is more to read now.

        It is for looking on: a line that is no JSON object is counted and passed over, and a file
        that took the place of the one read so far is read from its beginning.

        Args:
            most_bytes: How much of the file to read; a longer line is passed over.

        Raises:
            OSError: There is no readable `metrics.jsonl`.
        """
        with open_regular_file(self.path) as stream:
            found = os.fstat(stream.fileno())
            if self._file != (found.st_dev, found.st_ino) or found.st_size < self._offset:
                self.restarts += self._file is not None
                self._file = (found.st_dev, found.st_ino)
                self._offset = self.unreadable = 0
                self._in_long_line = False
            stream.seek(self._offset)
            data = stream.read(most_bytes)
        is_full = len(data) == most_bytes
        whole = data.rfind(b"\n") + 1
        if not whole and is_full:
            self.unreadable += not self._in_long_line
            self._in_long_line = True
            whole = len(data)
            lines = []
        else:
            lines = data[:whole].split(b"\n")[:-1]
            if self._in_long_line and whole:
                self._in_long_line = False
                lines = lines[1:]
        self._offset += whole
        documents = _documents(lines)
        self.unreadable += len(lines) - len(documents)
        return documents, is_full


def _documents(lines: list[bytes]) -> list[dict[str, Any]]:
    """Return the lines that are JSON objects; all at once where they all are, which is fast."""
    try:
        found = json.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        found = []
    if len(found) != len(lines):
        found = [_document(line) for line in lines]
    return [document for document in found if isinstance(document, dict)]


def _document(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _from_line(line: bytes) -> ProgressEvent:
    document = json.loads(line)
    document["metrics"] = {name: float(value) for name, value in document["metrics"].items()}
    return ProgressEvent(**document)
