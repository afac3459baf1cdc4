"""`forgelm audit SOURCE`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._audit_options import near_duplicate_options
from forgelm.cli._output import ForgeCommand, Presentation

if TYPE_CHECKING:
    from forgelm.data_audit import AuditReport

__all__ = ["audit"]


def _metadata(
    _: click.Context, parameter: click.Parameter, pairs: Sequence[str]
) -> dict[str, Any] | None:
    """Return `("license=MIT", "keywords=a", "keywords=b")` as a mapping; None for none."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE.", param=parameter)
        values.setdefault(key, []).append(value)
    single = {key: value if len(value) > 1 else value[0] for key, value in values.items()}
    return single or None


def _present(report: AuditReport) -> Presentation:
    return Presentation(str(report), report.to_dict())


@click.command(cls=ForgeCommand, present=_present)
@click.argument("source")
@click.option("--output-dir", help="Write the report and the masked findings into this folder.")
@near_duplicate_options("dedup_method")
@click.option(
    "--quality-filter", "enable_quality_filter", is_flag=True, help="Also judge the text itself."
)
@click.option(
    "--quality-checks",
    metavar="NAME",
    multiple=True,
    default=("default",),
    show_default=True,
    help="Check, or group of them (gopher, c4, fineweb, all), for --quality-filter; "
    "repeat it for several.",
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
    "--croissant-metadata",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_metadata,
    help="What the card is to say, for example license=CC-BY-4.0; repeat it for several keys, "
    "or for several values of one.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes to share the work, with the engine local.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "dask", "ray"]),
    default="local",
    show_default=True,
    help="Where to scan; dask and ray: the cluster that DASK_SCHEDULER_ADDRESS or RAY_ADDRESS "
    "names.",
)
@click.option(
    "--resume-dir",
    help="Keep finished parts in this folder until the audit is done, to go on after a crash.",
)
def audit(source: str, **options: Any) -> AuditReport:
    """Find personal data, credentials and duplicates in a data set.

    SOURCE is a file (JSON Lines, JSON, CSV, Parquet, Arrow; text also as .gz or .zst), a folder or
    a pattern of such files, named for their splits, or the name of a data set on the Hub.
    """
    from forgelm.data_audit import audit_dataset

    return audit_dataset(source, **options)
