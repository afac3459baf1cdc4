"""`forgelm approve`, `forgelm reject` and `forgelm approvals`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import ForgeCommand, Presentation, shown

if TYPE_CHECKING:
    from forgelm.compliance import ApprovalResult, PendingApproval

__all__ = ["approvals", "approve", "reject"]


def _present_decision(result: ApprovalResult) -> Presentation:
    if not result.decided:
        code = ExitCode.ALTERED if result.altered else ExitCode.INPUT
        word = "ALTERED" if result.altered else "NOTHING CHANGED"
        return Presentation(f"{word}: {result.reason}", result.to_dict(), code)
    lines = [f"{result.decision}: the model of {result.run_id}, by {result.approver}"]
    lines.append(f"  model    {shown(str(result.model_path))}")
    if result.earlier_path is not None:
        lines.append(f"  earlier  {shown(result.earlier_path)}")
    lines += [f"  note: {note}" for note in result.notes]
    return Presentation("\n".join(lines), result.to_dict())


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that both decisions take."""
    options = [
        click.argument("run_dir"),
        click.option(
            "--approver", metavar="NAME", help="Who decides; FORGELM_OPERATOR if left out."
        ),
        click.option("--run-id", metavar="ID", help="Which model, where several wait."),
        click.option("--four-eyes", is_flag=True, help="Refuse whoever trained the model."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command(cls=ForgeCommand, present=_present_decision)
@_shared
@click.option("--comment", default="", help="What belongs to the decision.")
def approve(run_dir: str, **options: Any) -> ApprovalResult:
    """Put the staged model of RUN_DIR into use, as your decision.

    It is held to its manifest and to the audit log first, and the decision is recorded there.
    """
    from forgelm.compliance import approve_model

    return approve_model(run_dir, **options)


@click.command(cls=ForgeCommand, present=_present_decision)
@_shared
@click.option("--reason", required=True, help="What is wrong with the model.")
def reject(run_dir: str, **options: Any) -> ApprovalResult:
    """Send the staged model of RUN_DIR to quarantine, as your decision."""
    from forgelm.compliance import reject_model

    return reject_model(run_dir, **options)


def _present_pending(pending: list[PendingApproval]) -> Presentation:
    lines = [f"{len(pending) or 'No'} model{'s' if len(pending) != 1 else ''} waiting"]
    for one in pending:
        late = f", OVERDUE: {one.ttl_days} days are allowed" if one.overdue else ""
        age = f"{one.age_days} days" if one.age_days is not None else "unknown time"
        lines.append(f"{shown(one.run_dir)}  {one.run_id or ''}")
        if one.run_id is not None:
            lines.append(f"  waiting  {age}{late}; trained by {one.requested_by}")
            lines.append(f"  gate     {one.gate}: {one.reason}")
        lines += [f"  problem  {one.problem}"] if one.problem else []
    document = {"pending": [one.to_dict() for one in pending]}
    return Presentation("\n".join(lines), document)


@click.command(cls=ForgeCommand, present=_present_pending)
@click.argument("folder", default=".")
@click.option("--ttl-days", type=click.IntRange(min=0), help="In place of each run's own setting.")
def approvals(folder: str, ttl_days: int | None) -> list[PendingApproval]:
    """List the staged models below FOLDER that wait for a person."""
    from forgelm.compliance import list_approvals

    return list_approvals(folder, ttl_days=ttl_days)
