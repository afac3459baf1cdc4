"""What a generation of training data came to, as a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Mark, Table
from forgelm_widgets._display._audit_report import audit_report_card
from forgelm_widgets._text import count, plural

if TYPE_CHECKING:
    from forgelm import SyntheticResult

__all__ = ["synthetic_result_card"]


def synthetic_result_card(result: SyntheticResult) -> Card:
    """Return how many prompts have a row, and why the others have none."""
    verdict = result.verdict
    failed = verdict.status == "failed"
    mark: Mark = "bad" if failed else "attention" if result.stopped else "ok"
    rows = f"{plural(result.rows, 'row')} from {plural(result.prompts, 'prompt')}"
    stopped = "; stopped, the same call goes on from here" if result.stopped else ""
    without = [
        *result.rejected.items(),
        ("no answer", result.unanswered),
        ("not asked", result.not_asked),
    ]
    where = [("Rows", result.output_file), ("Record of the teacher", result.provenance_file)]
    if result.audit is not None:
        where.append(("Audit", audit_report_card(result.audit).headline))
    failures = [(each.place, each.reason) for each in result.failures]
    tables = [Table("Where it lies", ("What", "Path"), where)]
    gone = [(why, number) for why, number in without if number]
    if gone:
        tables.insert(0, Table("Without a row", ("Why", "Prompts"), gone))
    if failures:
        tables.append(Table("Prompts without a row", ("Where", "Why"), failures, folded=True))
    return Card(
        kind="synthetic-result",
        label=f"Generated data, {result.output_format}",
        mark=mark,
        headline=f"{rows}: {verdict.reason}" if failed and verdict.reason else rows + stopped,
        figures=[
            Figure(f"{100 * result.success_rate:.1f} %", "of the prompts have a row"),
            Figure(count(result.resumed_rows), "rows of earlier calls"),
            Figure(count(result.prompt_tokens + result.completion_tokens), "tokens"),
        ],
        tables=tables,
    )
