"""An audit report as a card: the verdict in a sentence, then what was found and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forgelm_widgets._card import BARS_DRAWN, Bar, Card, Figure, Mark, Table, Text
from forgelm_widgets._picture import bar_words
from forgelm_widgets._text import count, plural

if TYPE_CHECKING:
    from forgelm import AuditReport

__all__ = ["audit_report_card"]

_TIERS = ("critical", "high", "medium", "low")
_SHOWN, _SHOWN_OF_CLUSTER = 20, 5


def audit_report_card(report: AuditReport) -> Card:
    """Return what an audit found as a card; kinds and counts only, never a value."""
    leaks = list(_leaks(report.cross_split_overlap))
    leaked = sum(max(rows) for _, rows, _ in leaks)
    return Card(
        kind="audit-report",
        label=f"Data audit of {report.source_input}",
        mark=_mark(report, leaked),
        headline=_headline(report, leaked),
        figures=[
            Figure.of(report.total_samples, "row"),
            Figure(count(sum(report.pii_summary.values())), "personal data"),
            Figure.of(sum(report.secrets_summary.values()), "secret"),
            Figure.of(report.duplicate_count, "near-duplicate pair"),
            Figure.of(leaked, "row in two splits", "rows in two splits"),
            *(
                [Figure.of(_flagged(report), "row of poor text", "rows of poor text")]
                if report.quality_summary
                else []
            ),
        ],
        bars=list(_bars(report)),
        picture_text="Findings by kind: "
        + ", ".join(f"{bar.name} {bar_words(bar)}" for bar in _bars(report)),
        tables=list(_tables(report, leaks)),
        texts=list(_texts(report)),
    )


def _by_type(report: AuditReport) -> Iterator[tuple[str, int, str]]:
    """Yield kind, count and tier of personal data, worst tier first, then most frequent."""
    tiers = report.pii_severity.get("by_type", {})
    found = [
        (kind, number, str(tiers.get(kind, {}).get("tier", "")))
        for kind, number in report.pii_summary.items()
    ]
    rank = {tier: place for place, tier in enumerate(_TIERS)}
    yield from sorted(found, key=lambda row: (rank.get(row[2], len(_TIERS)), -row[1], row[0]))


def _leaks(overlap: Mapping[str, Any]) -> Iterator[tuple[list[str], list[int], list[float]]]:
    """Yield the names, leaked rows and leak rates of each pair of splits that share rows."""
    for pair in overlap.get("pairs", {}).values():
        prefix = "leaked_rows_in_"
        names = [key.removeprefix(prefix) for key in pair if key.startswith(prefix)]
        rows = [int(pair[prefix + name]) for name in names]
        if any(rows):
            yield names, rows, [float(pair.get(f"leak_rate_{name}", 0.0)) for name in names]


def _mark(report: AuditReport, leaked: int) -> Mark:
    if report.secrets_summary or report.pii_severity.get("worst_tier") in {"critical", "high"}:
        return "bad"
    unreadable = any(map(_unreadable, report.splits.values()))
    found = report.pii_summary or report.duplicate_count or leaked or unreadable
    found = found or _flagged(report)
    return "attention" if found or not report.total_samples else "ok"


def _flagged(report: AuditReport) -> int:
    return int(report.quality_summary.get("samples_flagged", 0))


def _headline(report: AuditReport, leaked: int) -> str:
    if not report.total_samples:
        return "No rows were read"
    personal = sum(report.pii_summary.values())
    secrets = sum(report.secrets_summary.values())
    unreadable = sum(map(_unreadable, report.splits.values()))
    worst = report.pii_severity.get("worst_tier")
    tier = f" (worst tier: {worst})" if worst else ""
    found = [
        (personal, f"{plural(personal, 'piece')} of personal data{tier}"),
        (secrets, plural(secrets, "secret")),
        (report.duplicate_count, plural(report.duplicate_count, "near-duplicate pair")),
        (leaked, f"{plural(leaked, 'row')} shared between splits"),
        (unreadable, f"{plural(unreadable, 'line')} that cannot be read"),
        (_flagged(report), f"{plural(_flagged(report), 'row')} of poor text"),
    ]
    words = [text for number, text in found if number]
    rows = plural(report.total_samples, "row")
    if not words:
        return f"Nothing found in {rows}"
    listed = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    return f"Found {listed} in {rows}"


def _bars(report: AuditReport) -> Iterator[Bar]:
    yield from (Bar(kind, n, "secret") for kind, n in sorted(report.secrets_summary.items()))
    yield from (Bar(kind, number, tier) for kind, number, tier in _by_type(report))


def _tables(report: AuditReport, leaks: list[Any]) -> Iterator[Table]:
    yield Table(
        "Splits",
        ("Split", "Rows", "Characters, median", "95th percentile", "Empty", "Unreadable"),
        [_split_row(name, split) for name, split in report.splits.items()],
    )
    is_drawn = len(report.pii_summary) + len(report.secrets_summary) <= BARS_DRAWN
    if report.pii_summary:
        yield Table("Personal data", ("Kind", "Tier", "Found"), _pii_rows(report), drawn=is_drawn)
    if report.secrets_summary:
        rows = sorted(report.secrets_summary.items(), key=lambda row: (-row[1], row[0]))
        yield Table("Secrets", ("Kind", "Found"), rows, drawn=is_drawn)
    pairs = report.near_duplicate_summary.get("pairs_per_split", {})
    if any(pairs.values()):
        yield Table("Near duplicates", ("Split", "Pairs"), list(pairs.items()))
    if leaks:
        yield Table(
            "Rows shared between splits",
            ("Split", "also in", "Rows", "Share, %"),
            [row for names, rows, rates in leaks for row in _leak_rows(names, rows, rates)],
        )
    checks = report.quality_summary.get("by_check", {})
    if checks:
        yield Table("Poor text", ("Check", "Rows flagged"), list(checks.items()))
    for title, key in (("Where: columns", "column"), ("Where: roles", "role")):
        places = _places(report, key)
        if places:
            yield Table(title, ("Split", key.capitalize(), "Kind", "Found"), places, folded=True)
    yield from _rows_behind(report)


def _places(report: AuditReport, key: str) -> list[tuple[str, str, str, int]]:
    """Return split, column or role, kind and count of all findings, the most frequent first."""
    found = [
        (name, place, kind, int(number))
        for name, split in report.splits.items()
        for counts in ("secrets_counts_by_", "pii_counts_by_")
        for place, kinds in split.get(counts + key, {}).items()
        for kind, number in kinds.items()
    ]
    return sorted(found, key=lambda row: -row[3])


def _rows_behind(report: AuditReport) -> Iterator[Table]:
    """Yield the first rows of what repeats; a report that was read from JSON has none."""
    clusters, leaked = report.near_duplicate_clusters, report.leaked_rows
    if len(clusters):
        yield Table(
            f"Rows that repeat one another: {plural(len(clusters), 'cluster')}",
            ("Cluster", "Rows", "Split and row"),
            [(c.number, c.size, _row_names(c.rows)) for c in clusters[:_SHOWN]],
            folded=True,
            left_out=max(0, len(clusters) - _SHOWN),
        )
    if len(leaked):
        yield Table(
            "Rows that are in two splits",
            ("Split", "Row", "Also in", "Row there"),
            [(row.split, row.row, row.other_split, row.other_row) for row in leaked[:_SHOWN]],
            folded=True,
            left_out=max(0, len(leaked) - _SHOWN),
        )


def _row_names(rows: Sequence[tuple[str, int]]) -> str:
    names = ", ".join(f"{split} {row}" for split, row in rows[:_SHOWN_OF_CLUSTER])
    more = len(rows) - _SHOWN_OF_CLUSTER
    return names if more <= 0 else f"{names} and {count(more)} more"


def _texts(report: AuditReport) -> Iterator[Text]:
    if report.findings_path is not None:
        path = str(report.findings_path)
        yield Text("Findings file, with masked excerpts", [path], folded=False)
    if report.notes:
        yield Text("Notes", list(map(str, report.notes)))


def _pii_rows(report: AuditReport) -> list[tuple[str, str, int]]:
    return [(kind, tier, number) for kind, number, tier in _by_type(report)]


def _split_row(name: str, split: Mapping[str, Any]) -> tuple[str | int | float | None, ...]:
    lengths = split.get("text_length") or {}
    return (
        name,
        int(split.get("sample_count", 0)),
        lengths.get("p50"),
        lengths.get("p95"),
        int(split.get("null_or_empty_count", 0)),
        _unreadable(split),
    )


def _unreadable(split: Mapping[str, Any]) -> int:
    return sum(
        int(split.get(key, 0)) for key in ("parse_errors", "decode_errors", "non_object_rows")
    )


def _leak_rows(
    names: list[str], rows: list[int], rates: list[float]
) -> Iterator[tuple[str, str, int, float]]:
    for name, other, shared, rate in zip(names, reversed(names), rows, rates, strict=True):
        yield name, other, shared, round(100 * rate, 2)
