"""The `forgelm` command group, and the one function that runs it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from forgelm.cli._logging import _setup_logging
from forgelm.cli._output import Session, present_error, shared_options, write
from forgelm.cli.commands.approvals import approvals, approve, reject
from forgelm.cli.commands.audit import audit
from forgelm.cli.commands.audit_diff import audit_diff
from forgelm.cli.commands.checkpoint import checkpoint
from forgelm.cli.commands.checkpoints import manage_checkpoints
from forgelm.cli.commands.dedup import dedup
from forgelm.cli.commands.doctor import doctor
from forgelm.cli.commands.evaluate import evaluate
from forgelm.cli.commands.evidence import evidence, verify
from forgelm.cli.commands.export import export, merge, merge_adapter
from forgelm.cli.commands.findings import findings
from forgelm.cli.commands.generate import generate
from forgelm.cli.commands.mask import mask
from forgelm.cli.commands.quickstart import quickstart
from forgelm.cli.commands.runs import runs
from forgelm.cli.commands.split import split
from forgelm.cli.commands.train import train
from forgelm.cli.commands.verify import verify_audit
from forgelm.cli.commands.verify_artefacts import verify_annex_iv, verify_gguf, verify_integrity

__all__ = ["cli", "run"]

_EPILOG = (
    "Exit codes: 0 success, 1 configuration or input, 2 runtime failure, 3 a gate failed, "
    "4 awaiting human approval, 6 an artefact was read and found altered."
)


@click.group(
    invoke_without_command=True,
    epilog=_EPILOG,
    commands=[
        quickstart,
        generate,
        train,
        evaluate,
        runs,
        export,
        merge,
        merge_adapter,
        audit,
        findings,
        mask,
        dedup,
        split,
        audit_diff,
        approve,
        reject,
        approvals,
        evidence,
        verify,
        verify_audit,
        verify_annex_iv,
        verify_integrity,
        verify_gguf,
        checkpoint,
        manage_checkpoints,
        doctor,
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--config", metavar="CONFIG", help="Train as this YAML file says.")
@click.version_option(package_name="forgelm", prog_name="forgelm", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, config: str | None) -> Any:
    """Fine-tune a language model, with evidence that stands up to an auditor."""
    if config is not None and ctx.invoked_subcommand is not None:
        raise click.UsageError(f"--config and {ctx.invoked_subcommand!r} do not go together.", ctx)
    if config is not None:
        with train.make_context("train", [config], parent=ctx) as train_context:
            return train.invoke(train_context)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    return None


cli.params += shared_options()


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; errors are printed, never raised."""
    session = Session()
    debug = "--debug" in arguments
    _setup_logging(debug=debug)
    try:
        cli.main(list(arguments), prog_name="forgelm", obj=session, standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost handler
        if debug:
            traceback.print_exc(file=sys.stderr)
        session.presentation = present_error(error)
    if session.presentation is None:
        return 0
    return int(write(session.presentation, as_json=_asks_for_json(arguments)))


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Say whether the answer is to be JSON, also where the arguments could not be parsed."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        word == "--output-format=json" or (word, following) == ("--output-format", "json")
        for word, following in pairs
    )
