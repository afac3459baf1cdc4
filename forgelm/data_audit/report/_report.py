"""From what the scan of each split holds to the fields of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from forgelm.data_audit.detectors import PII_TIERS, SECRET_KINDS
from forgelm.data_audit.near_duplicates import (
    INCOMPLETE,
    MinHashMatcher,
    NearDuplicates,
    SignatureStore,
    SimHashMatcher,
    duplicate_views,
    find_near_duplicates,
)
from forgelm.data_audit.quality import (
    HOW_TO_GET_LANGUAGES,
    QUALITY_CHECKS,
    forget_language_model,
    language_counts,
)
from forgelm.data_audit.report._types import AuditReport
from forgelm.data_audit.scan import (
    LANGUAGE_SAMPLE,
    MAX_COLUMNS,
    PII_KINDS,
    Partial,
    count_kinds,
    count_kinds_by_column,
    counts_by_role,
)
from forgelm.data_audit.sources import Corpus, printable

__all__ = ["build_report"]

_ROWS_THAT_NEED_ROOM = 200_000
_TIER_ORDER = ("critical", "high", "medium", "low")


def build_report(
    source_input: str,
    corpus: Corpus,
    scanned: Mapping[str, Partial],
    store: SignatureStore,
    matcher: SimHashMatcher | MinHashMatcher,
    *,
    quality: bool,
) -> AuditReport:
    """Return the report on a corpus, without a card.

    Args:
        source_input: The source as the caller named it.
        corpus: Its files.
        scanned: What each split holds, in order of the splits.
        store: The signatures of the rows.
        matcher: What makes two rows near duplicates.
        quality: The quality checks were on.
    """
    method = _method(matcher)
    languages = {
        name: language_counts([text for _, text in part.sample]) for name, part in scanned.items()
    }
    if sum(part.rows for part in scanned.values()) > _ROWS_THAT_NEED_ROOM:
        forget_language_model()
    twins = find_near_duplicates(store, matcher)
    splits = {
        name: _split_stats(part, twins, name, str(method["method"]), languages[name] or [])
        for name, part in scanned.items()
    }
    pii = _total(splits, "pii_counts", PII_KINDS)
    report = AuditReport(
        generated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        source_path=corpus.path,
        source_input=source_input,
        total_samples=sum(part.rows for part in scanned.values()),
        splits=splits,
        cross_split_overlap={**method, "pairs": _overlap(twins, scanned)},
        pii_summary=pii,
        pii_severity=_severity(pii),
        near_duplicate_summary={**method, "pairs_per_split": twins.pairs},
        secrets_summary=_total(splits, "secrets_counts", SECRET_KINDS),
        quality_summary=_quality_summary(splits) if quality else {},
        notes=[
            *corpus.notes,
            *_notes(scanned, None in languages.values()),
            *([] if twins.complete else [INCOMPLETE]),
        ],
    )
    report._place_duplicates(*duplicate_views(store, twins))
    report._place_findings({name: (p.findings, p.paths) for name, p in scanned.items()})
    return report


def _method(matcher: SimHashMatcher | MinHashMatcher) -> dict[str, Any]:
    if isinstance(matcher, SimHashMatcher):
        return {"method": "simhash", "hamming_threshold": matcher.threshold}
    return {
        "method": "minhash",
        "jaccard_threshold": matcher.jaccard,
        "num_perm": matcher.num_perm,
    }


def _split_stats(
    part: Partial, twins: NearDuplicates, name: str, method: str, languages: list[dict[str, Any]]
) -> dict[str, Any]:
    drifting = [column for column, seen in part.columns.items() if seen.rows < part.rows]
    return {
        "sample_count": part.rows,
        "columns": list(part.columns),
        "schema_drift_columns": drifting,
        "non_object_rows": part.faults["non_object_rows"],
        "text_length": _lengths(part),
        "null_or_empty_count": part.blank_rows,
        "null_or_empty_rate": _rate(part.blank_rows, part.rows),
        "languages_top3": languages,
        f"{method}_distinct": twins.distinct[name],
        "pii_counts": count_kinds(part.findings, PII_KINDS),
        "secrets_counts": count_kinds(part.findings, SECRET_KINDS),
        "pii_counts_by_column": count_kinds_by_column(part.findings, part.paths, PII_KINDS),
        "secrets_counts_by_column": count_kinds_by_column(part.findings, part.paths, SECRET_KINDS),
        "pii_counts_by_role": counts_by_role(part.roles, PII_KINDS),
        "secrets_counts_by_role": counts_by_role(part.roles, SECRET_KINDS),
        "quality_samples_evaluated": part.quality["evaluated"],
        "quality_samples_flagged": part.quality["flagged"],
        "quality_flags_counts": {c: n for c in QUALITY_CHECKS if (n := part.quality[c])},
        "near_duplicate_pairs": twins.pairs[name],
        "parse_errors": part.faults["parse_errors"],
        "decode_errors": part.faults["decode_errors"],
    }


def _lengths(part: Partial) -> dict[str, int | float]:
    if not part.rows:
        return {"min": 0, "max": 0, "mean": 0.0, "p50": 0, "p95": 0}
    p50, p95 = np.percentile(part.lengths, [50, 95], method="nearest").tolist()
    return {
        "min": int(part.lengths.min()),
        "max": int(part.lengths.max()),
        "mean": round(float(part.lengths.mean()), 2),
        "p50": int(p50),
        "p95": int(p95),
    }


def _rate(count: int, total: int) -> float:
    return round(count / total, 6) if total else 0.0


def _total(splits: Mapping[str, dict[str, Any]], key: str, kinds: Sequence[str]) -> dict[str, int]:
    totals = {kind: sum(stats[key].get(kind, 0) for stats in splits.values()) for kind in kinds}
    return {kind: n for kind, n in totals.items() if n}


def _overlap(
    twins: NearDuplicates, scanned: Mapping[str, Partial]
) -> dict[str, dict[str, int | float]]:
    return {
        f"{a}__{b}": {
            f"leaked_rows_in_{a}": in_a,
            f"leak_rate_{a}": _rate(in_a, scanned[a].rows),
            f"leaked_rows_in_{b}": in_b,
            f"leak_rate_{b}": _rate(in_b, scanned[b].rows),
        }
        for (a, b), (in_a, in_b) in twins.leaked.items()
    }


def _severity(pii: Mapping[str, int]) -> dict[str, Any]:
    tiers = {
        tier: sum(n for kind, n in pii.items() if PII_TIERS[kind] == tier) for tier in _TIER_ORDER
    }
    return {
        "total": sum(pii.values()),
        "by_tier": tiers,
        "by_type": {kind: {"count": n, "tier": PII_TIERS[kind]} for kind, n in pii.items()},
        "worst_tier": next((tier for tier, n in tiers.items() if n), None),
    }


def _quality_summary(splits: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    flagged = sum(stats["quality_samples_flagged"] for stats in splits.values())
    evaluated = sum(stats["quality_samples_evaluated"] for stats in splits.values())
    return {
        "samples_flagged": flagged,
        "samples_evaluated": evaluated,
        "by_check": _total(splits, "quality_flags_counts", tuple(QUALITY_CHECKS)),
        "overall_quality_score": round(1 - flagged / evaluated, 4) if evaluated else 1.0,
    }


def _notes(scanned: Mapping[str, Partial], without_languages: bool) -> list[str]:
    notes = []
    for name, part in scanned.items():
        faults = sum(part.faults.values())
        if faults:
            shown = "; ".join(
                f"{printable(Path(path).name)}:{line}: {problem.reason}"
                for path, line, problem in part.problems
            )
            more = (
                f"; and {faults - len(part.problems):,} more" if faults > len(part.problems) else ""
            )
            notes.append(f"Split {name}: {faults:,} lines passed over: {shown}{more}")
        if len(part.columns) >= MAX_COLUMNS:
            notes.append(
                f"Split {name}: over {MAX_COLUMNS:,} columns; the last ones are put together."
            )
    if without_languages:
        notes.append(HOW_TO_GET_LANGUAGES)
    elif any(part.rows > LANGUAGE_SAMPLE for part in scanned.values()):
        notes.append(f"Languages are those of a sample of {LANGUAGE_SAMPLE} texts a split.")
    return notes
