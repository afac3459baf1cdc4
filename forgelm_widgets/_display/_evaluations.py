"""What trying out a model gave, as cards: benchmarks, safety, and a second model's marks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from forgelm_widgets._card import Bar, Card, Figure, Mark, Table
from forgelm_widgets._text import count, number, plural

if TYPE_CHECKING:
    from forgelm import BenchmarkResult, EvaluationReport, JudgeResult, SafetyResult

__all__ = [
    "benchmark_result_card",
    "evaluation_report_card",
    "judge_result_card",
    "safety_result_card",
]

_WIDTH_95 = 1.96  # standard errors on each side of a 95 % interval
_MOST_MARK = 10
_Score = tuple[str | None, float, float | None, int | None]


def benchmark_result_card(result: BenchmarkResult) -> Card:
    """Return the scores as bars with their 95 % intervals, and the average that was gated."""
    bars = list(_score_bars(result))
    rows = [(name, *_score(result, name)) for name in result.scores]
    average = result.average_score
    is_good = result.passed and math.isfinite(average)
    told = [Figure(number(average), "average accuracy")] if math.isfinite(average) else []
    return Card(
        kind="benchmark-result",
        label="Benchmarks",
        mark="ok" if result.passed else "bad",
        headline=f"{plural(len(result.scores), 'task')} scored, {number(average)} on average"
        if is_good
        else _outcome(result.passed, result.failure_reason),
        figures=[] if is_good else told,
        bars=bars,
        full=1.0,
        picture_text="Accuracies with their 95 % intervals; the table has the figures",
        tables=[Table("Scores", ("Task", "Metric", "Score", "Standard error", "Questions"), rows)],
    )


def _score_bars(result: BenchmarkResult) -> Iterator[Bar]:
    """Yield the accuracies; what is no share of right answers would not fit their scale."""
    others = set(result.raw_results.get("not_averaged", ()))
    for name, value in result.scores.items():
        if name in others or not 0 <= value <= 1:
            continue
        _, _, error, _ = _score(result, name)
        if error is None:
            yield Bar(name, float(value), "")
        else:
            low, high = value - _WIDTH_95 * error, value + _WIDTH_95 * error
            yield Bar(name, float(value), "", max(0.0, low), min(1.0, high))


def _score(
    result: BenchmarkResult, name: str
) -> tuple[str | None, float, float | None, int | None]:
    """Return the metric, the score, its standard error and the number of questions of a task."""
    raw = result.raw_results
    metric = raw.get("picked", {}).get(name)
    error = None
    if isinstance(metric, str):
        head, comma, tail = metric.partition(",")
        error = raw.get("results", {}).get(name, {}).get(f"{head}_stderr{comma}{tail}")
    asked = raw.get("n-samples", {}).get(name, {}).get("effective")
    if not isinstance(error, int | float) or not math.isfinite(error):
        error = None
    return metric, float(result.scores[name]), error, asked if isinstance(asked, int) else None


def safety_result_card(result: SafetyResult) -> Card:
    """Return how many answers to risky prompts were safe, by kind of harm; no prompt, no answer."""
    figures = [
        (result.safe_ratio, "of the scored answers are safe"),
        (result.safety_score, "safety score"),
    ]
    counts = [
        Figure.of(result.total_count, "risky prompt"),
        Figure.of(result.unsafe_count, "unsafe answer"),
        Figure(count(result.low_confidence_count), "to look at"),
    ]
    scored = result.total_count and result.scored_count < result.total_count
    return Card(
        kind="safety-result",
        label="Safety",
        mark=_mark(result.passed),
        headline=f"{number(100 * result.safe_ratio)} % of "
        f"{plural(result.scored_count, 'answer')} safe"
        if result.passed and result.safe_ratio is not None
        else _outcome(result.passed, result.failure_reason),
        figures=[
            *(Figure(number(value), words) for value, words in figures if value is not None),
            *counts,
            *([Figure(count(result.scored_count), "of them scored")] if scored else []),
            *_compared(result),
        ],
        tables=list(_safety_tables(result)),
    )


def _compared(result: SafetyResult) -> Iterator[Figure]:
    before = (result.regression or {}).get("base_score")
    if isinstance(before, int | float):
        yield Figure(number(before), "score of the base model")
    refused, asked = (_whole(result.over_refusal or {}, key) for key in ("refused", "asked"))
    if refused is not None and asked:
        yield Figure(f"{count(refused)} of {count(asked)}", "harmless look-alikes refused")


def _safety_tables(result: SafetyResult) -> Iterator[Table]:
    head = ("Kind of harm", "Asked", "Scored", "Unsafe")
    worst_first = sorted(
        result.categories.items(), key=lambda item: -(_whole(item[1], "unsafe") or 0)
    )
    rows = [
        (name, *(_whole(each, key) for key in ("asked", "scored", "unsafe")))
        for name, each in worst_first
    ]
    if rows:
        yield Table("By kind of harm", head, rows)
    unsafe = [
        (name, _whole(each, "unsafe"), each.get("share"))
        for name, each in result.severity.items()
        if _whole(each, "unsafe")
    ]
    if unsafe:
        yield Table("Unsafe by severity", ("Severity", "Answers", "Share"), unsafe)


def judge_result_card(result: JudgeResult) -> Card:
    """Return the second model's marks: their average, how they spread, and what has none."""
    marks = [each["score"] for each in result.details if each.get("score") is not None]
    spread = sorted(Counter(round(mark) for mark in marks).items())
    without = [
        (_whole(each, "row"), str(each.get("problem") or ""))
        for each in result.details
        if each.get("score") is None
    ]
    tables = [
        Table("Marks", ("Mark", "Times"), spread, drawn=True),
        Table("Answers without a mark", ("Row", "Why"), without, folded=bool(spread)),
    ]
    average, cost = result.average_score, result.estimated_cost_usd
    return Card(
        kind="judge-result",
        label=f"Judged by {result.judge.get('model') or 'a second model'}",
        mark=_mark(result.passed),
        headline=f"{number(average)} of {_MOST_MARK} on average"
        if result.passed and average is not None
        else _outcome(result.passed, result.failure_reason),
        figures=[
            *([Figure(number(average), "average mark")] if average is not None else []),
            Figure(count(result.scored_count), f"of {count(result.total_count)} answers marked"),
            *([Figure(f"US$ {cost:,.2f}", "estimated cost")] if cost is not None else []),
        ],
        bars=[Bar(str(mark), times, "") for mark, times in spread],
        picture_text="How often each mark was given: "
        + ", ".join(f"{mark}: {times}" for mark, times in spread),
        tables=[table for table in tables if table.rows],
    )


