"""The events of a run as arrays: every point of every metric, 33 bytes an event and 12 a value."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forgelm_widgets._text import clean

__all__ = [
    "KINDS",
    "LARGEST_COUNT",
    "LARGEST_DRAWN",
    "SMOOTH",
    "EventTable",
    "MovingAverage",
    "Series",
    "thin",
]

KINDS = ("train_begin", "log", "evaluate", "save", "stopping", "train_end", "failed")
SMOOTH = "loss~smooth"
LARGEST_COUNT = 2**53

# Float32, which the page gets, holds no more; a larger value is as good as infinite.
LARGEST_DRAWN = 3.4e38

# Weight of the past in the exponential moving average, as TensorBoard's slider has it.
_SMOOTHING = 0.8
_NAME_CHARS = 60
_MOST_METRICS = 200
_LOG = KINDS.index("log")


def thin(points: ArrayLike, limit: int) -> NDArray[np.float32]:
    """Return at most `limit` of `points`, with the first, the last and every extreme kept.

    Shapes:
        points: `(n, 2)`, or flat with step and value in turn. Returns `(m, 2)`, m ≤ limit.
    """
    pairs = np.asarray(points, dtype=np.float32).reshape(-1, 2)
    if len(pairs) <= limit:
        return pairs.copy()
    inner = pairs[1:-1, 1]
    stretch = -(-len(inner) // ((limit - 2) // 2))
    whole = len(inner) // stretch * stretch
    blocks = inner[:whole].reshape(-1, stretch)
    starts = np.arange(0, whole, stretch) + 1
    keep = {0, len(pairs) - 1, *(starts + blocks.argmin(axis=1)), *(starts + blocks.argmax(axis=1))}
    if whole < len(inner):
        rest = inner[whole:]
        keep |= {whole + 1 + int(rest.argmin()), whole + 1 + int(rest.argmax())}
    return pairs[sorted(keep)]


class MovingAverage:
    """An exponential moving average, without a bias to zero."""

    def __init__(self) -> None:
        self._average = self._weight = 0.0

    def of(self, values: Iterable[float]) -> list[float]:
        """Return the average after each of the next values."""
        average, weight, smooth = self._average, self._weight, []
        for value in values:
            average = _SMOOTHING * average + (1 - _SMOOTHING) * value
            weight = _SMOOTHING * weight + (1 - _SMOOTHING)
            smooth.append(average / weight)
        self._average, self._weight = average, weight
        return smooth


class Series(NamedTuple):
    """One metric: the rows of the events that have it, and its values in them."""

    rows: array[int]
    values: array[float]


class EventTable:
    """The events so far, a row each.

    Attributes:
        kinds: Of each event its place in `KINDS`; `seqs`, `times`, `steps` and `epochs` likewise.
        metrics: Every metric that was logged or evaluated; `SMOOTH` is the loss, smoothed.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.kinds, self.seqs = array("b"), array("q")
        self.times, self.steps, self.epochs = array("d"), array("q"), array("d")
        self.metrics: dict[str, Series] = {}
        self._names: dict[str, str] = {}
        self._average = MovingAverage()

    def __len__(self) -> int:
        return len(self.kinds)

    def append(self, kind: int, seq: int, step: int, when: float, epoch: float) -> int:
        """Add an event, and return its row."""
        row = len(self.kinds)
        self.kinds.append(kind)
        self.seqs.append(seq)
        self.times.append(when)
        self.steps.append(step)
        self.epochs.append(epoch)
        return row

    def append_logs(self, run_id: str | None, documents: list[dict[str, Any]]) -> bool:
        """Add many logs of one run at once; only if all have the same metrics, known already."""
        try:
            seqs, steps, most = (
                array("q", map(itemgetter(name), documents))
                for name in ("seq", "step", "max_steps")
            )
            times, epochs = (
                array("d", map(itemgetter(name), documents)) for name in ("time", "epoch")
            )
            figures = list(map(itemgetter("metrics"), documents))
            columns = {name: array("d", map(itemgetter(name), figures)) for name in figures[0]}
            runs = set(map(itemgetter("run_id"), documents))
            sizes = set(map(len, figures))
        except (LookupError, TypeError, OverflowError):
            return False
        counts = [np.frombuffer(column, dtype=np.int64) for column in (seqs, steps, most)]
        places = np.frombuffer(times, dtype=np.float64) + np.frombuffer(epochs, dtype=np.float64)
        if (
            runs != {run_id}
            or sizes != {len(columns)}
            or not (columns.keys() <= self.metrics.keys() and SMOOTH not in columns)
            or any(column.min() < 0 or column.max() >= LARGEST_COUNT for column in counts)
            or not np.isfinite(places).all()
        ):
            return False
        first = len(self)
        rows = array("I", range(first, first + len(documents)))
        self.kinds.extend([_LOG] * len(documents))
        self.seqs.extend(seqs)
        self.times.extend(times)
        self.steps.extend(steps)
        self.epochs.extend(epochs)
        for name, column in columns.items():
            self.metrics[name].rows.extend(rows)
            self.metrics[name].values.extend(column)
        if "loss" in columns:
            self._smooth(rows, columns["loss"])
        return True

    def measure(self, row: int, name: str, value: float) -> None:
        """Add a metric of an event; its name as it may be shown is its name from now on."""
        if name == SMOOTH:  # ours
            return
        series = self.metrics.get(name)
        if series is None:
            known = self._names.get(name)
            if known is None:
                known = clean(name, _NAME_CHARS)
                if len(self._names) >= _MOST_METRICS:
                    return
                self._names[name] = known
            series = self.metrics.setdefault(known, Series(array("I"), array("d")))
        series.rows.append(row)
        series.values.append(value)
        if name == "loss":
            self._smooth((row,), (value,))

    def _smooth(self, rows: Iterable[int], losses: Iterable[float]) -> None:
        finite = [pair for pair in zip(rows, losses, strict=True) if math.isfinite(pair[1])]
        if not finite:
            return
        series = self.metrics.setdefault(SMOOTH, Series(array("I"), array("d")))
        series.rows.extend(row for row, _ in finite)
        series.values.extend(self._average.of(loss for _, loss in finite))

    def _smooth_anew(self) -> None:
        self._average = MovingAverage()
        self.metrics.pop(SMOOTH, None)
        loss = self.metrics.get("loss")
        if loss:
            self._smooth(*loss)

    def take_back(self, step: int) -> bool:
        """Forget what lies beyond a step, or everything at step 0; tell whether that was any."""
        keep = np.frombuffer(self.steps, dtype=np.int64) <= (step or -1)
        if keep.all():
            return False
        rows = np.cumsum(keep) - 1
        for name, series in list(self.metrics.items()):
            old = np.frombuffer(series.rows, dtype=np.uint32)
            held = keep[old]
            values = np.frombuffer(series.values, dtype=np.float64)[held]
            new = rows[old[held]].astype(np.uint32)
            self.metrics[name] = Series(array("I", new.tobytes()), array("d", values.tobytes()))
        for name in ("kinds", "seqs", "times", "steps", "epochs"):
            column = getattr(self, name)
            kept = np.frombuffer(column, dtype=column.typecode)[keep]
            setattr(self, name, array(column.typecode, kept.tobytes()))
        self._smooth_anew()
        return True

    def points(self, name: str, rows: int | None = None) -> NDArray[np.float64]:
        """Return a metric as `(step, value)` pairs, those that are finite, as far as event `rows`.

        Shapes:
            Returns `(n, 2)`.
        """
        series = self.metrics.get(name)
        if series is None:
            return np.empty((0, 2))
        places = np.array(series.rows, dtype=np.uint32)
        last = len(places) if rows is None else int(np.searchsorted(places, rows))
        values = np.array(series.values, dtype=np.float64)[:last]
        steps = np.array(self.steps, dtype=np.float64)[places[:last]]
        pairs: NDArray[np.float64] = np.column_stack((steps, values))
        return pairs[np.abs(values) < LARGEST_DRAWN]
