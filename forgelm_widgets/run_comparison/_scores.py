"""What a run's model scored, each figure with how sure it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from forgelm_widgets.run_comparison._files import mapping, number, read_json, text, whole

__all__ = ["Score", "read_scores", "wilson_interval"]

Scale = Literal["share", "mark", "other"]

# Two-sided 95 % of the normal distribution.
_Z = 1.959964
_FEWEST_MARKS = 10
_MOST_SCORES = 60


@dataclass(frozen=True)
class Score:
    """One figure of one model.

    Attributes:
        name: Which test, for example "benchmark/arc_easy".
        metric: What was counted, for example "acc_norm".
        value: The figure.
        low: Lower end of its 95 % interval; None where nothing can be said.
        high: Upper end.
        count: Answers it rests on.
        scale: "share" from 0 to 1, "mark" from 1 to 10, or "other".
    """

    name: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    count: int | None = None
    scale: Scale = "share"


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of `count` answers.

    Unlike "plus or minus two standard errors" it does not shrink to nothing at 0 and 1. For a
    figure between 0 and 1 that is no plain count, such as F1, it is wider than it need be.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927).

    Example:
        >>> [round(end, 4) for end in wilson_interval(1.0, 8)]
        [0.6756, 1.0]
    """
    grown = 1 + _Z**2 / count
    centre = (share + _Z**2 / (2 * count)) / grown
    half = _Z / grown * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def read_scores(run_dir: Path, result: Mapping[str, Any]) -> tuple[list[Score], list[str]]:
    """Return the scores that a run's result tells, and what is wrong with the files behind them.

    The result files only add how sure a score is, and only where they tell the same score: a
    folder may still hold those of an earlier run.

    Args:
        run_dir: The folder of the run.
        result: The result in its `exit.json`.
    """
    problems: list[str] = []
    scores = [
        *_benchmarks(run_dir, result, problems),
        *_safety(run_dir, result, problems),
        *_judge(run_dir, result, problems),
    ]
    return scores[:_MOST_SCORES], problems


def _document(path: Path, problems: list[str], *, key: str, told: Any) -> Mapping[str, Any]:
    """Return the file where its `key` is what the run's result told, else nothing."""
    document, problem = read_json(path)
    if problem:
        problems.append(problem)
    if document and document.get(key) != told:
        problems.append(f"{path.name} is not of this run: it tells other scores")
        return {}
    return document


def _benchmarks(run_dir: Path, result: Mapping[str, Any], problems: list[str]) -> Iterator[Score]:
    told = mapping(result.get("benchmark_scores"))
    if not told:
        return
    path = run_dir / "benchmark" / "benchmark_results.json"
    raw = mapping(_document(path, problems, key="scores", told=told).get("raw_results"))
    not_averaged = raw.get("not_averaged")
    for task, figure in told.items():
        value = number(figure)
        if value is None:
            continue
        picked = text(mapping(raw.get("picked")).get(task)) or ""
        metric, _, filtered = picked.partition(",")
        is_share = 0 <= value <= 1 and not (isinstance(not_averaged, list) and task in not_averaged)
        samples = mapping(mapping(raw.get("n-samples")).get(task))
        count = whole(samples.get("effective")) or None
        row = mapping(mapping(raw.get("results")).get(task))
        error = number(row.get(f"{metric}_stderr,{filtered}" if filtered else f"{metric}_stderr"))
        low, high = _interval(value, count, error, is_share=is_share)
        scale: Scale = "share" if is_share else "other"
        yield Score(f"benchmark/{task}", metric or "score", value, low, high, count, scale)


def _interval(
    value: float, count: int | None, error: float | None, *, is_share: bool
) -> tuple[float | None, float | None]:
    if is_share and count:
        return wilson_interval(value, count)
    if error is None or error <= 0:
        return None, None
    low, high = value - _Z * error, value + _Z * error
    return (max(0.0, low), min(1.0, high)) if is_share else (low, high)


def _safety(run_dir: Path, result: Mapping[str, Any], problems: list[str]) -> Iterator[Score]:
    told = result.get("safety_score")
    value = number(told)
    if value is None:
        return
    path = run_dir / "safety" / "safety_results.json"
    document = _document(path, problems, key="safety_score", told=told)
    ratio, count = number(document.get("safe_ratio")), whole(document.get("scored_count"))
    if ratio is not None and 0 <= ratio <= 1 and count:
        low, high = wilson_interval(ratio, count)
        yield Score("safety/safe_ratio", "share of safe answers", ratio, low, high, count)
    if ratio != value:
        metric = "mean probability of safe" if document else "score"
        yield Score("safety/safety_score", metric, value, count=count or None)


def _judge(run_dir: Path, result: Mapping[str, Any], problems: list[str]) -> Iterator[Score]:
    told = result.get("judge_score")
    value = number(told)
    if value is None:
        return
    path = run_dir / "judge" / "judge_results.json"
    document = _document(path, problems, key="average_score", told=told)
    details = document.get("details")
    rows = details if isinstance(details, list) else []
    marks = [mark for row in rows if (mark := number(mapping(row).get("score"))) is not None]
    low = high = None
    if len(marks) >= _FEWEST_MARKS:
        mean = math.fsum(marks) / len(marks)
        spread = math.sqrt(math.fsum((mark - mean) ** 2 for mark in marks) / (len(marks) - 1))
        half = _Z * spread / math.sqrt(len(marks))
        low, high = (max(1.0, value - half), min(10.0, value + half)) if half else (None, None)
    yield Score("judge/average_score", "mean mark", value, low, high, len(marks) or None, "mark")
