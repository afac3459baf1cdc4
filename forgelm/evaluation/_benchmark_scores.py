"""From lm-eval's table of figures to one score a task and an average that means something."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["TaskScore", "average_of", "pick_score"]

_FIRST = ("acc_norm,none", "acc,none", "acc_norm", "acc")
# Shares of right answers in [0, 1], by the names that lm-eval's tasks give them.
_ACCURACY = re.compile(r"(\w+_)?acc(uracy)?(_\w+)?|exact_match|em|f1|mc[12]|pass(@|_at_)\d+")
_STDERR = "_stderr"


class TaskScore(NamedTuple):
    """One task's figure; `averaged` says whether it is a share of right answers."""

    metric: str
    value: float
    averaged: bool


def pick_score(
    row: Mapping[str, Any], higher_is_better: Mapping[str, bool | None] | None = None
) -> TaskScore | None:
    """Return the figure that stands for a task, or None where it has none.

    It is the first of `acc_norm,none`, `acc,none`, `acc_norm`, `acc`; else another accuracy; else
    any other figure, such as a perplexity, which is told but never averaged.

    Args:
        row: lm-eval's figures of the task, by `metric,filter`.
        higher_is_better: By metric, without the filter. A metric that should fall is no accuracy.

    Example:
        >>> pick_score({"alias": "quiz", "acc,none": 0.5, "acc_norm,none": 0.75})
        TaskScore(metric='acc_norm,none', value=0.75, averaged=True)
        >>> pick_score({"word_perplexity,none": 21.5}, {"word_perplexity": False})
        TaskScore(metric='word_perplexity,none', value=21.5, averaged=False)
    """
    better = higher_is_better or {}
    figures = {
        key: float(value)
        for key, value in row.items()
        if _STDERR not in key and key not in _NOT_METRICS and _is_finite(value)
    }
    ranked = [key for key in _FIRST if key in figures] + [key for key in figures if "," in key]
    for key in ranked:
        metric = key.partition(",")[0]
        if _ACCURACY.fullmatch(metric) and better.get(metric) is not False:
            value = figures[key]
            # Some tasks give percentages, which no share may be averaged with.
            return TaskScore(key, value, averaged=0.0 <= value <= 1.0)
    return TaskScore(ranked[0], figures[ranked[0]], averaged=False) if ranked else None


def average_of(scores: Mapping[str, TaskScore], names: Sequence[str]) -> float:
    """Return the mean of the accuracies among `names`, and NaN where there is none."""
    values = [scores[name].value for name in names if name in scores and scores[name].averaged]
    return math.fsum(values) / len(values) if values else math.nan


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


_NOT_METRICS = {"alias", "name", "sample_len", "sample_count"}
