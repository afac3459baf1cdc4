"""The commands of `%forgelm`: those of the command line, with `-o NAME`, without what prints."""

from __future__ import annotations

import copy
import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli import cli

if TYPE_CHECKING:
    from forgelm import ForgeConfig, TrainResult

__all__ = ["Call", "cell_commands", "line_commands"]

_PRINTS = {"output_format", "debug"}


@dataclass
class Call:
    """What one `%forgelm` line asks of the notebook rather than of the command."""

    assign_to: str | None = None
    debug: bool = False


def line_commands() -> click.Group:
    """Return the commands of `%forgelm`."""
    commands = {name: _adapted(command) for name, command in _visible(cli).items()}
    commands["runs"] = _compared(commands["runs"])
    commands["train"] = _trains_in_background(cli.commands["train"])
    commands |= {str(own.name): own for own in (_config(), _preflight(), _attach())}
    group = click.Group("forgelm", commands=commands)
    return _with_help(group, "Fine-tune a language model, with evidence for an auditor.")


def cell_commands(yaml: str) -> click.Group:
    """Return the commands of `%%forgelm`, whose configuration is in the cell."""
    commands = {
        "config": _without_config(_config(), yaml),
        "preflight": _without_config(_preflight(), yaml),
        "train": _without_config(_trains_in_background(cli.commands["train"]), yaml),
    }
    group = click.Group("forgelm", commands=commands)
    return _with_help(group, "Read the cell as the YAML of a configuration.")


def _visible(group: click.Group) -> Mapping[str, click.Command]:
    return {name: command for name, command in group.commands.items() if not command.hidden}


def _adapted(command: click.Command) -> click.Command:
    """Return a copy that takes `-o NAME`, and nothing about printing; the rest is shared."""
    adapted = copy.copy(command)
    adapted.params = [each for each in command.params if each.name not in _PRINTS]
    if isinstance(adapted, click.Group) and isinstance(command, click.Group):
        adapted.commands = {name: _adapted(each) for name, each in _visible(command).items()}
    else:
        adapted.params += _notebook_options()
    return adapted


def _notebook_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-o", "assign_to"],
            metavar="NAME",
            expose_value=False,
            callback=_remember_name,
            help="Keep the answer in this variable.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_remember_debug,
            help="Show the traceback of an error.",
        ),
    ]


def _remember_name(ctx: click.Context, parameter: click.Parameter, name: str | None) -> None:
    if name is None:
        return
    if not name.isidentifier() or keyword.iskeyword(name):
        raise click.BadParameter(f"{name!r} is no name for a variable.", ctx, parameter)
    ctx.ensure_object(Call).assign_to = name


def _remember_debug(ctx: click.Context, _: click.Parameter, debug: bool) -> None:
    if debug:
        ctx.ensure_object(Call).debug = True


def _trains_in_background(train: click.Command) -> click.Command:
    """Return `train` as a notebook wants it: the kernel stays free unless `--in-cell` says so."""
    adapted = _adapted(train)
    adapted.params = [each for each in adapted.params if each.name != "detach"]
    adapted.params.append(
        click.Option(["--in-cell"], is_flag=True, help="Train in this kernel and wait for it.")
    )

    def run(*, config: str | ForgeConfig, in_cell: bool, resume: bool, dry_run: bool) -> Any:
        from forgelm_widgets import launch

        if dry_run:
            return _called(train)(config=config, detach=False, resume=resume, dry_run=True)
        return (_watched if in_cell else launch)(config, resume=resume)

    adapted.callback = run
    adapted.help = "Fine-tune a model as the YAML file CONFIG says, in a process of its own."
    return adapted


def _watched(config: str | ForgeConfig, *, resume: bool) -> TrainResult:
    """Train in this kernel, with a monitor that shows itself, and return the result."""
    from forgelm import ForgeTrainer, load_config
    from forgelm_widgets import TrainingMonitor

    trainer = ForgeTrainer(load_config(config) if isinstance(config, str) else config)
    TrainingMonitor(trainer).show()
    return trainer.train(resume=resume)


def _without_config(command: click.Command, yaml: str) -> click.Command:
    """Return `command` with the cell in place of the argument CONFIG."""
    adapted = copy.copy(command)
    adapted.params = [each for each in command.params if each.name != "config"]

    def run(**options: Any) -> Any:
        from forgelm import parse_config

        # The empty line stands for the line of the magic: positions are those of the cell.
        return _called(command)(config=parse_config("\n" + yaml, source="cell"), **options)

    adapted.callback = run
    return adapted


def _called(command: click.Command) -> Callable[..., Any]:
    if command.callback is None:
        raise TypeError(f"the command {command.name} does nothing")
    return command.callback


def _config() -> click.Command:
    def config(config: Any) -> Any:
        from forgelm import load_config

        return load_config(config) if isinstance(config, str) else config

    text = "Check the YAML file CONFIG and return the configuration."
    return _own("config", config, text, click.Argument(["config"]))


def _preflight() -> click.Command:
    train = cli.commands["train"]
    run = partial(_called(train), detach=False, resume=False, dry_run=True)
    text = "Say every problem of a training before it starts: train CONFIG --dry-run."
    return _own("preflight", run, text, click.Argument(["config"]))


def _attach() -> click.Command:
    def attach(run_dir: str) -> Any:
        from forgelm_widgets import attach

        return attach(run_dir)

    text = "Show the run in RUN_DIR, wherever its process is."
    return _own("attach", attach, text, click.Argument(["run_dir"]))


def _compared(runs: click.Command) -> click.Command:
    """Return `runs` with a comparison in place of the list."""

    def compare(folder: str) -> Any:
        from forgelm_widgets import RunComparison

        return RunComparison(folder)

    if isinstance(runs, click.Group):
        runs.commands["list"].callback = compare
    return runs


def _own(
    name: str, callback: Callable[..., Any], text: str, *params: click.Parameter
) -> click.Command:
    return _adapted(click.Command(name, callback=callback, help=text, params=list(params)))


def _with_help(group: click.Group, text: str) -> click.Group:
    def show(command: tuple[str, ...]) -> None:
        ctx = click.Context(group, info_name=click.get_current_context().find_root().info_name)
        target: click.Command = group
        for word in command:
            if not isinstance(target, click.Group):
                break
            found, target_or_none, _ = target.resolve_command(ctx, [word])
            target = target_or_none or target
            ctx = click.Context(target, info_name=found, parent=ctx)
        click.echo(target.get_help(ctx))

    words = click.Argument(["command"], nargs=-1)
    group.add_command(click.Command("help", callback=show, help="Show help.", params=[words]))
    group.help = text
    group.epilog = "%forgelm help COMMAND says more of one of them."
    return group
