"""What becomes of a trained model: kept, set aside for a person's approval, or rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import write_json_atomic
from forgelm.evaluation import evaluation_gates
from forgelm.results import Verdict
from forgelm.trainer.outcome._evaluators import Gate, run_gates
from forgelm.trainer.outcome._gates import RunFigures, judge_figures
from forgelm.trainer.outcome._record import RunRecord

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig
    from forgelm.results import TrainResult

__all__ = ["judge_model", "place_model"]

_REJECTED = "rejected"
_VERDICTS = "verdicts.json"


def judge_model(
    result: TrainResult,
    record: RunRecord,
    figures: RunFigures,
    gates: Sequence[Gate],
    *,
    model: Any,
    tokenizer: Any,
    config: ForgeConfig,
    run_dir: Path,
) -> None:
    """Add every gate's verdict to `result`, and `error` when one failed; record them all.

    First those on the run's own figures, then benchmark, safety and judge, then a caller's own.
    """
    result.verdicts += judge_figures(config.evaluation, figures)
    record.judged(result)
    ask = partial(run_gates, model=model, tokenizer=tokenizer, config=config, run_dir=run_dir)
    ask(evaluation_gates(config, record.wrote), result)
    for verdict in ask(gates, result):
        record.gate_judged(verdict)
    failed = [verdict.reason for verdict in result.verdicts if verdict.status == "failed"]
    if failed:
        result.error = "; ".join(reason or "a gate failed" for reason in failed)


def place_model(
    result: TrainResult,
    record: RunRecord,
    save: Callable[[Path], object],
    *,
    config: ForgeConfig,
    run_dir: Path,
) -> None:
    """Write the model to where its verdicts send it, and say so in `result` and in the record.

    A model that passed goes to `final_model/`, or beside it where a person has to approve it. One
    that failed is quarantined in `rejected/<run id>/` with `auto_revert`, and not written without;
    what stood at `final_model/` stays there either way.

    Args:
        result: The judged result.
        record: The run's audit log.
        save: Writes the model to a folder, whole or not at all.
        config: The configuration.
        run_dir: The folder of the run.
    """
    evaluation = config.evaluation
    final = run_dir / config.training.final_model_dir
    if any(verdict.status == "failed" for verdict in result.verdicts):
        if evaluation and evaluation.auto_revert:
            _quarantine(result, record, save, run_dir, final)
        return
    asked = evaluation is not None and evaluation.require_human_approval
    if asked:
        reason = "evaluation.require_human_approval is set: a person has to approve the model"
        result.verdicts.append(Verdict("human_approval", "awaiting_approval", reason))
    waiting = next((v for v in result.verdicts if v.status == "awaiting_approval"), None)
    if waiting is None:
        save(final)
        result.success = True
        result.final_model_path = str(final)
        return
    staged = final.with_name(f"{final.name}.staging.{result.run_id}")
    save(staged)
    result.success = True
    result.awaiting_approval = True
    result.staging_path = str(staged)
    record.approval_required(waiting, result)


def _quarantine(
    result: TrainResult,
    record: RunRecord,
    save: Callable[[Path], object],
    run_dir: Path,
    final: Path,
) -> None:
    folder = run_dir / _REJECTED / str(result.run_id)
    folder.mkdir(parents=True)
    verdicts = [asdict(verdict) for verdict in result.verdicts]
    write_json_atomic(folder / _VERDICTS, {"run_id": result.run_id, "verdicts": verdicts})
    save(folder / final.name)
    result.reverted = True
    result.rejected_path = str(folder / final.name)
    record.reverted(result, standing=str(final) if final.exists() else None)
