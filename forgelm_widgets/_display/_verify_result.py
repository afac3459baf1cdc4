"""The verification of an audit log as a card: intact or not, why, and the anchor to keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Text
from forgelm_widgets._text import count, plural

if TYPE_CHECKING:
    from forgelm import VerifyResult

__all__ = ["verify_result_card"]


def verify_result_card(result: VerifyResult) -> Card:
    """Return what verifying a log gave as a card; the whole chain head is a click away."""
    head = result.chain_head
    notes = [Text("What this does not prove", result.notes, folded=False)] if result.notes else []
    figures = [Figure.of(result.entries_count, "entry read", "entries read")]
    if result.first_invalid_index is not None:
        figures.append(Figure(count(result.first_invalid_index), "first entry that does not fit"))
    if head:
        label = "chain head" if result.valid else "chain head before that"
        figures.append(Figure(f"{head[:12]}…", label))
    entries = plural(result.entries_count, "entry", "entries")
    return Card(
        kind="verify-result",
        label="Audit log",
        mark="ok" if result.valid else "bad",
        headline=f"The record is intact: {entries}, each chained to the one before"
        if result.valid
        else f"The record cannot be trusted: {result.reason or 'no reason was given'}",
        figures=figures,
        texts=notes + ([Text("Whole chain head", [head], code=True)] if head else []),
    )
