"""The losses of a run, from a `metrics.jsonl` that may be long, damaged or still growing."""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgelm_widgets._event_table import LARGEST_DRAWN, MovingAverage
from forgelm_widgets.run_comparison._files import mapping, number, whole

__all__ = ["LONGEST_BYTES", "Losses", "read_losses"]

LONGEST_BYTES = 256_000_000
_LONGEST_LINE_BYTES = 1_000_000


@dataclass
class Losses:
    """What a run logged of its losses.

    Attributes:
        training: Flat, step and loss in turn, nats a token; empty where only evaluations were read.
        evaluation: Flat, step and evaluation loss in turn.
        parts: How often the run began or went on.
        odd: Values that are no finite number, and lines that are no events.
        problem: Why nothing, or not all, could be read.
    """

    training: array[float] = field(default_factory=lambda: array("f"))
    evaluation: array[float] = field(default_factory=lambda: array("f"))
    parts: int = 0
    odd: int = 0
    problem: str | None = None

    @property
    def best(self) -> tuple[float, int] | None:
        """The lowest evaluation loss and its step."""
        pairs = zip(self.evaluation[1::2], self.evaluation[::2], strict=True)
        loss, step = min(pairs, default=(None, 0))
        return None if loss is None else (loss, int(step))

    def smooth(self) -> array[float]:
        """Return the training loss as the exponential moving average that the monitor draws."""
        smoothed = array("f", self.training)
        smoothed[1::2] = array("f", MovingAverage().of(self.training[1::2]))
        return smoothed

    def _take_back(self, step: float) -> None:
        """Forget what lies beyond the step that a resumed run goes on from."""
        for curve in (self.training, self.evaluation):
            while curve and (curve[-2] > step or step == 0):
                del curve[-2:]

    def _add(self, curve: array[float], step: Any, value: Any) -> None:
        at, loss = whole(step), number(value)
        if at is None or loss is None or abs(loss) > LARGEST_DRAWN:
            self.odd += 1
        else:
            curve.extend((at, loss))


def read_losses(path: Path, *, training: bool) -> Losses:
    """Return the losses in a `metrics.jsonl`; lines that are no events are counted, not fatal.

    Args:
        path: The file; one that is not there gives empty curves.
        training: Read the training loss as well. Without it only the few lines of evaluations
            are taken apart.
    """
    losses = Losses()
    if not path.exists():
        return losses
    if not path.is_file():
        losses.problem = f"{path.name} is no file"
        return losses
    try:
        with path.open("rb") as stream:
            while line := stream.readline(_LONGEST_LINE_BYTES):
                if stream.tell() > LONGEST_BYTES:
                    losses.problem = f"{path.name} is too long; its first part is shown"
                    break
                if training or b'"evaluate"' in line or b'"train_begin"' in line:
                    _take(losses, line, training)
    except OSError as error:
        losses.problem = f"{path.name} cannot be read: {error.strerror}"
    return losses


def _take(losses: Losses, line: bytes, training: bool) -> None:
    if not line.endswith(b"\n") and len(line) < _LONGEST_LINE_BYTES:
        return  # still being written
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        losses.odd += 1
        return
    event = mapping(event)
    kind, step, metrics = event.get("kind"), event.get("step"), mapping(event.get("metrics"))
    if kind == "train_begin":
        losses.parts += 1
        losses._take_back(number(step) or 0.0)
    elif kind == "evaluate" and "eval_loss" in metrics:
        losses._add(losses.evaluation, step, metrics["eval_loss"])
    elif training and kind == "log" and "loss" in metrics:
        losses._add(losses.training, step, metrics["loss"])
