"""`forgelm dedup SOURCE OUT`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._audit_options import (
    file_format_option,
    near_duplicate_options,
    overwrite_option,
)
from forgelm.cli._output import ForgeCommand, Presentation, listed

if TYPE_CHECKING:
    from forgelm.data_audit import DedupSummary

__all__ = ["dedup"]


def _present(summary: DedupSummary) -> Presentation:
    lines = [
        f"{summary.out}: {summary.rows_kept} of {summary.rows} rows stay",
        f"  near duplicates  {listed(summary.duplicates)}",
        f"  leaked           {listed(summary.leaked)}",
        f"  record           {summary.record}",
    ]
    if summary.skipped:
        lines.append(f"  left out         {summary.skipped} lines that could not be read")
        lines += [f"    {line}" for line in summary.skipped_lines]
    lines += [f"  note: {note}" for note in summary.notes]
    return Presentation("\n".join(lines), dataclasses.asdict(summary))


@click.command(cls=ForgeCommand, present=_present)
@click.argument("source")
@click.argument("out")
@near_duplicate_options("method")
@click.option(
    "--keep",
    type=click.Choice(["first", "last", "longest"]),
    default="first",
    show_default=True,
    help="Which row of a cluster stays.",
)
@click.option(
    "--leaked/--keep-leaked",
    "remove_leaked",
    default=True,
    show_default=True,
    help="Also take out rows that have a near duplicate in another split.",
)
@click.option(
    "--protect",
    metavar="SPLIT",
    multiple=True,
    default=("validation", "test"),
    show_default=True,
    help="Split to copy whole; repeat it for several.",
)
@click.option("--no-protect", is_flag=True, help="Take duplicates out of every split.")
@file_format_option
@overwrite_option
def dedup(source: str, out: str, no_protect: bool, **options: Any) -> DedupSummary:
    """Write a copy of the data set SOURCE to OUT without near duplicates and leaks.

    Beside OUT, OUT.dedup_record.jsonl says which rows went and why.
    """
    from forgelm.data_audit import deduplicate_dataset

    if no_protect:
        options["protect"] = ()
    return deduplicate_dataset(source, out, **options)
