"""Public benchmarks over lm-eval-harness, scored so that the average can be gated."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from forgelm._core import json_safe, require, write_json_atomic
from forgelm.errors import ConfigError
from forgelm.evaluation._benchmark_run import run_tasks
from forgelm.evaluation._benchmark_scores import average_of, pick_score
from forgelm.evaluation._benchmark_tasks import LoadedTasks, load_tasks
from forgelm.results import Verdict, VerdictStatus

__all__ = ["BenchmarkResult", "run_benchmark"]

_FEATURE = "Running benchmarks"
_RAW = (
    "results",
    "group_subtasks",
    "versions",
    "n-shot",
    "higher_is_better",
    "n-samples",
    "task_hashes",
    "lm_eval_version",
    "transformers_version",
)
# lm-eval's "auto" tries larger batches until memory runs out, which a machine without an
# accelerator does not survive.
_BATCH_ON_CPU = 8


@dataclass
class BenchmarkResult:
    """What the benchmarks gave.

    Attributes:
        scores: A figure for each task that was asked for, and for each task of a tag.
        average_score: Mean of the accuracies, a group counted once; NaN where there are none.
        passed: Every task has a score, and the average reaches `min_score`, if that was set.
        failure_reason: Why it did not pass, in one sentence.
        raw_results: lm-eval's own figures: standard errors, sample counts, versions; `picked`, the
            metric each score was taken from; `not_averaged`, the scores that are no accuracy.
    """

    scores: dict[str, float]
    average_score: float
    passed: bool
    failure_reason: str | None = None
    raw_results: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The gate's answer, "benchmark"."""
        measured = {} if math.isnan(self.average_score) else {"average": self.average_score}
        status: VerdictStatus = "passed" if self.passed else "failed"
        return Verdict("benchmark", status, self.failure_reason, measured)

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The audit log's entries, as `(event, fields)`."""
        average = None if math.isnan(self.average_score) else self.average_score
        fields: dict[str, Any] = {"passed": self.passed, "average": average}
        fields["scores"] = dict(self.scores)
        if self.failure_reason:
            fields["reason"] = self.failure_reason
        return [("benchmark.evaluation_completed", fields)]

    @property
    def train_fields(self) -> dict[str, Any]:
        """What a `TrainResult` takes over, `metrics` among it."""
        average = None if math.isnan(self.average_score) else self.average_score
        metrics = {f"benchmark/{task}": score for task, score in self.scores.items()}
        if average is not None:
            metrics["benchmark/average"] = average
        return {
            "benchmark_scores": dict(self.scores),
            "benchmark_average": average,
            "benchmark_passed": self.passed,
            "metrics": metrics,
        }


def run_benchmark(
    model: Any,
    tokenizer: Any,
    tasks: list[str],
    num_fewshot: int | None = None,
    batch_size: str = "auto",
    limit: int | None = None,
    output_dir: str | None = None,
    min_score: float | None = None,
    *,
    include_path: str | None = None,
) -> BenchmarkResult:
    """Run benchmarks of lm-eval-harness on a model and return their scores.

    Data sets that lie on this machine are used without a look at the network. A task's own
    Python functions run: take tasks only from people you trust. The model is left as it was found.

    Args:
        model: A causal language model of transformers, with or without an adapter.
        tokenizer: Its tokenizer.
        tasks: Names of tasks, groups or tags, or paths of task files (`quiz.yaml`).
        num_fewshot: Worked examples before each question; None for each task's own number.
        batch_size: Questions at once: a number, or "auto" (on a CPU that is 8).
        limit: Use only so many questions of each task.
        output_dir: Where `benchmark_results.json` is written, if it is to be.
        min_score: Lowest average that passes.
        include_path: Folder with task files of your own.

    Raises:
        ConfigError: A task is not known, or `batch_size` is no number.
        EvaluationError: lm-eval could not load a task or finish.
        OptionalDependencyError: The `eval` extra is not installed.
        OSError: The results cannot be written.
    """
    require("lm_eval", extra="eval", feature=_FEATURE)
    batch = _batch_size(batch_size, model)
    loaded = load_tasks(tasks, include_path)
    raw = run_tasks(model, tokenizer, loaded, batch, num_fewshot=num_fewshot, limit=limit)
    result = _judge(raw, loaded, min_score)
    result.raw_results["settings"] = {
        "num_fewshot": num_fewshot,
        "batch_size": batch,
        "limit": limit,
        "min_score": min_score,
    }
    if output_dir is not None:
        folder = Path(output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder / "benchmark_results.json", asdict(result))
    return result


def _judge(raw: Mapping[str, Any], loaded: LoadedTasks, min_score: float | None) -> BenchmarkResult:
    rows, better = raw.get("results", {}), raw.get("higher_is_better", {})
    samples = raw.get("n-samples", {})
    picked = {}
    for name in loaded.entries:
        counted = [samples.get(task, {}).get("effective", 0) for task in loaded.leaves[name]]
        score = pick_score(rows.get(name, {}), better.get(name))
        if score is not None and all(counted):
            picked[name] = score
    missing = [name for name in loaded.entries if name not in picked]
    average = average_of(picked, loaded.averaged)
    kept = {key: json_safe(raw[key]) for key in _RAW if key in raw}
    kept["picked"] = {name: score.metric for name, score in picked.items()}
    kept["not_averaged"] = [name for name, score in picked.items() if not score.averaged]
    reason = _failure(missing, average, min_score)
    scores = {name: score.value for name, score in picked.items()}
    return BenchmarkResult(scores, average, reason is None, reason, kept)


def _failure(missing: list[str], average: float, min_score: float | None) -> str | None:
    if missing:
        return f"no score for {', '.join(missing)}"
    if min_score is None or average >= min_score:
        return None
    if math.isnan(average):
        return f"no task has an accuracy to compare with min_score ({min_score:.4f})"
    return f"the average score {average:.4f} is below min_score ({min_score:.4f})"


def _batch_size(batch_size: str | int, model: Any) -> int | str:
    text = str(batch_size).strip()
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    if text == "auto" or (text.startswith("auto:") and text[5:].isdigit()):
        return _BATCH_ON_CPU if model.device.type == "cpu" else text
    problem = f"{batch_size!r} is no batch size; write auto or a number such as '8'"
    raise ConfigError(issues=[("evaluation.benchmark.batch_size", problem)])
