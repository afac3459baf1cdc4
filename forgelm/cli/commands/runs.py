"""`forgelm runs`: list the runs of a folder; look at, wait for, stop or resume one of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import ForgeCommand, Presentation, shared_options, shown
from forgelm.cli.commands.train import present_launched, present_training

if TYPE_CHECKING:
    from forgelm.results import TrainResult
    from forgelm.runs import Run, RunStatus

__all__ = ["runs"]

_COLUMNS = "{:<16} {:<9} {:>13}  {:>8}  {}"


class _RunsGroup(click.Group):
    """A group whose first word may be a folder: `forgelm runs FOLDER` lists it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return super().resolve_command(ctx, ["list", *args])
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"-h", "--help"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunsGroup)
def runs() -> None:
    """List the runs of a folder: forgelm runs [FOLDER].

    A run goes on in a process of its own. Every command here works from any process and any time:
    it reads the run directory.
    """


runs.params += shared_options()


def _list_presentation(found: Sequence[RunStatus]) -> Presentation:
    lines = [_COLUMNS.format("RUN", "STATE", "STEP", "LOSS", "FOLDER")] if found else ["no runs"]
    for status in found:
        state = "rejected" if status.success is False else status.state
        loss = status.eval_loss if status.eval_loss is not None else status.loss
        place = f"{status.step}/{status.max_steps}" if status.max_steps else ""
        figure = f"{loss:.4f}" if loss is not None else ""
        folder = shown(status.run_dir)
        lines.append(_COLUMNS.format(status.run_id, state, place, figure, folder))
    return Presentation("\n".join(lines), {"runs": [status.to_dict() for status in found]})


@runs.command("list", cls=ForgeCommand, present=_list_presentation)
@click.argument("folder", default=".")
def list_command(folder: str) -> list[RunStatus]:
    """List every run in FOLDER and the two levels below, the newest first."""
    from forgelm.runs import list_runs

    return list_runs(folder)


def _status_presentation(status: RunStatus) -> Presentation:
    lines = [str(status)]
    figures = {
        "model": status.model,
        "loss": _figure(status.loss),
        "eval loss": _figure(status.eval_loss),
        "time left": f"{status.eta_s:.0f} s" if status.eta_s is not None else None,
        "checkpoint": shown(status.checkpoint) if status.checkpoint else None,
        "final model": shown(status.final_model) if status.final_model else None,
        "process": f"{status.pid} on {status.host}" if not status.ended else None,
        "run directory": shown(status.run_dir),
    }
    lines += [f"  {name:<16} {value}" for name, value in figures.items() if value]
    return Presentation("\n".join(lines), status.to_dict(), _exit_code(status))


def _figure(value: float | None) -> str | None:
    return f"{value:.4f}" if value is not None else None


def _exit_code(status: RunStatus) -> ExitCode:
    """Return what a script branches on: only a run that came to a bad end is a failure."""
    if status.state in {"failed", "died"}:
        return ExitCode.RUNTIME
    return ExitCode.GATE_FAILED if status.success is False else ExitCode.SUCCESS


@runs.command("status", cls=ForgeCommand, present=_status_presentation)
@click.argument("run_dir")
def status_command(run_dir: str) -> RunStatus:
    """Say where the run in RUN_DIR stands."""
    from forgelm.runs import attach_run

    return attach_run(run_dir).status()


@runs.command("stop", cls=ForgeCommand, present=_status_presentation)
@click.argument("run_dir")
@click.option("--reason", default="asked to stop", show_default=True, help="Why; it is recorded.")
@click.option(
    "--timeout", default=60.0, show_default=True, type=click.FloatRange(0), help="Seconds to wait."
)
@click.option(
    "--keep-best", is_flag=True, help="Judge and save the best checkpoint as the final model."
)
def stop_command(run_dir: str, reason: str, timeout: float, keep_best: bool) -> RunStatus:
    """Stop the run in RUN_DIR at the end of its step; it saves a checkpoint first."""
    from forgelm.runs import attach_run

    return attach_run(run_dir).stop(reason, timeout=timeout, keep_best=keep_best)


@runs.command("wait", cls=ForgeCommand, present=_status_presentation)
@click.argument("run_dir")
@click.option("--timeout", default=None, type=click.FloatRange(0), help="Seconds to wait at most.")
def wait_command(run_dir: str, timeout: float | None) -> RunStatus:
    """Wait until the run in RUN_DIR has ended. Ctrl-C ends the waiting, not the run."""
    from forgelm.errors import TrainingError
    from forgelm.runs import attach_run

    try:
        return attach_run(run_dir).wait(timeout)
    except TimeoutError as error:
        raise TrainingError(str(error)) from None


@runs.command("resume", cls=ForgeCommand, present=present_launched)
@click.argument("run_dir")
@click.option("--config", metavar="CONFIG", help="The YAML file; needed when it has secrets in it.")
def resume_command(run_dir: str, config: str | None) -> Run:
    """Go on with a run that was stopped or died, in a process of its own."""
    from forgelm.runs import resume_run

    return resume_run(run_dir, config)


def _present_work(result: TrainResult) -> Presentation:
    told = present_training(result)
    first = os.environ.get("RANK", "0") == "0"
    # A launcher of several processes takes any other code for a crash; exit.json has the outcome.
    return Presentation(told.text if first else "Another process is done.", told.document)


@runs.command("work", cls=ForgeCommand, present=_present_work, hidden=True)
@click.argument("run_dir")
@click.option("--resume", is_flag=True)
def work_command(run_dir: str, resume: bool) -> Any:
    """Be the process of a run that was launched."""
    from forgelm.trainer import train_launched

    return train_launched(run_dir, resume=resume)
