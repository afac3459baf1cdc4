"""Judging a trained model by its losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forgelm.results import Verdict

if TYPE_CHECKING:
    from forgelm.config import EvaluationConfig

__all__ = ["judge_losses"]

# A run that changed nothing may come out a hair above where it began.
_TOLERATED_RISE = 0.01


def judge_losses(
    evaluation: EvaluationConfig | None, metrics: Mapping[str, float], broken: str | None
) -> list[Verdict]:
    """Return a verdict for each gate that looks at losses.

    Args:
        evaluation: The config's gates, if it has any.
        metrics: `eval_loss` and `baseline_eval_loss` where they were measured.
        broken: A non-finite figure seen in the run, as a sentence.

    Returns:
        "finite" (no NaN or infinity was seen) and "loss" (`eval_loss` is under its ceilings:
        `max_acceptable_loss`, `baseline_loss`, and the untrained model's own loss). "loss" is
        skipped where there was nothing to evaluate on.
    """
    if broken is not None:
        reason = f"training broke down: {broken}. Lower training.learning_rate."
        return [Verdict("finite", "failed", reason)]
    return [Verdict("finite", "passed"), _loss_verdict(evaluation, metrics)]


def _loss_verdict(evaluation: EvaluationConfig | None, metrics: Mapping[str, float]) -> Verdict:
    eval_loss = metrics.get("eval_loss")
    if eval_loss is None:
        return Verdict("loss", "skipped", "there were no validation rows to evaluate on")
    ceilings: list[tuple[str, float]] = []
    if evaluation and evaluation.max_acceptable_loss is not None:
        ceilings.append(("evaluation.max_acceptable_loss", evaluation.max_acceptable_loss))
    if evaluation and evaluation.baseline_loss is not None:
        ceilings.append(("evaluation.baseline_loss", evaluation.baseline_loss))
    baseline = metrics.get("baseline_eval_loss")
    if baseline is not None:
        ceilings.append(("the untrained model's loss", baseline * (1 + _TOLERATED_RISE)))
    measured = {"eval_loss": eval_loss, **dict(ceilings)}
    above = [f"{name} ({ceiling:.4f})" for name, ceiling in ceilings if eval_loss > ceiling]
    if above:
        reason = f"eval_loss {eval_loss:.4f} is above {' and '.join(above)}"
        return Verdict("loss", "failed", reason, measured)
    return Verdict("loss", "passed", measured=measured)
