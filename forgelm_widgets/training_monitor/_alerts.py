"""What a person should look at in a run: each alert has a definition and goes when it is over."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from forgelm_widgets._curves import RunCurves
from forgelm_widgets._text import count, duration, number
from forgelm_widgets.training_monitor._gates import Gate, Judged, best_value

__all__ = ["Alert", "LossWatch", "find_alerts"]

AlertKind = Literal["not_finite", "divergence", "plateau", "gate", "silent", "tail"]

_BLOCK = 10
_WATCHED = ("loss", "eval_loss", "grad_norm")
# A figure that was no number is told for as many logged steps.
_NOT_FINITE_FOR = 50
_DIVERGED_SHARE = 0.2
_STANDARD_ERRORS = 5.0
_FLAT_BLOCKS = 10
_FLAT_EVALUATIONS = 3
_FLAT_SHARE = 1e-4
_SHORTEST_SILENCE_S = 30.0
_SILENCE_IN_STEPS = 10


class Alert(NamedTuple):
    """One thing to look at."""

    kind: AlertKind
    level: Literal["warn", "bad"]
    text: str
    step: int


class LossWatch:
    """The training loss in blocks of ten logged steps, which are calm enough to compare.

    A block with a value that is no number does not count.

    Source: the spread of single values comes from successive differences, which a trend hardly
    touches: J. von Neumann et al., The mean square successive difference, Ann. Math. Stat. 12
    (1941).
    """

    def __init__(self) -> None:
        self._generation = -1
        self._clear()

    def _clear(self) -> None:
        self._read = 0
        self.means = array("d")
        self.best = math.inf
        self.best_step = 0
        self.spread = 0.0

    def look(self, curves: RunCurves) -> None:
        """Take in the blocks that are whole by now."""
        if curves.generation != self._generation:
            self._generation = curves.generation
            self._clear()
        series = curves.metrics.get("loss")
        whole = len(series.values) - self._read if series else 0
        if series is None or whole < _BLOCK:
            return
        end = self._read + whole // _BLOCK * _BLOCK
        blocks = np.array(series.values[self._read : end]).reshape(-1, _BLOCK)
        last_rows = series.rows[self._read + _BLOCK - 1 : end : _BLOCK]
        # For normal noise the mean absolute difference of neighbours is 2σ/√π.
        spreads = np.abs(np.diff(blocks)).mean(axis=1) * math.sqrt(math.pi) / 2
        for mean, spread, row in zip(blocks.mean(axis=1), spreads, last_rows, strict=True):
            if math.isfinite(mean):
                self._take(float(mean), float(spread), curves.steps[row])
        self._read = end

    def _take(self, mean: float, spread: float, step: int) -> None:
        self.means.append(mean)
        if not self.diverges:
            self.spread = spread if len(self.means) == 1 else 0.9 * self.spread + 0.1 * spread
        if mean < self.best:
            self.best, self.best_step = mean, step

    @property
    def diverges(self) -> bool:
        """Whether the last ten losses lie above the best ten by 20 % and by 5 standard errors.

        Source: the learning-rate finder of fastai (after L. N. Smith, Cyclical Learning Rates for
        Training Neural Networks, 2017) gives up at 4 times the best smoothed loss; a language
        model's loss in nats hardly ever rises so far.
        """
        if len(self.means) < 2:
            return False
        chance = _STANDARD_ERRORS * self.spread * math.sqrt(2 / _BLOCK)
        return self.means[-1] > self.best + max(_DIVERGED_SHARE * abs(self.best), chance)

    @property
    def is_flat(self) -> bool:
        """Whether the last hundred losses are not lower than the hundred before, beyond chance."""
        if len(self.means) < 2 * _FLAT_BLOCKS:
            return False
        recent = np.array(self.means[-2 * _FLAT_BLOCKS :]).reshape(2, _FLAT_BLOCKS)
        gain = float(recent[0].mean() - recent[1].mean())
        return gain < 2 * math.sqrt(float(recent.var(axis=1, ddof=1).sum()) / _FLAT_BLOCKS)


def find_alerts(
    curves: RunCurves,
    watch: LossWatch,
    gates: Sequence[Gate],
    judged: Judged,
    *,
    is_live: bool,
    seen_at: float | None,
    problem: str | None,
) -> list[Alert]:
    """Return what is true now, the worst first.

    Args:
        curves: The run.
        watch: Its loss in blocks.
        gates: What its model will be judged by.
        judged: The figure that its evaluations are judged by.
        is_live: Whether something should still come.
        seen_at: Unix time of its last sign of life, seconds.
        problem: What is wrong with reading the record.
    """
    found = [*_not_finite(curves), *_gates(curves, gates)]
    if is_live:
        found += _loss(curves, watch, judged)
        found += _silent(curves, seen_at)
    if problem:
        found.append(Alert("tail", "warn", problem, curves.step))
    return sorted(found, key=lambda alert: alert.level != "bad")


def _not_finite(curves: RunCurves) -> Iterator[Alert]:
    for name in _WATCHED:
        series = curves.metrics.get(name)
        recent = series.values[-_NOT_FINITE_FOR:] if series else array("d")
        place = next((i for i in range(len(recent)) if not math.isfinite(recent[i])), None)
        if series and place is not None:
            step = curves.steps[series.rows[place - len(recent)]]
            text = f"{name} was {number(recent[place])} at step {count(step)}"
            yield Alert("not_finite", "bad", text, step)


def _loss(curves: RunCurves, watch: LossWatch, judged: Judged) -> Iterator[Alert]:
    if judged.higher_is_better:  # a policy's loss does not say how good it is
        return
    if watch.diverges:
        text = (
            f"the loss diverges: {number(watch.means[-1])} over the last {_BLOCK} logged steps, "
            f"after {number(watch.best)} around step {count(watch.best_step)}"
        )
        yield Alert("divergence", "bad", text, curves.step)
        return
    values = curves.points(judged.series)
    values = values[values[:, 0] > 0]
    if len(values) > _FLAT_EVALUATIONS:
        earlier, last = values[:-_FLAT_EVALUATIONS, 1], values[-_FLAT_EVALUATIONS:, 1]
        if last.min() >= earlier.min() * (1 - _FLAT_SHARE):
            best = values[int(np.argmin(values[:, 1]))]
            text = (
                f"plateau: the last {_FLAT_EVALUATIONS} evaluations are no better than "
                f"{number(float(best[1]))} at step {count(int(best[0]))}"
            )
            yield Alert("plateau", "warn", text, curves.step)
    elif watch.is_flat:
        text = (
            f"plateau: the loss has not fallen over the last {_FLAT_BLOCKS * _BLOCK} logged steps"
        )
        yield Alert("plateau", "warn", text, curves.step)


def _gates(curves: RunCurves, gates: Sequence[Gate]) -> Iterator[Alert]:
    for gate in gates:
        best = best_value(curves, gate)
        if best is not None and not gate.passes(best[1]):
            side = "above" if gate.passes_below else "below"
            text = (
                f"would fail: {gate.series} {number(best[1])} at best, {side} {gate.text} "
                f"({number(gate.value)})"
            )
            yield Alert("gate", "warn", text, best[0])


def _silent(curves: RunCurves, seen_at: float | None) -> Iterator[Alert]:
    if seen_at is None or not len(curves):
        return
    silent_s = time.time() - seen_at
    patience_s = max(_SHORTEST_SILENCE_S, _SILENCE_IN_STEPS * (curves.step_s or 0.0))
    if silent_s > patience_s:
        text = f"no sign of life for {duration(silent_s)}"
        yield Alert("silent", "warn", text, curves.step)
