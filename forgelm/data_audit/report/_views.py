"""A report for people: as text, as tables and as charts."""

from __future__ import annotations

import html
from itertools import combinations
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.data_audit.detectors import PII_TIERS
from forgelm.data_audit.sources import printable

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    from forgelm.data_audit.report._types import AuditReport

__all__ = ["report_figures", "report_frames", "report_text"]

# Okabe and Ito's palette: told apart by colour-blind readers.
_TIER_COLOURS = {"critical": "#D55E00", "high": "#E69F00", "medium": "#0072B2", "low": "#999999"}
_SECRET_COLOUR = "#CC79A7"
_SPLIT_COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]
# Read on light and on dark pages alike, behind which nothing is painted.
_INK, _GRID, _CLEAR = "#7d8590", "rgba(125, 133, 144, 0.3)", "rgba(0, 0, 0, 0)"
_FAULTS = ("parse_errors", "decode_errors", "non_object_rows")


def report_text(report: AuditReport) -> str:
    """Return a summary for a terminal."""
    severity = report.pii_severity.get("worst_tier")
    lines = [
        f"Audit of {printable(report.source_input)}",
        f"  rows            {report.total_samples:,}",
        f"  personal data   {_kinds(report.pii_summary)}"
        + (f"; worst: {severity}" if severity else ""),
        f"  secrets         {_kinds(report.secrets_summary)}",
        f"  near duplicates {report.duplicate_count:,} pairs "
        f"({report.near_duplicate_summary.get('method', 'not counted')})",
    ]
    if report.quality_summary:
        flagged, seen = (
            report.quality_summary[f"samples_{name}"] for name in ("flagged", "evaluated")
        )
        lines.append(f"  quality         {flagged:,} of {seen:,} rows flagged")
    for name, stats in report.splits.items():
        length = stats["text_length"]
        passed_over = sum(stats[fault] for fault in _FAULTS)
        lines.append(
            f"  split {name}: {stats['sample_count']:,} rows, median {length['p50']:,} characters"
            + (f", {passed_over:,} lines passed over" if passed_over else "")
        )
    for split, other, rows, _ in _overlap_rows(report):
        if rows:
            lines.append(f"  LEAK: {rows:,} rows of {split} have a near duplicate in {other}")
    return "\n".join([*lines, *(f"  note: {note}" for note in report.notes)])


def _kinds(counts: dict[str, int]) -> str:
    if not counts:
        return "none"
    parts = ", ".join(f"{kind} {n:,}" for kind, n in counts.items())
    return f"{sum(counts.values()):,} ({parts})"


def report_frames(report: AuditReport) -> dict[str, pd.DataFrame]:
    """Return the report as tables."""
    frame = require("pandas", extra="notebook", feature="AuditReport.to_frames()").DataFrame
    findings = {
        name: [*pii, *secrets]
        for (name, pii), secrets in zip(
            report.pii_findings.columns().items(),
            report.secrets_findings.columns().values(),
            strict=True,
        )
    }
    return {
        "splits": frame([_split_row(*item) for item in report.splits.items()]),
        "pii": frame(
            [(kind, PII_TIERS.get(kind), n) for kind, n in report.pii_summary.items()],
            columns=["kind", "tier", "count"],
        ),
        "secrets": frame(list(report.secrets_summary.items()), columns=["kind", "count"]),
        "overlap": frame(
            _overlap_rows(report), columns=["split", "other", "leaked_rows", "leak_rate"]
        ),
        "near_duplicates": frame(
            list(report.near_duplicate_summary.get("pairs_per_split", {}).items()),
            columns=["split", "pairs"],
        ),
        "findings": frame(findings),
        "clusters": frame(report.near_duplicate_clusters.columns()),
        "leaked_rows": frame(report.leaked_rows.columns()),
    }


def _split_row(name: str, stats: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in stats.items() if isinstance(value, int | float)}
    lengths = {f"text_length_{key}": value for key, value in stats["text_length"].items()}
    return {"split": name, **plain, **lengths, "columns": ", ".join(stats["columns"])}


def _overlap_rows(report: AuditReport) -> list[tuple[str, str, int, float]]:
    pairs = report.cross_split_overlap.get("pairs", {})
    return [
        (split, other, pair[f"leaked_rows_in_{split}"], pair[f"leak_rate_{split}"])
        for a, b in combinations(report.splits, 2)
        if (pair := pairs.get(f"{a}__{b}"))
        for split, other in ((a, b), (b, a))
    ]


def report_figures(report: AuditReport) -> dict[str, go.Figure]:
    """Return the report as charts."""
    graph = require("plotly.graph_objects", extra="notebook", feature="AuditReport.figures()")
    tiers = [PII_TIERS.get(kind, "low") for kind in report.pii_summary]
    pii = graph.Bar(
        x=list(report.pii_summary),
        y=list(report.pii_summary.values()),
        marker_color=[_TIER_COLOURS[tier] for tier in tiers],
        customdata=tiers,
        hovertemplate="%{x}: %{y} (%{customdata})<extra></extra>",
    )
    secrets = graph.Bar(
        x=list(report.secrets_summary),
        y=list(report.secrets_summary.values()),
        marker_color=_SECRET_COLOUR,
        hovertemplate="%{x}: %{y}<extra></extra>",
    )
    duplicates = graph.Bar(
        x=[html.escape(name) for name in report.splits],
        y=[stats.get("near_duplicate_pairs", 0) for stats in report.splits.values()],
        marker_color=_SPLIT_COLOURS[0],
        hovertemplate="%{x}: %{y} pairs<extra></extra>",
    )
    overlap = _overlap_rows(report)
    leaks = graph.Bar(
        x=[html.escape(f"{split} in {other}") for split, other, _, _ in overlap],
        y=[rows for _, _, rows, _ in overlap],
        marker_color=_SPLIT_COLOURS[1],
        hovertemplate="%{x}: %{y} rows<extra></extra>",
    )
    lengths = [
        graph.Bar(
            name=html.escape(name),  # plotly reads tags in labels
            x=["min", "p50", "mean", "p95", "max"],
            y=[stats["text_length"][key] for key in ("min", "p50", "mean", "p95", "max")],
        )
        for name, stats in report.splits.items()
    ]
    return {
        "pii": _titled(graph.Figure(pii), "Personal data by kind", "findings"),
        "secrets": _titled(graph.Figure(secrets), "Secrets by kind", "findings"),
        "lengths": _titled(graph.Figure(lengths), "Text length by split", "characters"),
        "duplicates": _titled(graph.Figure(duplicates), "Near duplicates by split", "pairs"),
        "leaks": _titled(graph.Figure(leaks), "Rows with a near duplicate elsewhere", "rows"),
    }


def _titled(figure: Any, title: str, unit: str) -> Any:
    grid = {"gridcolor": _GRID, "zerolinecolor": _GRID}
    return figure.update_layout(
        title=title,
        height=320,
        margin={"l": 60, "r": 20, "t": 50, "b": 40},
        template="none",
        colorway=_SPLIT_COLOURS,
        font_color=_INK,
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        xaxis=grid,
        yaxis={**grid, "title": unit},
    )
