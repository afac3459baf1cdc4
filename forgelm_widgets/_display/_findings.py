"""Findings on disk, and findings in one text, as cards: kinds and places, excerpts masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from forgelm_widgets._card import Card, Table
from forgelm_widgets._text import plural

if TYPE_CHECKING:
    from forgelm import FindingsFile

__all__ = ["finding_list_card", "findings_file_card"]

_PAGE = 3


def findings_file_card(findings: FindingsFile) -> Card:
    """Return the first findings of a file; `page()` and `to_frame()` have the others."""
    page = findings.page(0, _PAGE)
    rows = [
        (each["kind"], each["tier"], each["split"], each["row"], each["column"], each["excerpt"])
        for each in page
    ]
    head = ("Kind", "Tier", "Split", "Row", "Column", "Excerpt, masked")
    more = len(findings) - len(rows)
    return Card(
        kind="findings-file",
        label=f"Findings file {findings.path.name}",
        mark="attention" if rows else "ok",
        headline=plural(len(findings), "finding"),
        tables=[Table("The first of them", head, rows, left_out=more, listed=True)] if rows else [],
    )


def finding_list_card(found: Sequence[Any]) -> Card:
    """Return where in a text something was found; the text itself is not shown."""
    kinds = Counter(each.kind for each in found)
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    return Card(
        kind="finding-list",
        label="Findings",
        mark="attention",
        headline=f"{plural(len(found), 'finding')}: {listed}",
        tables=[
            Table("Where", ("Kind", "Start", "End"), [(each.kind, *each.span) for each in found])
        ],
    )
