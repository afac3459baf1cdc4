"""`forgelm generate CONFIG`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import ForgeCommand, Presentation, listed, shown, verdict_lines

if TYPE_CHECKING:
    from forgelm.synthetic import SyntheticResult

__all__ = ["generate"]


def _present(result: SyntheticResult) -> Presentation:
    verdict = result.verdict
    lines = [
        f"{shown(result.output_file)}: {result.rows} rows for {result.prompts} prompts",
        verdict_lines(verdict),
        f"  rejected         {listed(result.rejected)}",
        f"  without answer   {result.unanswered}",
        f"  not asked        {result.not_asked}",
        f"  tokens           {result.prompt_tokens} read, {result.completion_tokens} written",
        f"  record           {shown(result.provenance_file)}",
    ]
    lines += [f"    {failure.place}: {failure.reason}" for failure in result.failures[:10]]
    if result.stopped:
        lines += ["", "Stopped. The same command goes on from here."]
    code = ExitCode.SUCCESS
    if verdict.status == "failed":
        code = ExitCode.GATE_FAILED
    elif result.stopped:
        code = ExitCode.RUNTIME
    fields = {name.name: getattr(result, name.name) for name in dataclasses.fields(result)}
    document = fields | {
        "success_rate": result.success_rate,
        "verdict": dataclasses.asdict(verdict),
        "failures": [dataclasses.asdict(failure) for failure in result.failures],
        "audit": dataclasses.asdict(result.audit) if result.audit else None,
    }
    return Presentation("\n".join(lines), document, code)


@click.command(cls=ForgeCommand, present=_present)
@click.argument("config")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Requests under way at once (teacher_backend: api).",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Prompts answered together (teacher_backend: local).",
)
@click.option("--audit-dir", metavar="FOLDER", help="Audit the rows and write the report here.")
@click.option("--overwrite", is_flag=True, help="Begin anew though there are rows already.")
def generate(config: str, **options: Any) -> SyntheticResult:
    """Have a teacher model write training rows as the YAML file CONFIG says.

    Every row is kept at once: after Ctrl-C or a crash the same command goes on.
    """
    from forgelm.config import load_config
    from forgelm.synthetic import SyntheticDataGenerator

    return SyntheticDataGenerator(load_config(config)).generate(**options)
