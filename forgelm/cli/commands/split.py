"""`forgelm split SOURCE OUT`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._audit_options import (
    file_format_option,
    near_duplicate_options,
    overwrite_option,
)
from forgelm.cli._output import ForgeCommand, Presentation

if TYPE_CHECKING:
    from forgelm.data_audit import SplitSummary

__all__ = ["split"]

_SHARE = click.FloatRange(0, 1, max_open=True)


def _present(summary: SplitSummary) -> Presentation:
    lines = [f"{summary.out}: {sum(summary.rows.values())} rows"]
    lines += [f"  {name:<16} {rows} {summary.files[name]}" for name, rows in summary.rows.items()]
    if summary.skipped:
        lines.append(f"  left out         {summary.skipped} lines that could not be read")
    lines += [f"  note: {note}" for note in summary.notes]
    return Presentation("\n".join(lines), dataclasses.asdict(summary))


@click.command(cls=ForgeCommand, present=_present)
@click.argument("source")
@click.argument("out")
@click.option(
    "--validation", type=_SHARE, default=0.1, show_default=True, help="Share for validation."
)
@click.option("--test", type=_SHARE, default=0.0, show_default=True, help="Share for testing.")
@click.option("--seed", type=int, default=42, show_default=True, help="Which choice to make.")
@near_duplicate_options("method")
@file_format_option
@overwrite_option
def split(source: str, out: str, **options: Any) -> SplitSummary:
    """Split the data set SOURCE into the folder OUT so that no near duplicate is in two splits."""
    from forgelm.data_audit import split_dataset

    return split_dataset(source, out, **options)