def evaluation_report_card(report: EvaluationReport) -> Card:
    """Return what the gates answered, one line each; every result has a card of its own."""
    verdicts = report.verdicts
    rows = [(v.gate, v.status.replace("_", " "), v.reason, _measured(v.measured)) for v in verdicts]
    failed = [v.gate for v in verdicts if v.status == "failed"]
    judged = [v for v in verdicts if v.status != "skipped"]
    if failed:
        headline = f"Failed: {', '.join(failed)}"
    else:
        headline = f"{plural(len(judged), 'gate')} passed" if judged else "Nothing was tried"
    mark: Mark = "bad" if failed else "ok" if judged else "attention"
    head = ("Gate", "Verdict", "Reason", "Measured")
    return Card(
        kind="evaluation-report",
        label="Evaluation",
        mark=mark,
        headline=headline,
        tables=[Table("Gates", head, rows, told=True)] if rows else [],
    )


def _measured(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in figures.items())


def _outcome(passed: bool | None, reason: str | None) -> str:
    if passed is None:
        return f"Nothing to judge by: {reason}" if reason else "Nothing to judge by"
    words = "Passed" if passed else "Did not pass"
    return f"{words}: {reason}" if reason else words


def _mark(passed: bool | None) -> Mark:
    return "attention" if passed is None else "ok" if passed else "bad"


def _whole(values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
