"""`forgelm quickstart`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode, exit_code_of_training
from forgelm.cli._output import ForgeCommand, Presentation
from forgelm.cli.commands.audit import leaked_rows, listed
from forgelm.cli.commands.train import training_document, training_lines
from forgelm.cli.commands.verify import verification_document, verification_line

if TYPE_CHECKING:
    from forgelm.data_audit import AuditReport
    from forgelm.quickstart import QuickstartResult

__all__ = ["quickstart"]


def present_quickstart(result: QuickstartResult) -> Presentation:
    code = exit_code_of_training(result.training)
    if code is ExitCode.SUCCESS and not result.verification.valid:
        code = ExitCode.ALTERED
    sections = [_found(result), _trained(result), _places(result), _next_steps(result)]
    document: dict[str, Any] = {
        field.name: getattr(result, field.name) for field in dataclasses.fields(result)
    }
    document |= {
        "audit_before": dataclasses.asdict(result.audit_before),
        "audit_after": dataclasses.asdict(result.audit_after),
        "masked": dataclasses.asdict(result.masked),
        "training": training_document(result.training),
        "verification": verification_document(result.verification),
    }
    return Presentation("\n\n".join("\n".join(lines) for lines in sections), document, code)


@click.command(cls=ForgeCommand, present=present_quickstart)
@click.option(
    "--output-dir",
    default="forgelm-quickstart",
    show_default=True,
    help="Folder in which each call makes a new one.",
)
@click.option("--model", help="Folder or Hub name of a model; left out, a tiny one is built.")
@click.option("--data", help="JSONL file or folder of splits; left out, one is written.")
@click.option("--max-steps", type=click.IntRange(min=1), help="Optimizer steps.")
def quickstart(**options: Any) -> QuickstartResult:
    """Do the whole job once, offline: audit, mask, train, evaluate, verify."""
    from forgelm.quickstart import run_quickstart

    return run_quickstart(**options)


def _found(result: QuickstartResult) -> list[str]:
    before, after = result.audit_before, result.audit_after
    splits = {name: split["sample_count"] for name, split in before.splits.items()}
    rows = zip(_counts(before), _counts(after), strict=True)
    return [
        f"Data: {before.total_samples} rows ({listed(splits)})",
        f"  {'':<16} {'found':>6} {'left':>6}",
        *(
            f"  {name:<16} {found:>6} {left:>6}   {kinds}".rstrip()
            for (name, found, kinds), (_, left, _) in rows
        ),
        "  Masking takes personal data and credentials away; what is left is for you to",
        "  judge.",
    ]


def _counts(report: AuditReport) -> list[tuple[str, int, str]]:
    leaked = leaked_rows(report)
    return [
        ("personal data", sum(report.pii_summary.values()), listed(report.pii_summary)),
        ("credentials", sum(report.secrets_summary.values()), listed(report.secrets_summary)),
        ("near duplicates", report.duplicate_count, "pairs of rows within a split"),
        ("leaked rows", sum(leaked.values()), listed(leaked)),
    ]


def _trained(result: QuickstartResult) -> list[str]:
    record = verification_line(result.verification)
    return [*training_lines(result.training), f"  {'record':<16} {record}"]


def _places(result: QuickstartResult) -> list[str]:
    present = [(name, what) for name, what in _CONTENTS if (result.run_dir / name).exists()]
    return [
        f"Everything lies in {_short(result.run_dir)}",
        *(f"  {name:<16} {what}" for name, what in present),
    ]


_CONTENTS = (
    ("model", "the tiny base model, built here"),
    ("data", "the data set as it was written, with its faults"),
    ("data_masked", "what the model was trained on"),
    ("audit_before", "the audit's report on the data as it was"),
    ("audit_after", "the audit's report after masking"),
    ("config.yaml", "every setting of the training"),
    ("training", "final model, checkpoints, metrics.jsonl and audit_log.jsonl"),
)


def _next_steps(result: QuickstartResult) -> list[str]:
    return [
        "Next",
        f"  forgelm train {_short(result.config_path)}",
        f"  forgelm verify-audit {_short(result.run_dir / 'training')}",
        "  forgelm quickstart --model MODEL --data DATA",
        "  make lab         the same in a notebook, with a live chart",
    ]


def _short(path: Path) -> str:
    """Return the path as seen from here, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
