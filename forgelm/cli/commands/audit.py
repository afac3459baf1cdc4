"""`forgelm audit SOURCE`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._output import ForgeCommand, Presentation

if TYPE_CHECKING:
    from forgelm.data_audit import AuditReport

__all__ = ["audit", "leaked_rows", "listed"]


def present_audit(report: AuditReport) -> Presentation:
    splits = {name: split["sample_count"] for name, split in report.splits.items()}
    lines = [
        f"{report.source_path}: {report.total_samples} rows ({listed(splits)})",
        f"  personal data    {listed(report.pii_summary)}",
        f"  credentials      {listed(report.secrets_summary)}",
        f"  near duplicates  {report.duplicate_count} pairs",
        f"  leaked rows      {listed(leaked_rows(report))}",
        *(f"  note: {note}" for note in report.notes),
    ]
    return Presentation("\n".join(lines), dataclasses.asdict(report))


@click.command(cls=ForgeCommand, present=present_audit)
@click.argument("source")
@click.option("--output-dir", help="Write data_audit_report.json into this folder.")
@click.option(
    "--near-dup-threshold",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Bits in which two SimHash signatures may differ.",
)
@click.option(
    "--dedup-method",
    type=click.Choice(["simhash", "minhash"]),
    default="simhash",
    show_default=True,
    help="How near duplicates are found.",
)
@click.option(
    "--minhash-jaccard",
    type=click.FloatRange(0, 1),
    default=0.85,
    show_default=True,
    help="Share of shingles that makes two rows near duplicates (minhash).",
)
@click.option(
    "--minhash-num-perm",
    type=click.IntRange(min=1),
    default=128,
    show_default=True,
    help="Permutations of a MinHash signature.",
)
@click.option(
    "--quality-filter", "enable_quality_filter", is_flag=True, help="Also judge the text itself."
)
@click.option(
    "--pii-ml",
    "enable_pii_ml",
    is_flag=True,
    help="Also look for names of people and places with a model (extra: pii).",
)
@click.option(
    "--pii-ml-language",
    default="en",
    show_default=True,
    help="Language of the text for --pii-ml.",
)
@click.option(
    "--croissant", "emit_croissant", is_flag=True, help="Add a Croissant card to the report."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes to share the work.",
)
def audit(source: str, **options: Any) -> AuditReport:
    """Look through a data set for personal data, credentials, duplicates and leakage.

    SOURCE is a JSONL file (split "train") or a folder with one file a split.
    """
    from forgelm.data_audit import audit_dataset

    return audit_dataset(source, **options)


def leaked_rows(report: AuditReport) -> dict[str, int]:
    """Return how many rows of the later split are in the earlier one too, by pair of splits."""
    return {
        pair.replace("__", "/"): counts[f"leaked_rows_in_{pair.partition('__')[2]}"]
        for pair, counts in report.cross_split_overlap.get("pairs", {}).items()
    }


def listed(counts: Mapping[str, int]) -> str:
    """Return `{"email": 8, "phone": 6}` as "email 8, phone 6", and "none" where all are zero."""
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"
