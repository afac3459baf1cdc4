"""The event stream of a run: what happened at which step, for listeners and for `metrics.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from forgelm._core import json_safe

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
            `tokens_per_second` and what else the Trainer reports at this event.
        message: The checkpoint's path for "save", the reason for "stopping" and "failed", and at a
            "train_begin" that goes on with an earlier part of the run, from where.
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

    Args:
        run_dir: The run's output directory, or the path of a `metrics.jsonl`.
    """

    def __init__(self, run_dir: str | Path) -> None:
        path = Path(run_dir)
        self.path = path / METRICS_FILE if path.is_dir() else path
        self._offset = 0

    def read(self, limit: int | None = None) -> list[ProgressEvent]:
        """Return the new events in order, at most `limit` of them.

        Raises:
            OSError: There is no readable `metrics.jsonl`.
        """
        events: list[ProgressEvent] = []
        with open(self.path, "rb") as stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n") or (limit is not None and len(events) >= limit):
                    break
                events.append(_from_line(line))
                self._offset += len(line)
        return events


def _from_line(line: bytes) -> ProgressEvent:
    document = json.loads(line)
    document["metrics"] = {name: float(value) for name, value in document["metrics"].items()}
    return ProgressEvent(**document)
