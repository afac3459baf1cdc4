"""What a run has told so far: its state, and every point of every metric."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from forgelm_widgets._event_table import KINDS, LARGEST_COUNT, SMOOTH, EventTable, thin
from forgelm_widgets._text import clean, count, number

if TYPE_CHECKING:
    from forgelm import ProgressEvent
    from forgelm.runs import ProgressTail

__all__ = [
    "ENDED",
    "KINDS",
    "SMOOTH",
    "Mark",
    "RunCurves",
    "RunState",
    "headline",
    "thin",
]

RunState = Literal[
    "starting", "running", "stopping", "stopped", "finished", "failed", "died", "stalled"
]
ENDED: frozenset[RunState] = frozenset({"stopped", "finished", "failed", "died"})
_MESSAGE_CHARS = 300
# From so many on, events are taken in together.
_MANY = 32
_BEGIN, _LOG, _EVALUATE = (KINDS.index(kind) for kind in ("train_begin", "log", "evaluate"))
# How the message begins of a run that ends with its best checkpoint as its result.
_KEEPS_BEST = "keeping checkpoint-"
_DRAWN = {"loss": "loss", SMOOTH: "smooth", "eval_loss": "eval_loss"}


class Mark(NamedTuple):
    """Something that happened at a step."""

    step: int
    kind: str
    text: str


class RunCurves(EventTable):
    """The state and the curves of one run, kept up event by event.

    Attributes:
        run_id: The run; None before its first event.
        marks: Checkpoints, evaluations and resumes, in order.
        state: Where the run stands, as far as its events say.
        message: Why it stops, stopped or failed, or why a gate rejected it.
        checkpoint: The checkpoint that was saved last.
        max_steps: Optimizer steps planned.
        generation: Goes up when points were taken back.
        passed_over: Events that could not be understood.
    """

    def __init__(self) -> None:
        self.generation = -1
        super().__init__()

    def clear(self) -> None:
        """Forget everything: what comes is another record."""
        super().clear()
        self.generation += 1
        self.passed_over = 0
        self.run_id: str | None = None
        self.marks: list[Mark] = []
        self.state: RunState = "starting"
        self.message: str | None = None
        self.checkpoint: str | None = None
        self.max_steps = 0
        self._begin = self._first_log = -1

    @classmethod
    def of(cls, events: Iterable[ProgressEvent]) -> Self:
        """Return the curves of a whole record."""
        curves = cls()
        for event in events:
            curves.add(event)
        return curves

    @classmethod
    def read(cls, tail: ProgressTail) -> Self:
        """Return the curves of what a reader of `metrics.jsonl` finds; bad lines are passed over.

        Raises:
            OSError: There is no file that can be read.
        """
        curves, more = cls(), True
        while more:
            documents, more = tail.read_documents()
            curves.add_documents(documents)
        return curves

    def add(self, event: ProgressEvent) -> None:
        """Take in the next event; the first one of another run begins everything anew."""
        self.add_document({name: getattr(event, name) for name in event.__slots__})

    def add_documents(self, documents: Iterable[dict[str, Any]]) -> None:
        """Take in events as `metrics.jsonl` has them."""
        for kind, found in itertools.groupby(documents, lambda document: document.get("kind")):
            group = list(found)
            if kind == "log" and len(group) >= _MANY:
                self.add_document(group.pop(0))  # from now on its run and its metrics are known
                if self.append_logs(self.run_id, group):
                    self.max_steps, group = group[-1]["max_steps"], []
            for document in group:
                self.add_document(document)

    def add_document(self, document: Mapping[str, Any]) -> None:
        """Take in the next event as `metrics.jsonl` has it; one that is none is counted."""
        try:
            kind = KINDS.index(document["kind"])
            counts = (document["seq"], document["step"], document["max_steps"])
            seq, step, most = (int(value) for value in counts)
            when, epoch = float(document["time"]), float(document["epoch"])
            if not (0 <= seq < LARGEST_COUNT and 0 <= step < LARGEST_COUNT > most >= 0):
                raise ValueError("a count is out of range")
            if not math.isfinite(when + epoch):
                raise ValueError("a time is no number")
            run_id, message = str(document["run_id"]), document.get("message")
            figures = document["metrics"].items() if kind in (_LOG, _EVALUATE) else ()
            measured = [(str(name), float(value)) for name, value in figures]
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
            self.passed_over += 1
            return
        if run_id != self.run_id:
            if self.run_id is not None:
                self.clear()
            self.run_id = run_id
        if kind == _BEGIN:
            self._start(step, len(self) > 0)
        row = self.append(kind, seq, step, when, epoch)
        self.max_steps = most
        for name, value in measured:
            self.measure(row, name, value)
        self._happened(kind, row, message)

    def cut_off(self, reason: str) -> None:
        """Take note that the run will not say anything more."""
        self._settle("failed", reason)

    def _settle(self, state: RunState, message: Any) -> None:
        self.state = state
        self.message = clean(str(message), _MESSAGE_CHARS) if message else None

    def _happened(self, kind: int, row: int, message: Any) -> None:
        name, step = KINDS[kind], self.steps[row]
        if kind == _LOG:
            self._first_log = row if self._first_log < 0 else self._first_log
        elif kind == _BEGIN:
            self._begin, self._first_log = row, -1
            if message:
                self._mark(step, "resume", str(message))
        elif kind == _EVALUATE:
            self._mark(step, "evaluation", "")
        elif name == "save":
            self.checkpoint = str(message) if message else None
            self._mark(step, "checkpoint", str(message or ""))
        elif name in {"stopping", "failed"}:
            self._settle("stopping" if name == "stopping" else "failed", message)
        elif self.state == "stopping" and not (self.message or "").startswith(_KEEPS_BEST):
            self.state = "stopped"
        else:
            self._settle("finished", message)

    def _mark(self, step: int, kind: str, text: str) -> None:
        self.marks.append(Mark(step, kind, text and clean(text, _MESSAGE_CHARS)))

    def _start(self, step: int, again: bool) -> None:
        """Begin, or begin again: steps after the one it resumes from will come once more."""
        self.state, self.message = "running", None
        if not again:
            return
        if self.take_back(step):
            self.generation += 1
            self.marks = [mark for mark in self.marks if mark.step <= step]

    @property
    def step(self) -> int:
        """Optimizer steps done."""
        return self.steps[-1] if self.steps else 0

    @property
    def epoch(self) -> float:
        """Passes over the training data done."""
        return self.epochs[-1] if self.epochs else 0.0

    @property
    def latest(self) -> dict[str, float]:
        """The newest value of every metric."""
        return {name: series.values[-1] for name, series in self.metrics.items()}

    @property
    def elapsed_s(self) -> float:
        """Seconds from the beginning, or the resume, to the newest event."""
        return max(0.0, self.times[-1] - self.times[max(self._begin, 0)]) if self.times else 0.0

    @property
    def step_s(self) -> float | None:
        """Seconds a step takes, the first and slow one left out; None before there are two."""
        if self._first_log < 0 or self.steps[-1] <= self.steps[self._first_log]:
            return None
        done = self.steps[-1] - self.steps[self._first_log]
        return max(0.0, self.times[-1] - self.times[self._first_log]) / done

    @property
    def eta_s(self) -> float | None:
        """Seconds of training left; None when nothing can be said."""
        if self.state != "running" or (step_s := self.step_s) is None:
            return None
        return max(0.0, step_s * (self.max_steps - self.step))

    def headline(self) -> str:
        """Return in one sentence where the run stands, as far as its events say."""
        return headline(self.state, self.message, self)

    def pairs(self, limit: int) -> dict[str, list[tuple[float, float]]]:
        """Return the loss curves that have points as pairs, at most `limit` each."""
        found = {drawn: thin(self.points(name), limit) for name, drawn in _DRAWN.items()}
        return {
            name: [(float(x), float(f"{y:.5g}")) for x, y in points]
            for name, points in found.items()
            if len(points)
        }

    def first_and_last(self, name: str) -> tuple[float, float] | None:
        """Return the first and the last value of a curve, or None when it is empty."""
        points = self.points(name)
        return (float(points[0, 1]), float(points[-1, 1])) if len(points) else None

    def summary(self) -> str:
        """Return the curves in words, for a picture's text."""
        words = {SMOOTH: "training loss (smoothed)", "eval_loss": "evaluation loss"}
        parts = [
            f"{title} from {number(ends[0])} to {number(ends[1])}"
            for name, title in words.items()
            if (ends := self.first_and_last(name))
        ]
        return "Loss over steps: " + (", ".join(parts) or "nothing logged yet")


def headline(state: RunState, message: str | None, curves: RunCurves) -> str:
    """Return in one sentence where a run stands."""
    reason = f": {message}" if message else ""
    if not len(curves):
        if state in ENDED:
            return f"Ended before the first step{reason}"
        return f"Waiting for the first step{reason}"
    done = f"step {count(curves.step)} of {count(curves.max_steps)}"
    return {
        "starting": "Waiting for the first step",
        "running": f"Running: {done}, epoch {curves.epoch:.2f}",
        "stopping": f"Stopping at the end of {done}{reason}",
        "stopped": f"Stopped on request at {done}{reason}",
        "finished": f"Finished at {done}{reason}",
        "failed": f"Failed at {done}{reason}",
        "died": f"Died at {done}{reason}",
        "stalled": f"No sign of life since {done}{reason}",
    }[state]
