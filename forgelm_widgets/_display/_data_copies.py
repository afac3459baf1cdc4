"""Masked, deduplicated and split copies of a data set, and two audits compared, as cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Mark, Table, Text
from forgelm_widgets._text import count, plural

if TYPE_CHECKING:
    from forgelm import AuditDiff, DedupSummary, MaskSummary, SplitSummary

__all__ = ["audit_diff_card", "dedup_summary_card", "mask_summary_card", "split_summary_card"]


def mask_summary_card(summary: MaskSummary) -> Card:
    """Return what was masked as a card: kinds and counts."""
    replaced = sum(summary.counts.values())
    rows = sorted(summary.counts.items(), key=lambda row: (-row[1], row[0]))
    return Card(
        kind="mask-summary",
        label=f"Masked copy of {summary.source}",
        mark=_mark(summary.skipped),
        headline=f"{plural(replaced, 'finding')} replaced in "
        f"{plural(summary.rows_masked, 'row')} of {count(summary.rows)}"
        + _left_out(summary.skipped),
        figures=[
            Figure.of(summary.rows, "row written", "rows written"),
            Figure.of(summary.rows_masked, "row masked", "rows masked"),
            Figure.of(replaced, "replacement"),
            Figure.of(summary.skipped, "line left out", "lines left out"),
        ],
        tables=[
            *([Table("Replaced", ("Kind", "Count"), rows)] if rows else []),
            _files(summary.files),
        ],
        texts=_unread(summary.skipped_lines, summary.skipped),
    )


def dedup_summary_card(summary: DedupSummary) -> Card:
    """Return what was taken out as a card: near duplicates and leaks, split by split."""
    gone = summary.rows - summary.rows_kept
    splits = dict.fromkeys((*summary.duplicates, *summary.leaked))
    rows = [(s, summary.duplicates.get(s, 0), summary.leaked.get(s, 0)) for s in splits]
    return Card(
        kind="dedup-summary",
        label=f"Copy of {summary.source} without near duplicates",
        mark=_mark(summary.skipped),
        headline=f"{plural(gone, 'row')} of {count(summary.rows)} taken out"
        + _left_out(summary.skipped),
        figures=[
            Figure.of(summary.rows_kept, "row kept", "rows kept"),
            Figure(count(sum(summary.duplicates.values())), "near duplicates out"),
            Figure(count(sum(summary.leaked.values())), "leaked rows out"),
            Figure.of(summary.skipped, "line left out", "lines left out"),
        ],
        tables=[
            *([Table("Taken out", ("Split", "Near duplicates", "Leaked"), rows)] if rows else []),
            _files((*summary.files, summary.record)),
        ],
        texts=[*_notes(summary.notes), *_unread(summary.skipped_lines, summary.skipped)],
    )


def split_summary_card(summary: SplitSummary) -> Card:
    """Return how many rows each split got as a card."""
    total = sum(summary.rows.values())
    rows = [
        (name, number, round(100 * number / total, 2) if total else None, summary.files.get(name))
        for name, number in summary.rows.items()
    ]
    return Card(
        kind="split-summary",
        label=f"Splits of {summary.source}",
        mark=_mark(summary.skipped),
        headline=f"{plural(total, 'row')} in {plural(len(rows), 'split')}, no near duplicate in two"
        + _left_out(summary.skipped),
        figures=[Figure(count(number), name) for name, number in summary.rows.items()],
        tables=[Table("Splits", ("Split", "Rows", "Share, %", "File"), rows)],
        texts=_notes(summary.notes),
    )


def audit_diff_card(diff: AuditDiff) -> Card:
    """Return what changed between two audits as a card; the same figures are a click away."""
    changed = [change for change in diff.changes if change.delta]
    same = [change for change in diff.changes if not change.delta]
    head = ("Section", "Figure", "Before", "After", "Change")
    rows = [(c.section, c.name, c.before, c.after, c.delta) for c in changed]
    unchanged = [(c.section, c.name, c.after) for c in same]
    return Card(
        kind="audit-diff",
        label=f"{diff.before} → {diff.after}",
        mark="neutral",
        headline=f"{plural(len(changed), 'figure')} changed"
        if changed
        else "No figure changed between the two audits",
        tables=[
            *([Table("What changed", head, rows)] if rows else []),
            Table("What stayed the same", ("Section", "Figure", "Value"), unchanged, folded=True),
        ],
    )


def _mark(skipped: int) -> Mark:
    return "attention" if skipped else "ok"


def _left_out(skipped: int) -> str:
    return f"; {plural(skipped, 'line')} could not be read and left out" if skipped else ""


def _files(files: Sequence[str]) -> Table:
    return Table("Files written", ("File",), [(name,) for name in files], folded=True)


def _notes(notes: Sequence[str]) -> list[Text]:
    return [Text("Notes", list(notes), folded=False)] if notes else []


def _unread(lines: Sequence[str], skipped: int) -> list[Text]:
    if not lines:
        return []
    more = max(0, skipped - len(lines))
    return [Text("Lines that could not be read", list(lines), left_out=more)]
