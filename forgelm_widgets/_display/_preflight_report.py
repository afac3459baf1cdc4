"""A preflight as a card: would it train, what is in the way, the data, and the memory by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forgelm_widgets._card import Bar, Card, Figure, Mark, Table
from forgelm_widgets._text import count, plural

if TYPE_CHECKING:
    from forgelm import PreflightReport

__all__ = ["preflight_report_card"]


def preflight_report_card(report: PreflightReport) -> Card:
    """Return everything that is known of a training before it starts as a card."""
    mark, headline = _verdict(report)
    bars = list(_bars(report))
    parts = ", ".join(f"{bar.name} {count(bar.count)} MB" for bar in bars)
    return Card(
        kind="preflight-report",
        label="Preflight",
        mark=mark,
        headline=headline,
        figures=list(_figures(report)),
        bars=bars,
        picture_text=f"Memory by part: {parts}",
        tables=list(_tables(report)),
    )


def _verdict(report: PreflightReport) -> tuple[Mark, str]:
    errors = sum(finding.severity == "error" for finding in report.findings)
    others = len(report.findings) - errors
    if errors:
        return "bad", f"This training would fail: {plural(errors, 'error')} to put right"
    if others:
        return "attention", f"Ready to train, with {plural(others, 'thing')} to know"
    return "ok", "Ready to train"


def _figures(report: PreflightReport) -> Iterator[Figure]:
    rows = sum(look.rows for look in report.data)
    if report.data:
        whole = all(look.is_whole for look in report.data)
        yield Figure(count(rows), "rows" if whole else "rows looked at")
    if report.planned_steps is not None:
        yield Figure(count(report.planned_steps), "steps planned")
    if report.machine is not None:
        yield Figure(report.machine.device, report.machine.name)
    if report.memory is not None and report.memory.parts:
        total = f"{report.memory.total_bytes / 2**20:,.0f} MB"
        yield Figure(total, f"memory needed: {report.memory.outlook}")


def _bars(report: PreflightReport) -> Iterator[Bar]:
    parts = report.memory.parts if report.memory is not None else {}
    for name, size_bytes in sorted(parts.items(), key=lambda item: -item[1]):
        if size_bytes:
            yield Bar(name, max(1, round(size_bytes / 2**20)), "MB")


def _tables(report: PreflightReport) -> Iterator[Table]:
    if report.findings:
        findings = [(each.severity, each.path, each.message) for each in report.findings]
        yield Table("What to know", ("Severity", "Key", "What"), findings)
    if report.data:
        head = ("Data", "Split", "Rows", "Format", "Tokens p50", "Tokens p95", "Cut short")
        rows = [
            (
                look.name,
                look.split,
                look.rows,
                look.format or "not known",
                look.tokens.p50 if look.tokens else None,
                look.tokens.p95 if look.tokens else None,
                look.truncated_rows,
            )
            for look in report.data
        ]
        yield Table("Data", head, rows)
    if report.versions:
        versions = [(name, found or "not installed") for name, found in report.versions.items()]
        yield Table("Packages", ("Package", "Release"), versions, folded=True)
