"""Judging a trained model by the figures of its run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forgelm.results import Verdict

if TYPE_CHECKING:
    from forgelm.config import EvaluationConfig

__all__ = ["RunFigures", "first_failure", "judge_figures"]

# A run that changed nothing may come out a hair worse than it began.
_TOLERATED_SHARE = 0.01
# A mean of sampled rewards: two standard errors cover 95 % of what chance alone does to it.
_STANDARD_ERRORS = 2.0
# How near ln(vocabulary) a loss counts as guessing, and how small a gradient as none.
_GUESSING_SHARE = 0.01
_NO_GRADIENT = 1e-6


@dataclass(frozen=True)
class RunFigures:
    """What the gates look at.

    Attributes:
        metrics: The figures of the weights that were kept; the untrained model's have the prefix
            `baseline_`.
        judged: The figure the algorithm is judged by, "eval_loss" or "eval_reward".
        higher_is_better: Which way `judged` should go.
        broken: A non-finite figure seen in the run, as a sentence.
        vocabulary: Size of the vocabulary where `judged` is in nats a token, else None.
        gradient: Norm of the last gradient that was logged.
        answers: How many answers were sampled to measure `judged`; None where nothing is left to
            chance.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    judged: str = "eval_loss"
    higher_is_better: bool = False
    broken: str | None = None
    vocabulary: int | None = None
    gradient: float | None = None
    answers: int | None = None


def judge_figures(evaluation: EvaluationConfig | None, figures: RunFigures) -> list[Verdict]:
    """Return a verdict for each gate that looks at the run's own figures.

    Args:
        evaluation: The config's gates, if it has any.
        figures: What was measured.

    Returns:
        "finite" (no NaN or infinity was seen, and the run did not end up guessing without a
        gradient), "loss" where `max_acceptable_loss` sets a ceiling, and "improvement" (the model
        is not worse than `baseline_loss` and than it was before training, by more than 1 % and
        more than chance explains). The last two are skipped where there was nothing to evaluate on.
    """
    diverged = figures.broken or _guessing(figures)
    if diverged:
        reason = f"training broke down: {diverged}. Lower training.learning_rate."
        return [Verdict("finite", "failed", reason)]
    verdicts = [Verdict("finite", "passed")]
    if evaluation and evaluation.max_acceptable_loss is not None:
        verdicts.append(_ceiling_verdict(evaluation.max_acceptable_loss, figures))
    return [*verdicts, _improvement_verdict(evaluation, figures)]


def first_failure(verdicts: Iterable[Verdict]) -> Verdict | None:
    """Return the first verdict that failed, or None."""
    return next((verdict for verdict in verdicts if verdict.status == "failed"), None)


def _guessing(figures: RunFigures) -> str | None:
    """Say that the model gives every token the same chance and learns no more, or None.

    Such a run is finite, and where the base model was random it is no worse than its baseline.
    """
    loss = figures.metrics.get("eval_loss", figures.metrics.get("train_loss"))
    if loss is None or not figures.vocabulary or figures.gradient is None:
        return None
    guess = math.log(figures.vocabulary)
    if figures.gradient > _NO_GRADIENT or loss < guess * (1 - _GUESSING_SHARE):
        return None
    return (
        f"the loss stands at {loss:.4f}, no better than guessing one of {figures.vocabulary} "
        f"tokens ({guess:.4f}), and the gradient is 0"
    )


def _ceiling_verdict(ceiling: float, figures: RunFigures) -> Verdict:
    loss = figures.metrics.get("eval_loss")
    if loss is None:
        return Verdict("loss", "skipped", _NO_ROWS)
    measured = {"eval_loss": loss, "evaluation.max_acceptable_loss": ceiling}
    if loss > ceiling:
        reason = f"eval_loss {loss:.4f} is above evaluation.max_acceptable_loss ({ceiling:.4f})"
        return Verdict("loss", "failed", reason, measured)
    return Verdict("loss", "passed", measured=measured)


def _improvement_verdict(evaluation: EvaluationConfig | None, figures: RunFigures) -> Verdict:
    name = figures.judged
    value = figures.metrics.get(name)
    if value is None:
        return Verdict("improvement", "skipped", _NO_ROWS)
    sign = -1.0 if figures.higher_is_better else 1.0
    limits: dict[str, float] = {}
    if evaluation and evaluation.baseline_loss is not None and name == "eval_loss":
        limits["evaluation.baseline_loss"] = evaluation.baseline_loss
    before = figures.metrics.get(f"baseline_{name}")
    if before is not None:
        allowed = max(_TOLERATED_SHARE * abs(before), _chance(figures))
        limits[f"the untrained model's {name}"] = before + sign * allowed
    if not limits:
        reason = "the untrained model was not measured and evaluation.baseline_loss is not set"
        return Verdict("improvement", "skipped", reason)
    measured = {name: value, **limits}
    # written so that a value that is no number is worse than everything
    worse = [
        f"{key} ({limit:.4f})" for key, limit in limits.items() if not sign * value <= sign * limit
    ]
    if worse:
        side = "below" if figures.higher_is_better else "above"
        reason = f"{name} {value:.4f} is {side} {' and '.join(worse)}"
        return Verdict("improvement", "failed", reason, measured)
    return Verdict("improvement", "passed", measured=measured)


def _chance(figures: RunFigures) -> float:
    """Return how far two means of sampled rewards may lie apart by chance, 0 without sampling."""
    if not figures.answers:
        return 0.0
    spreads = (
        figures.metrics.get(f"{when}{figures.judged}_std", 0.0) for when in ("", "baseline_")
    )
    return _STANDARD_ERRORS * math.sqrt(sum(spread**2 for spread in spreads) / figures.answers)


_NO_ROWS = "there were no validation rows to evaluate on"
