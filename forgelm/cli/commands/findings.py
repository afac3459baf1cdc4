"""`forgelm findings PATH`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from forgelm.cli._output import ForgeCommand, Presentation

__all__ = ["findings"]

Found = Sequence[dict[str, Any]]


def _present(page: Found) -> Presentation:
    lines = [
        f"{each['split']}:{each['row']} {each['column']} [{each['start']}:{each['end']}] "
        f"{each['kind']}" + (f" ({each['tier']})" if each["tier"] else "") + f": {each['excerpt']}"
        for each in page
    ]
    shown = [line if line.isprintable() else ascii(line)[1:-1] for line in lines]
    return Presentation("\n".join(shown) or "no such finding", {"findings": list(page)})


@click.command(cls=ForgeCommand, present=_present)
@click.argument("path")
@click.option("--kind", help="Only findings of this kind.")
@click.option("--split", help="Only findings of this split.")
@click.option(
    "--offset",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="How many to pass over.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="How many to show at most.",
)
def findings(path: str, kind: str | None, split: str | None, offset: int, limit: int) -> Found:
    """Page through the findings of an audit, with masked excerpts.

    PATH is the findings file, or the folder that was the --output-dir of the audit.
    """
    from forgelm.data_audit import read_findings

    return read_findings(path).page(offset, limit, kind=kind, split=split)
