"""The evaluations that a config asks for: as a trainer's gates, and on a model in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from forgelm._core import is_installed
from forgelm.data import hub_session
from forgelm.errors import ConfigError, DataError, ForgeError
from forgelm.evaluation._benchmark import BenchmarkResult, run_benchmark
from forgelm.evaluation._judge import JudgeResult, judge_answers
from forgelm.evaluation._models import load_base, load_trained
from forgelm.evaluation._prompts import read_prompts
from forgelm.evaluation._safety import evaluate_safety, intact_base, probes_file
from forgelm.evaluation._safety_result import SafetyResult
from forgelm.results import Verdict

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = [
    "EvaluationReport",
    "check_evaluation",
    "evaluate_model",
    "evaluation_gates",
]

Record = Callable[..., Any]
Gate = Callable[[Any, Any, "ForgeConfig", Path], tuple[Verdict, Mapping[str, Any]]]


class Evaluation(Protocol):
    """What the three results have in common."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]: ...
    @property
    def train_fields(self) -> dict[str, Any]: ...


@dataclass
class EvaluationReport:
    """What the evaluations of a config gave; None for those it does not ask for.

    Attributes:
        benchmark, safety, judge: What each found.
        output_dir: Where their files lie, a folder for each.
    """

    benchmark: BenchmarkResult | None = None
    safety: SafetyResult | None = None
    judge: JudgeResult | None = None
    output_dir: str = ""

    @property
    def verdicts(self) -> list[Verdict]:
        """The gates' answers, in order."""
        results = (self.benchmark, self.safety, self.judge)
        return [result.verdict for result in results if result is not None]

    @property
    def passed(self) -> bool:
        """No gate failed."""
        return all(verdict.status != "failed" for verdict in self.verdicts)


def evaluate_model(
    config: ForgeConfig,
    model_path: str | Path | None = None,
    *,
    output_dir: str | Path | None = None,
    parts: Sequence[str] | None = None,
    record: Record | None = None,
) -> EvaluationReport:
    """Try out the model in a folder as a config's `evaluation` block says.

    Args:
        config: What to try, and the base model of an adapter.
        model_path: Folder with a model or an adapter. Left out, the final model of the config's
            own run.
        output_dir: Where the results are written, a folder for each part. Left out, the config's
            run directory.
        parts: "benchmark", "safety" or "judge", whether they are enabled or not; left out, those
            that are.
        record: Called with an event's name and its fields, such as `AuditLogger.log_event`.

    Raises:
        ConfigError: Nothing is asked for, or what is asked for cannot be done here.
        DataError: A prompt file has rows that cannot be used.
        EvaluationError: The model cannot be loaded or evaluated.
    """
    wanted = list(parts) if parts is not None else _enabled(config)
    unknown = [part for part in wanted if part not in _PARTS]
    if unknown or not wanted:
        told = f"there is no part {', '.join(unknown)}" if unknown else "no part is enabled"
        raise ConfigError(issues=[("evaluation", f"{told}; choose from {', '.join(_PARTS)}")])
    issues = check_evaluation(config, wanted)
    if issues:
        raise ConfigError(issues=issues)
    training = config.training
    folder = Path(model_path or Path(training.output_dir) / training.final_model_dir).expanduser()
    results = Path(output_dir or training.output_dir).expanduser()
    report = EvaluationReport(output_dir=str(results))
    with hub_session(config):
        model, tokenizer = load_trained(folder, config)
        for part in wanted:
            result = _PARTS[part](model, tokenizer, config, results)
            setattr(report, part, result)
            _record(result, record)
    return report


def evaluation_gates(config: ForgeConfig, record: Record | None = None) -> list[Gate]:
    """Return a gate for each evaluation that a config enables, in the order they should run.

    A gate takes `(model, tokenizer, config, run_dir)`, writes its file in the run directory, gives
    its events to `record`, and returns a verdict and the fields of the `TrainResult`. What cannot
    be evaluated has failed, with the cause as the reason.

    Args:
        config: Its `evaluation` block says which.
        record: Called with an event's name and its fields, such as `AuditLogger.log_event`.
    """
    return [_gate(part, record) for part in _enabled(config)]


