"""Lists that public functions return, as one card each: a table of what is in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from forgelm_widgets._card import Card, Mark, Table
from forgelm_widgets._display._approvals import approval_list_card
from forgelm_widgets._display._findings import finding_list_card
from forgelm_widgets._display._runs import run_list_card
from forgelm_widgets._text import plural

if TYPE_CHECKING:
    from forgelm import Checkpoint, QualityCheck, QualityFlag, Verdict

__all__ = ["LISTS"]


def _checkpoint_list(found: Sequence[Checkpoint]) -> Card:
    rows = [(one.origin, one.size, one.signed_at, one.root) for one in found]
    return Card(
        kind="checkpoint-list",
        label="Signed checkpoints",
        mark="neutral",
        headline=f"{plural(len(rows), 'checkpoint')}; no signature is checked here",
        tables=[Table("Checkpoints", ("Origin", "Lines", "Signed", "Merkle root"), rows)],
    )


def _quality_check_list(found: Sequence[QualityCheck]) -> Card:
    return Card(
        kind="quality-check-list",
        label="Quality checks",
        mark="neutral",
        headline=plural(len(found), "check"),
        tables=[
            Table("Checks", ("Name", "Group", "Flags a text when"), [each[:3] for each in found])
        ],
    )


def _quality_flag_list(found: Sequence[QualityFlag]) -> Card:
    return Card(
        kind="quality-flag-list",
        label="Quality of a text",
        mark="attention",
        headline=plural(len(found), "check failed", "checks failed"),
        tables=[Table("Failed", ("Check", "Why"), [tuple(each) for each in found])],
    )


def _verdict_list(found: Sequence[Verdict]) -> Card:
    failed = [each.gate for each in found if each.status == "failed"]
    waiting = any(each.status == "awaiting_approval" for each in found)
    mark: Mark = "bad" if failed else "attention" if waiting else "ok"
    rows = [(each.gate, each.status.replace("_", " "), each.reason) for each in found]
    return Card(
        kind="verdict-list",
        label="Gates",
        mark=mark,
        headline=f"Failed: {', '.join(failed)}" if failed else "No gate failed",
        tables=[Table("Gates", ("Gate", "Verdict", "Reason"), rows, told=True)],
    )


LISTS: dict[str, Callable[[Any], Card]] = {
    "Checkpoint": _checkpoint_list,
    "Finding": finding_list_card,
    "PendingApproval": approval_list_card,
    "QualityCheck": _quality_check_list,
    "QualityFlag": _quality_flag_list,
    "RunStatus": run_list_card,
    "Verdict": _verdict_list,
}
"""What a list holds -> what makes its card."""
