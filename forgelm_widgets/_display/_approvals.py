"""Models that wait for a person, and what became of a decision, as cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Mark, Table, Text
from forgelm_widgets._text import number, plural

if TYPE_CHECKING:
    from forgelm import ApprovalResult, PendingApproval

__all__ = ["approval_list_card", "approval_result_card", "pending_approval_card"]

_WORDS = {"granted": "Approved", "rejected": "Rejected"}


def approval_result_card(result: ApprovalResult) -> Card:
    """Return what became of a decision, and where the model lies now."""
    decision = _WORDS[result.decision] if result.decision else "Decided"
    mark: Mark = "ok" if result.decided else "bad" if result.altered else "attention"
    rows = [
        ("Run", result.run_id),
        ("Gate", result.gate),
        ("Decided", result.decided_at),
        ("Model", _text(result.model_path)),
        ("The one before", _text(result.earlier_path)),
    ]
    by = f" by {result.approver}" if result.approver else ""
    return Card(
        kind="approval-result",
        label="Approval",
        mark=mark,
        headline=f"{decision}{by}" if result.decided else f"Nothing was changed: {result.reason}",
        tables=[Table("The model", ("What", "Value"), [row for row in rows if row[1]])],
        texts=[Text("Good to know", list(result.notes), folded=False)] if result.notes else [],
    )


def pending_approval_card(waiting: PendingApproval) -> Card:
    """Return why a model waits for a person, how long it has, and its figures."""
    rows = [
        ("Run directory", str(waiting.run_dir)),
        ("Run", waiting.run_id),
        ("Asked by", waiting.requested_by),
        ("Since", waiting.requested_at),
        ("Waits in", _text(waiting.staging_path)),
    ]
    metrics = [(name, _figure(value)) for name, value in waiting.metrics.items()]
    return Card(
        kind="pending-approval",
        label=f"Waiting for approval: {waiting.gate or 'a person'}",
        mark=_mark(waiting),
        headline=_reason(waiting),
        figures=_age(waiting),
        tables=[
            Table("The model", ("What", "Value"), [row for row in rows if row[1]]),
            *([Table("Its figures", ("Metric", "Value"), metrics, folded=True)] * bool(metrics)),
        ],
    )


def approval_list_card(found: Sequence[PendingApproval]) -> Card:
    """Return the models that wait for a person as a table, in the order given."""
    overdue = sum(one.overdue for one in found)
    marks = {_mark(one) for one in found}
    late = f", {overdue} of them for too long" if overdue else ""
    rows = [
        (str(one.run_dir), one.gate, one.requested_by, one.age_days, one.ttl_days, _reason(one))
        for one in found
    ]
    head = ("Run directory", "Gate", "Asked by", "Days", "of", "Why")
    return Card(
        kind="approval-list",
        label="Waiting for approval",
        mark="bad" if "bad" in marks else "attention",
        headline=f"{plural(len(rows), 'model')}{late}",
        tables=[Table("Models", head, rows, listed=True)],
    )


def _mark(waiting: PendingApproval) -> Mark:
    return "bad" if waiting.problem else "attention"


def _reason(waiting: PendingApproval) -> str:
    return waiting.problem or waiting.reason or "no reason was given"


def _age(waiting: PendingApproval) -> list[Figure]:
    if waiting.age_days is None:
        return []
    left = f"days of {waiting.ttl_days}" if waiting.ttl_days is not None else "days"
    return [Figure(number(waiting.age_days), f"{left}, overdue" if waiting.overdue else left)]


def _figure(value: object) -> str | int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _text(path: object) -> str | None:
    return None if path is None else str(path)
