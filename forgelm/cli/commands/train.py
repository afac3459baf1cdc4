"""`forgelm train CONFIG`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import exit_code_of_training
from forgelm.cli._output import ForgeCommand, Presentation, shown, verdict_lines
from forgelm.cli.commands.dry_run import DRY_RUN_ROWS, present_preflight

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig
    from forgelm.results import TrainResult
    from forgelm.runs import Run
    from forgelm.trainer import PreflightReport

__all__ = ["present_launched", "present_training", "train", "training_document", "training_lines"]


def present_training(result: TrainResult) -> Presentation:
    """Say what became of a training in this process."""
    lines = training_lines(result)
    if result.output_dir is not None:
        lines += ["", f"Next: forgelm verify-audit {shown(result.output_dir)}"]
    return Presentation("\n".join(lines), training_document(result), exit_code_of_training(result))


def present_launched(run: Run) -> Presentation:
    """Say that a run goes on by itself, and how to follow it."""
    status, folder = run.status(), shown(run.run_dir)
    lines = [
        f"Run {status.run_id} goes on in process {status.pid}, also when this terminal closes.",
        f"  look    forgelm runs status {folder}",
        f"  wait    forgelm runs wait {folder}",
        f"  stop    forgelm runs stop {folder}",
    ]
    return Presentation("\n".join(lines), status.to_dict())


def _present(outcome: TrainResult | Run | PreflightReport) -> Presentation:
    from forgelm.results import TrainResult
    from forgelm.trainer import PreflightReport

    if isinstance(outcome, TrainResult):
        return present_training(outcome)
    if isinstance(outcome, PreflightReport):
        return present_preflight(outcome)
    return present_launched(outcome)


@click.command(cls=ForgeCommand, present=_present)
@click.argument("config")
@click.option("--detach", is_flag=True, help="Start it and return; see forgelm runs.")
@click.option("--resume", is_flag=True, help="Go on from the newest valid checkpoint.")
@click.option("--dry-run", is_flag=True, help="Say every problem at once, and train nothing.")
def train(
    config: str | ForgeConfig, detach: bool, resume: bool, dry_run: bool
) -> TrainResult | Run | PreflightReport:
    """Fine-tune a model as the YAML file CONFIG says.

    Ctrl-C stops at the end of the step and keeps what was learned as a checkpoint.
    """
    from forgelm.config import load_config
    from forgelm.runs import launch_run, resume_run
    from forgelm.trainer import ForgeTrainer, preflight

    if dry_run:
        return preflight(config, rows=DRY_RUN_ROWS)
    checked = load_config(config) if isinstance(config, str) else config
    if not detach:
        return ForgeTrainer(checked).train(resume=resume)
    # Nobody watches a detached run begin: what can be known to fail, fails here.
    preflight(checked, rows=DRY_RUN_ROWS, count_tokens=False).raise_for_errors()
    return resume_run(checked.training.output_dir, checked) if resume else launch_run(checked)


def training_document(result: TrainResult) -> dict[str, Any]:
    """Return every field of a training result, and where its files are."""
    return {**dataclasses.asdict(result), "output_dir": result.output_dir}


def training_lines(result: TrainResult) -> list[str]:
    """Return what became of a run, what it scored and where its files are, a line each."""
    lines = [_headline(result)]
    lines += _scores(result.metrics)
    lines += [verdict_lines(verdict) for verdict in result.verdicts]
    places = {
        "model": result.final_model_path,
        "waiting model": result.staging_path,
        "checkpoint": None if result.success else result.last_checkpoint,
        "run directory": result.output_dir,
    }
    lines += [f"  {name:<16} {shown(place)}" for name, place in places.items() if place]
    return lines


def _scores(metrics: dict[str, float]) -> list[str]:
    """Return what the model scored before and after, a line for each figure it is judged by."""
    names = {"eval_loss": "validation loss", "eval_reward": "mean reward"}
    found = {name: metrics.get(f"baseline_{name}") for name in names}
    return [
        f"  {names[name]:<16} {before:.3f} -> {metrics[name]:.3f}"
        for name, before in found.items()
        if before is not None and name in metrics
    ]


def _headline(result: TrainResult) -> str:
    if result.awaiting_approval:
        return "Training finished; the model waits for a person's approval."
    if result.success:
        wall_s = (result.resource_usage or {}).get("training_duration_seconds")
        return "Training finished" + (f" in {wall_s:.0f} s." if wall_s is not None else ".")
    if result.stopped:
        return "Training was stopped; the checkpoint below has what was learned so far."
    return f"Training did not succeed: {result.error}"
