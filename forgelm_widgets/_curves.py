"""What a run has shown so far: its state and its loss curves, from its progress events."""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from forgelm_widgets._text import clean, count, number

if TYPE_CHECKING:
    from forgelm import ProgressEvent

__all__ = ["ENDED", "SERIES", "RunCurves", "RunState", "thin"]

RunState = Literal["starting", "running", "stopping", "stopped", "finished", "failed"]
ENDED: frozenset[RunState] = frozenset({"stopped", "finished", "failed"})
SERIES = ("loss", "smooth", "eval_loss")

# Weight of the past in the exponential moving average, as TensorBoard's slider has it.
_SMOOTHING = 0.8
# Float32 holds no more; a larger loss is as good as infinite.
_LARGEST = 3.4e38
_MESSAGE_CHARS = 300
_SHOWN_METRICS = ("loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second")


def thin(points: array[float], limit: int) -> NDArray[np.float32]:
    """Return at most `limit` of `points`, with the first, the last and every extreme kept.

    Shapes:
        points: flat, step and value in turn. Returns `(n, 2)`, n ≤ limit.
    """
    pairs = np.frombuffer(points, dtype=np.float32).reshape(-1, 2)
    if len(pairs) <= limit:
        return pairs.copy()
    edges = np.linspace(1, len(pairs) - 1, (limit - 2) // 2 + 1).astype(int)
    keep = {0, len(pairs) - 1}
    for low, high in itertools.pairwise(edges):
        keep.add(low + int(np.argmin(pairs[low:high, 1])))
        keep.add(low + int(np.argmax(pairs[low:high, 1])))
    return pairs[sorted(keep)]


class RunCurves:
    """The state and the curves of one run, kept up event by event.

    Attributes:
        events: Every event, none left out.
        points: Flat arrays of step and value in turn, for "loss", "smooth" and "eval_loss";
            values that are not finite are counted in `status()` instead.
        state: Where the run stands.
        message: Why it stops, stopped or failed, or why a gate rejected it.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.events: list[ProgressEvent] = []
        self.points: dict[str, array[float]] = {name: array("f") for name in SERIES}
        self.state: RunState = "starting"
        self.message: str | None = None
        self._latest: dict[str, float] = {}
        self._begin: ProgressEvent | None = None
        self._first_log: ProgressEvent | None = None
        self._average = self._weight = 0.0
        self._odd_count = 0
        self._odd_step: int | None = None

    @classmethod
    def of(cls, events: Iterable[ProgressEvent]) -> Self:
        """Return the curves of a whole record."""
        curves = cls()
        for event in events:
            curves.add(event)
        return curves

    def add(self, event: ProgressEvent) -> None:
        """Take in the next event; the first one of another run begins everything anew."""
        if self.events and event.run_id != self.events[-1].run_id:
            self._clear()
        self.events.append(event)
        if event.kind == "train_begin":
            self._start(event)
        elif event.kind == "stopping":
            self._settle("stopping", event.message)
        elif event.kind == "failed":
            self._settle("failed", event.message)
        elif event.kind == "train_end" and self.state == "stopping":
            self.state = "stopped"
        elif event.kind == "train_end":
            self._settle("finished", event.message)
        elif event.kind in {"log", "evaluate"}:
            self._first_log = self._first_log or (event if event.kind == "log" else None)
            for name in _SHOWN_METRICS:
                if name in event.metrics:
                    self._measure(name, event.step, float(event.metrics[name]))

    def cut_off(self, reason: str) -> None:
        """Take note that the run will not say anything more."""
        self._settle("failed", reason)

    def _settle(self, state: RunState, message: str | None) -> None:
        self.state = state
        self.message = clean(str(message), _MESSAGE_CHARS) if message else None

    def _start(self, event: ProgressEvent) -> None:
        """Begin, or begin again: steps after the one it resumes from will come once more."""
        self.state, self.message = "running", None
        self._begin, self._first_log = event, None
        for points in self.points.values():
            while points and points[-2] > event.step:
                del points[-2:]

    def _measure(self, name: str, step: int, value: float) -> None:
        self._latest[name] = value
        if name not in self.points:
            return
        if not abs(value) <= _LARGEST:  # true of NaN too
            self._odd_count += 1
            self._odd_step = step if self._odd_step is None else self._odd_step
            return
        self.points[name].extend((step, value))
        if name == "loss":
            self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * value
            self._weight = _SMOOTHING * self._weight + (1 - _SMOOTHING)
            self.points["smooth"].extend((step, self._average / self._weight))

    def status(self) -> dict[str, Any]:
        """Return the small part of what a view shows, as strict JSON types."""
        last = self.events[-1] if self.events else None
        begin = self._begin or last
        return {
            "state": self.state,
            "headline": self.headline(),
            "step": last.step if last else 0,
            "max_steps": last.max_steps if last else 0,
            "elapsed_s": max(0.0, last.time - begin.time) if last and begin else 0.0,
            "eta_s": self._eta_s(),
            "latest": {k: v if math.isfinite(v) else None for k, v in self._latest.items()},
            "odd": self._odd_words(),
        }

    def headline(self) -> str:
        """Return in one sentence where the run stands."""
        reason = f": {self.message}" if self.message else ""
        if not self.events:
            return (
                f"Ended before the first step{reason}" if reason else "Waiting for the first step"
            )
        last = self.events[-1]
        done = f"step {count(last.step)} of {count(last.max_steps)}"
        return {
            "starting": "Waiting for the first step",
            "running": f"Running: {done}, epoch {last.epoch:.2f}",
            "stopping": f"Stopping at the end of {done}{reason}",
            "stopped": f"Stopped on request at {done}{reason}",
            "finished": f"Finished at {done}{reason}",
            "failed": f"Failed at {done}{reason}",
        }[self.state]

    def _eta_s(self) -> float | None:
        if self.state != "running" or self._first_log is None:
            return None
        first, last = self._first_log, self.events[-1]
        if last.step <= first.step:
            return None
        step_s = (last.time - first.time) / (last.step - first.step)
        return max(0.0, step_s * (last.max_steps - last.step))

    def _odd_words(self) -> str | None:
        if not self._odd_count:
            return None
        many = "1 loss was" if self._odd_count == 1 else f"{count(self._odd_count)} losses were"
        return f"{many} not finite, first at step {count(self._odd_step or 0)}"

    def pairs(self, limit: int) -> dict[str, list[tuple[float, float]]]:
        """Return the curves that have points as `(step, value)` pairs, at most `limit` each."""
        return {
            name: [(float(x), float(f"{y:.5g}")) for x, y in thin(points, limit)]
            for name, points in self.points.items()
            if points
        }

    def first_and_last(self, name: str) -> tuple[float, float] | None:
        """Return the first and the last value of a curve, or None when it is empty."""
        points = self.points[name]
        return (points[1], points[-1]) if points else None

    def summary(self) -> str:
        """Return the curves in words, for a picture's text."""
        words = {"smooth": "training loss (smoothed)", "eval_loss": "evaluation loss"}
        parts = [
            f"{title} from {number(ends[0])} to {number(ends[1])}"
            for name, title in words.items()
            if (ends := self.first_and_last(name))
        ]
        return "Loss over steps: " + (", ".join(parts) or "nothing logged yet")
