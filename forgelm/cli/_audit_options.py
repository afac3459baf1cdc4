"""Options that several commands about data sets share, so that they are alike everywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import click

__all__ = ["file_format_option", "near_duplicate_options", "overwrite_option"]

Decorator = Callable[[Any], Any]


def near_duplicate_options(method: str) -> Decorator:
    """Return the options that say what a near duplicate is.

    Args:
        method: What the public function calls the method.
    """
    options = (
        click.option(
            "--dedup-method",
            method,
            type=click.Choice(["simhash", "minhash"]),
            default="simhash",
            show_default=True,
            help="How near duplicates are found.",
        ),
        click.option(
            "--near-dup-threshold",
            type=click.IntRange(0, 16),
            default=3,
            show_default=True,
            help="Bits in which two SimHash signatures may differ.",
        ),
        click.option(
            "--minhash-jaccard",
            type=click.FloatRange(0, 1, min_open=True),
            default=0.85,
            show_default=True,
            help="Share of words that makes two rows near duplicates (minhash).",
        ),
        click.option(
            "--minhash-num-perm",
            type=click.IntRange(16, 1024),
            default=128,
            show_default=True,
            help="Places of a MinHash signature.",
        ),
    )
    return lambda command: reduce(lambda inner, add: add(inner), reversed(options), command)


def file_format_option(command: Any) -> Any:
    """Add the option that says in which format rows are written."""
    return click.option(
        "--file-format",
        type=click.Choice(["jsonl", "source"]),
        default="jsonl",
        show_default=True,
        help="jsonl: JSON Lines. source: as the source is, for example Parquet.",
    )(command)


def overwrite_option(command: Any) -> Any:
    """Add the option that allows to replace files."""
    return click.option("--overwrite", is_flag=True, help="Replace files that OUT already holds.")(
        command
    )
