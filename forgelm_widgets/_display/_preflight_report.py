"""A preflight as a card: would it train, what is in the way, the data, and the memory by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from forgelm_widgets._card import Bar, Card, Figure, Mark, Table
from forgelm_widgets._picture import bar_words
from forgelm_widgets._text import count, plural, size

if TYPE_CHECKING:
    from forgelm import MemoryEstimate, PreflightReport

__all__ = ["memory_estimate_card", "preflight_report_card"]


def preflight_report_card(report: PreflightReport) -> Card:
    """Return everything that is known of a training before it starts as a card."""
    mark, headline = _verdict(report)
    bars = list(_memory_bars(report.memory)) if report.memory is not None else []
    return Card(
        kind="preflight-report",
        label="Preflight",
        mark=mark,
        headline=headline,
        figures=list(_figures(report)),
        bars=bars,
        picture_text=_memory_text(bars),
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


def _memory_bars(memory: MemoryEstimate) -> Iterator[Bar]:
    for name, size_bytes in sorted(memory.parts.items(), key=lambda item: -item[1]):
        if size_bytes:
            yield Bar(name, max(1, round(size_bytes / 2**20)), "MB")


def _memory_table(memory: MemoryEstimate | None) -> list[Table]:
    rows = [(name, size_bytes) for name, size_bytes in memory.parts.items()] if memory else []
    return [Table("Memory by part", ("Part", "Bytes"), rows, drawn=True)] if rows else []


def _memory_text(bars: Sequence[Bar]) -> str:
    return "Memory by part: " + ", ".join(f"{bar.name} {bar_words(bar)}" for bar in bars)


def _tables(report: PreflightReport) -> Iterator[Table]:
    if report.findings:
        findings = [(each.severity, each.path, each.message) for each in report.findings]
        yield Table("What to know", ("Severity", "Key", "What"), findings, told=True)
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
    yield from _memory_table(report.memory)
    if report.versions:
        versions = [(name, found or "not installed") for name, found in report.versions.items()]
        yield Table("Packages", ("Package", "Release"), versions, folded=True)


def memory_estimate_card(memory: MemoryEstimate) -> Card:
    """Return the memory that a training needs, by part, against what is free."""
    marks: dict[str, Mark] = {"fits": "ok", "tight": "attention", "will not fit": "bad"}
    bars = list(_memory_bars(memory))
    needed = f": {size(memory.total_bytes)} needed" if bars else ""
    free = f", {size(memory.free_bytes)} free" if memory.free_bytes is not None else ""
    said = {"fits": "It fits", "tight": "It is tight", "will not fit": "It will not fit"}
    unknown = f"Not known: {memory.reason or 'the model cannot be described'}"
    return Card(
        kind="memory-estimate",
        label="Memory of a training",
        mark=marks.get(memory.outlook, "neutral"),
        headline=f"{said[memory.outlook]}{needed}{free}" if memory.outlook in said else unknown,
        figures=[
            Figure(count(memory.trainable_parameters), "numbers trained"),
            Figure(count(memory.tokens), "tokens in the longest row"),
        ],
        bars=bars,
        picture_text=_memory_text(bars),
        tables=_memory_table(memory),
    )
