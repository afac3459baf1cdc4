"""`forgelm audit-diff BEFORE AFTER`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from forgelm.cli._output import ForgeCommand, Presentation

if TYPE_CHECKING:
    from forgelm.data_audit import AuditDiff

__all__ = ["audit_diff"]


def _present(diff: AuditDiff) -> Presentation:
    changes = [{**dataclasses.asdict(each), "delta": each.delta} for each in diff.changes]
    document = {"before": diff.before, "after": diff.after, "changes": changes}
    return Presentation(str(diff), document)


@click.command(name="audit-diff", cls=ForgeCommand, present=_present)
@click.argument("before")
@click.argument("after")
def audit_diff(before: str, after: str) -> AuditDiff:
    """Show what changed from one audit to another.

    BEFORE and AFTER are reports (data_audit_report.json), or the folders with them.
    """
    from forgelm.data_audit import audit_diff as compare

    return compare(before, after)
