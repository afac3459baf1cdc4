"""The thresholds that a run's model will be held to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from forgelm_widgets._curves import RunCurves

__all__ = ["Gate", "Judged", "best_value", "find_gates", "judged_by"]

# As the trainer's gate "improvement": a run that changed nothing may come out a hair worse.
_TOLERATED_SHARE = 0.01


class Judged(NamedTuple):
    """The figure of an evaluation that says how good the model is."""

    series: str
    higher_is_better: bool


class Gate(NamedTuple):
    """A line that the kept weights must lie below, or above."""

    series: str
    value: float
    text: str
    passes_below: bool

    def passes(self, value: float) -> bool:
        """Tell whether `value` is on the right side; what is no number is not."""
        return value <= self.value if self.passes_below else value >= self.value


def judged_by(config: Mapping[str, Any]) -> Judged:
    """Return what evaluations of this run are judged by."""
    is_rewarded = _block(config, "training").get("trainer_type") == "grpo"
    return Judged("eval_reward", True) if is_rewarded else Judged("eval_loss", False)


def find_gates(config: Mapping[str, Any], curves: RunCurves) -> list[Gate]:
    """Return the lines that are known by now.

    The untrained model's own figure is one, once it was measured; with sampled rewards it is left
    out, because how much chance explains is only known at the end.
    """
    evaluation = _block(config, "evaluation")
    judged = judged_by(config)
    gates = []
    for key in ("max_acceptable_loss", "baseline_loss"):
        limit = evaluation.get(key)
        if isinstance(limit, int | float) and not isinstance(limit, bool):
            applies = key == "max_acceptable_loss" or not judged.higher_is_better
            if applies:
                gates.append(Gate("eval_loss", float(limit), f"evaluation.{key}", True))
    start = curves.points(judged.series)[:1]
    if len(start) and start[0, 0] == 0 and not judged.higher_is_better:
        before = float(start[0, 1])
        limit = before + _TOLERATED_SHARE * abs(before)
        gates.append(Gate(judged.series, limit, "the untrained model, and 1 %", True))
    return gates


def best_value(curves: RunCurves, gate: Gate) -> tuple[int, float] | None:
    """Return step and value of the evaluation that would be kept now, None before the first."""
    values = curves.points(gate.series)
    values = values[values[:, 0] > 0]
    if not len(values):
        return None
    place = values[:, 1].argmin() if gate.passes_below else values[:, 1].argmax()
    return int(values[place, 0]), float(values[place, 1])


def _block(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = config.get(name)
    return found if isinstance(found, dict) else {}