def check_evaluation(
    config: ForgeConfig, parts: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """Return what would keep the evaluations from running, as `(path, problem)`.

    Quick enough to be asked before a model is loaded: packages, prompt files and API keys.
    """
    wanted = _enabled(config) if parts is None else parts
    return [issue for part in wanted for issue in _CHECKS[part](config)]


def _gate(part: str, record: Record | None) -> Gate:
    def gate(
        model: Any, tokenizer: Any, config: ForgeConfig, run_dir: Path
    ) -> tuple[Verdict, Mapping[str, Any]]:
        try:
            result = _PARTS[part](model, tokenizer, config, run_dir)
        except ForgeError as error:
            if record is not None:
                record(f"{part}.evaluation_completed", passed=False, reason=str(error))
            return Verdict(part, "failed", str(error)), {}
        _record(result, record)
        return result.verdict, result.train_fields

    gate.__name__ = part
    return gate


def _record(result: Evaluation, record: Record | None) -> None:
    if record is not None:
        for event, fields in result.events:
            record(event, **fields)


def _enabled(config: ForgeConfig) -> list[str]:
    blocks = config.evaluation
    if blocks is None:
        return []
    found = {"benchmark": blocks.benchmark, "safety": blocks.safety, "judge": blocks.llm_judge}
    return [part for part, block in found.items() if block is not None and block.enabled]


def _benchmark(model: Any, tokenizer: Any, config: ForgeConfig, run_dir: Path) -> Evaluation:
    settings = config.evaluation.benchmark if config.evaluation else None
    if settings is None:
        raise ConfigError(issues=[("evaluation.benchmark", "the block is missing")])
    return run_benchmark(
        model,
        tokenizer,
        settings.tasks,
        num_fewshot=settings.num_fewshot,
        batch_size=settings.batch_size,
        limit=settings.limit,
        output_dir=settings.output_dir or str(run_dir / "benchmark"),
        min_score=settings.min_score,
    )


def _safety(model: Any, tokenizer: Any, config: ForgeConfig, run_dir: Path) -> Evaluation:
    base = None if intact_base(model) else load_base(config)
    folder = str(run_dir / "safety")
    return evaluate_safety(model, tokenizer, config, base_model=base, output_dir=folder)


def _judge(model: Any, tokenizer: Any, config: ForgeConfig, run_dir: Path) -> Evaluation:
    return judge_answers(model, tokenizer, config, output_dir=str(run_dir / "judge"))


def _check_benchmark(config: ForgeConfig) -> Iterator[tuple[str, str]]:
    settings = config.evaluation and config.evaluation.benchmark
    if not settings or not settings.tasks:
        yield "evaluation.benchmark.tasks", "there are none; name at least one"
    if not is_installed("lm_eval"):
        yield "evaluation.benchmark", "lm-eval is missing; pip install 'forgelm[eval]'"


def _check_safety(config: ForgeConfig) -> Iterator[tuple[str, str]]:
    settings = config.evaluation and config.evaluation.safety
    if settings:
        yield from _check_prompts("evaluation.safety.test_prompts", probes_file(settings))


def _check_judge(config: ForgeConfig) -> Iterator[tuple[str, str]]:
    settings = config.evaluation and config.evaluation.llm_judge
    if not settings:
        yield "evaluation.llm_judge", "the block is missing"
        return
    path = Path(settings.eval_dataset).expanduser()
    yield from _check_prompts("evaluation.llm_judge.eval_dataset", path)
    name = settings.judge_api_key_env
    if name and not os.environ.get(name, "").strip():
        told = f"the environment variable {name} is not set; put the judge's API key there"
        yield "evaluation.llm_judge.judge_api_key_env", told


def _check_prompts(key: str, path: Path) -> Iterator[tuple[str, str]]:
    try:
        read_prompts(path)
    except (DataError, OSError) as error:
        yield key, str(error)


_PARTS: dict[str, Callable[[Any, Any, ForgeConfig, Path], Any]] = {
    "benchmark": _benchmark,
    "safety": _safety,
    "judge": _judge,
}
_CHECKS: dict[str, Callable[[ForgeConfig], Iterator[tuple[str, str]]]] = {
    "benchmark": _check_benchmark,
    "safety": _check_safety,
    "judge": _check_judge,
}
