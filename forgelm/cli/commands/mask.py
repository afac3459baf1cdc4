"""`forgelm mask SOURCE OUT`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from forgelm.cli._audit_options import overwrite_option
from forgelm.cli._output import ForgeCommand, Presentation, listed

if TYPE_CHECKING:
    from forgelm.data_audit import MaskSummary

__all__ = ["mask"]


def _present(summary: MaskSummary) -> Presentation:
    lines = [
        f"{summary.out}: {summary.rows} rows, {summary.rows_masked} of them masked",
        f"  masked           {listed(summary.counts)}",
    ]
    if summary.skipped:
        lines.append(f"  left out         {summary.skipped} lines that could not be read")
        lines += [f"    {line}" for line in summary.skipped_lines]
    return Presentation("\n".join(lines), dataclasses.asdict(summary))


@click.command(cls=ForgeCommand, present=_present)
@click.argument("source")
@click.argument("out")
@click.option("--pii/--no-pii", default=True, show_default=True, help="Mask personal data.")
@click.option("--secrets/--no-secrets", default=True, show_default=True, help="Mask credentials.")
@overwrite_option
def mask(source: str, out: str, pii: bool, secrets: bool, overwrite: bool) -> MaskSummary:
    """Write a masked copy of the data set SOURCE to OUT."""
    from forgelm.data_audit import mask_dataset

    return mask_dataset(source, out, pii=pii, secrets=secrets, overwrite=overwrite)
