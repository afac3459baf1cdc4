"""Gates that try the trained model out: those of the config, and a caller's own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.results import Verdict
from forgelm.trainer.outcome._gates import first_failure

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig
    from forgelm.results import TrainResult

__all__ = ["Gate", "run_gates"]

logger = logging.getLogger(__name__)

Gate = Callable[[Any, Any, "ForgeConfig", Path], tuple[Verdict, Mapping[str, Any]]]

# What a gate may fill in of a result, beside `metrics`, which are added to the run's own.
_FIELDS = frozenset(
    {
        "benchmark_average",
        "benchmark_passed",
        "benchmark_scores",
        "judge_details",
        "judge_score",
        "safety_categories",
        "safety_low_confidence",
        "safety_passed",
        "safety_score",
        "safety_severity",
    }
)


def run_gates(
    gates: Sequence[Gate],
    result: TrainResult,
    *,
    model: Any,
    tokenizer: Any,
    config: ForgeConfig,
    run_dir: Path,
) -> list[Verdict]:
    """Ask each gate about the model, and add its verdict and its figures to `result`.

    A gate that raises, or answers in another shape, has failed: a model that could not be judged
    does not pass. After the first failure the rest are skipped, and say so.

    Returns:
        The gates' verdicts, in order.
    """
    added = []
    for gate in gates:
        failed = first_failure(result.verdicts)
        if failed is not None:
            reason = f"not tried, because the gate {failed.gate!r} failed"
            verdict = Verdict(_name(gate), "skipped", reason)
        else:
            verdict, fields = _answer(gate, model, tokenizer, config, run_dir)
            result.metrics |= fields.pop("metrics", {})
            for field, value in fields.items():
                setattr(result, field, value)
        result.verdicts.append(verdict)
        added.append(verdict)
    return added


def _answer(
    gate: Gate, model: Any, tokenizer: Any, config: ForgeConfig, run_dir: Path
) -> tuple[Verdict, dict[str, Any]]:
    name = _name(gate)
    try:
        with _in_evaluation_mode(model):
            answer: Any = gate(model, tokenizer, config, run_dir)
        verdict, fields = answer[0], dict(answer[1])
        figures = dict(fields.pop("metrics", {})).items()
        metrics = {str(key): float(figure) for key, figure in figures}
    except Exception as error:
        logger.exception("the gate %s raised", name)
        reason = f"the model could not be judged: {type(error).__name__}; the log has the details"
        return Verdict(name, "failed", reason), {}
    if not isinstance(verdict, Verdict):
        reason = f"a gate returns (Verdict, fields); this one returned {type(verdict).__name__}"
        return Verdict(name, "failed", reason), {}
    unknown = sorted(map(str, set(fields) - _FIELDS))
    if unknown:
        reason = f"a gate may not set {', '.join(unknown)} of a result"
        return Verdict(name, "failed", reason), {}
    return verdict, {**fields, "metrics": metrics}


@contextmanager
def _in_evaluation_mode(model: Any) -> Iterator[None]:
    """Switch dropout off for a gate, and leave the model as it was."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _name(gate: Gate) -> str:
    return getattr(gate, "__name__", type(gate).__name__)
