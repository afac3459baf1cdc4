"""`forgelm quickstart`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode, exit_code_of_training
from forgelm.cli._output import ForgeCommand, Presentation, listed, shown
from forgelm.cli.commands.train import training_document, training_lines
from forgelm.cli.commands.verify import verification_document, verification_line

if TYPE_CHECKING:
    from forgelm.data_audit import AuditReport
    from forgelm.quickstart import QuickstartResult

__all__ = ["quickstart"]


def _present(result: QuickstartResult) -> Presentation:
    code = exit_code_of_training(result.training)
    if code is ExitCode.SUCCESS and not result.verification.valid:
        code = ExitCode.ALTERED
    sections = [_found(result), _trained(result), _places(result), _next_steps(result)]
    document: dict[str, Any] = {
        field.name: getattr(result, field.name) for field in dataclasses.fields(result)
    }
    document |= {
        "audit_before": result.audit_before.to_dict(),
        "audit_after": result.audit_after.to_dict(),
        "masked": dataclasses.asdict(result.masked),
        "training": training_document(result.training),
        "verification": verification_document(result.verification),
    }
    return Presentation("\n\n".join("\n".join(lines) for lines in sections), document, code)


@click.command(cls=ForgeCommand, present=_present)
@click.option(
    "--output-dir",
    default="forgelm-quickstart",
    show_default=True,
    help="Folder in which each call makes a new one.",
)
@click.option("--model", help="Folder or Hub name of a model; left out, a tiny one is built.")
@click.option("--data", help="Data file or folder of splits; left out, one is written.")
@click.option("--max-steps", type=click.IntRange(min=1), help="Optimizer steps.")
def quickstart(**options: Any) -> QuickstartResult:
    """Do the whole job once, offline, from audit to verified record."""
    from forgelm.quickstart import run_quickstart

    return run_quickstart(**options)


def _found(result: QuickstartResult) -> list[str]:
    before, after = result.audit_before, result.audit_after
    splits = {name: split["sample_count"] for name, split in before.splits.items()}
    rows = zip(_counts(before), _counts(after), strict=True)
    skipped = result.masked.skipped
    return [
        f"Data: {before.total_samples} rows ({listed(splits)})",
        f"  {'':<16} {'found':>6} {'left':>6}",
        *(
            f"  {name:<16} {found:>6} {left:>6}   {kinds}".rstrip()
            for (name, found, kinds), (_, left, _) in rows
        ),
        "  Masking drops no rows: near duplicates and leaked rows stay for you to judge.",
        *([f"  {skipped} lines could not be read and are left out."] if skipped else []),
    ]


def _counts(report: AuditReport) -> list[tuple[str, int, str]]:
    leaked = _leaked_rows(report)
    return [
        ("personal data", sum(report.pii_summary.values()), listed(report.pii_summary)),
        ("credentials", sum(report.secrets_summary.values()), listed(report.secrets_summary)),
        ("near duplicates", report.duplicate_count, "pairs of rows within a split"),
        ("leaked rows", sum(leaked.values()), listed(leaked)),
    ]


def _leaked_rows(report: AuditReport) -> dict[str, int]:
    """Return how many rows of the later split are in the earlier one too, by pair of splits."""
    return {
        pair.replace("__", "/"): counts[f"leaked_rows_in_{pair.partition('__')[2]}"]
        for pair, counts in report.cross_split_overlap.get("pairs", {}).items()
    }


def _trained(result: QuickstartResult) -> list[str]:
    record = f"  {'record':<16} {verification_line(result.verification)}"
    return [*training_lines(result.training), record]


def _places(result: QuickstartResult) -> list[str]:
    present = [(name, what) for name, what in _CONTENTS if (result.run_dir / name).exists()]
    return [
        f"Everything lies in {shown(result.run_dir)}",
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
        f"  forgelm train {shown(result.config_path)}",
        f"  forgelm verify-audit {shown(result.run_dir / 'training')}",
        "  forgelm quickstart --model MODEL --data DATA",
        "  make lab         in the repository: the same in a notebook, with a live chart",
    ]
