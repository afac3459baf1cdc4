"""`forgelm train CONFIG`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import exit_code_of_training
from forgelm.cli._output import ForgeCommand, Presentation, shown

if TYPE_CHECKING:
    from forgelm.results import TrainResult

__all__ = ["train", "training_document", "training_lines"]


def _present(result: TrainResult) -> Presentation:
    lines = training_lines(result)
    if result.output_dir is not None:
        lines += ["", f"Next: forgelm verify-audit {shown(result.output_dir)}"]
    return Presentation("\n".join(lines), training_document(result), exit_code_of_training(result))


@click.command(cls=ForgeCommand, present=_present)
@click.argument("config")
def train(config: str) -> TrainResult:
    """Fine-tune a model as the YAML file CONFIG says.

    Ctrl-C stops at the end of the step and keeps what was learned as a checkpoint.
    """
    from forgelm.config import load_config
    from forgelm.trainer import ForgeTrainer

    return ForgeTrainer(load_config(config)).train()


def training_document(result: TrainResult) -> dict[str, Any]:
    """Return every field of a training result, and where its files are."""
    return {**dataclasses.asdict(result), "output_dir": result.output_dir}


def training_lines(result: TrainResult) -> list[str]:
    """Return what became of a run, what it scored and where its files are, a line each."""
    lines = [_headline(result)]
    before, after = (result.metrics.get(key) for key in ("baseline_eval_loss", "eval_loss"))
    if before is not None and after is not None:
        lines.append(f"  validation loss  {before:.3f} -> {after:.3f} nats a token")
    for verdict in result.verdicts:
        reason = f": {verdict.reason}" if verdict.reason else ""
        lines.append(f"  gate {verdict.gate:<11} {verdict.status}{reason}")
    places = {
        "model": result.final_model_path,
        "waiting model": result.staging_path,
        "checkpoint": None if result.success else result.last_checkpoint,
        "run directory": result.output_dir,
    }
    lines += [f"  {name:<16} {shown(place)}" for name, place in places.items() if place]
    return lines


def _headline(result: TrainResult) -> str:
    if result.awaiting_approval:
        return "Training finished; the model waits for a person's approval."
    if result.success:
        wall_s = (result.resource_usage or {}).get("training_duration_seconds")
        return "Training finished" + (f" in {wall_s:.0f} s." if wall_s is not None else ".")
    if result.stopped:
        return "Training was stopped; the checkpoint below has what was learned so far."
    return f"Training did not succeed: {result.error}"
