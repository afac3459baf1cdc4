"""`forgelm audit SOURCE`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._output import ForgeCommand, Presentation

if TYPE_CHECKING:
    from forgelm.data_audit import AuditReport

__all__ = ["audit"]


def _present(report: AuditReport) -> Presentation:
    return Presentation(str(report), report.to_dict())


@click.command(cls=ForgeCommand, present=_present)
@click.argument("source")
@click.option("--output-dir", help="Write data_audit_report.json into this folder.")
@click.option(
    "--near-dup-threshold",
    type=click.IntRange(0, 16),
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
    type=click.FloatRange(0, 1, min_open=True),
    default=0.85,
    show_default=True,
    help="Share of words that makes two rows near duplicates (minhash).",
)
@click.option(
    "--minhash-num-perm",
    type=click.IntRange(16, 1024),
    default=128,
    show_default=True,
    help="Places of a MinHash signature.",
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
    """Find personal data, credentials and duplicates in a data set.

    SOURCE is a file (JSON Lines, JSON, CSV, Parquet, Arrow; text also as .gz or .zst), a folder or
    a pattern of such files, named for their splits, or the name of a data set on the Hub.
    """
    from forgelm.data_audit import audit_dataset

    return audit_dataset(source, **options)
