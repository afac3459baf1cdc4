"""What became of the checkpoints of a run, as a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Table
from forgelm_widgets._text import size

if TYPE_CHECKING:
    from forgelm import CheckpointSummary

__all__ = ["checkpoint_summary_card"]


def checkpoint_summary_card(summary: CheckpointSummary) -> Card:
    """Return which checkpoints stay, went, or were packed, and the room that gave."""
    done = {"kept": summary.kept, "deleted": summary.deleted, "packed": summary.compressed}
    words = [f"{len(names)} {what}" for what, names in done.items() if names]
    rows = [
        *((name, "kept", None) for name in summary.kept),
        *((name, "deleted", None) for name in summary.deleted),
        *((name, "packed", archive) for name, archive in summary.compressed.items()),
        *((name, "left alone", why) for name, why in summary.skipped.items()),
    ]
    said = ", ".join(words) or "no checkpoint there"
    freed = "would be freed" if summary.dry_run else "freed"
    return Card(
        kind="checkpoint-summary",
        label=f"Checkpoints of {summary.checkpoint_dir}",
        mark="attention" if summary.skipped else "ok",
        headline=f"{summary.action}: {said}{'; nothing was changed yet' * summary.dry_run}",
        figures=[Figure(size(summary.freed_bytes), freed)],
        tables=[Table("Checkpoints", ("Folder", "What became of it", "Archive, or why"), rows)]
        if rows
        else [],
    )
