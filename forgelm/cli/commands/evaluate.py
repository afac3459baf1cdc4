"""`forgelm evaluate CONFIG`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import ForgeCommand, Presentation, shown, verdict_lines

if TYPE_CHECKING:
    from forgelm.evaluation import EvaluationReport

__all__ = ["evaluate"]


def _present(report: EvaluationReport) -> Presentation:
    lines = [f"The model {'passed' if report.passed else 'did not pass'}."]
    lines += [verdict_lines(verdict) for verdict in report.verdicts]
    lines.append(f"  results          {shown(report.output_dir)}")
    code = ExitCode.SUCCESS if report.passed else ExitCode.GATE_FAILED
    document = {**dataclasses.asdict(report), "passed": report.passed}
    return Presentation("\n".join(lines), document, code)


@click.command(cls=ForgeCommand, present=_present)
@click.argument("config")
@click.option("--model", "model_path", metavar="FOLDER", help="The model or adapter to try out.")
@click.option("--output-dir", metavar="FOLDER", help="Where the results are written.")
@click.option(
    "--only",
    "parts",
    type=click.Choice(["benchmark", "safety", "judge"]),
    multiple=True,
    help="Only this part, whether it is enabled or not; may be repeated.",
)
def evaluate(config: str, parts: tuple[str, ...], **options: Any) -> EvaluationReport:
    """Try out a trained model as the YAML file CONFIG says.

    Left out, the model is the final one of the config's own run, and the results lie beside it.
    """
    from forgelm.compliance import AuditLogger
    from forgelm.config import load_config
    from forgelm.evaluation import evaluate_model

    loaded = load_config(config)
    log = AuditLogger(str(options["output_dir"] or loaded.training.output_dir))
    return evaluate_model(loaded, parts=parts or None, record=log.log_event, **options)
