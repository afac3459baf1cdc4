"""What a log is held to, for every command that verifies one."""

from __future__ import annotations

from functools import reduce
from typing import Any

import click

__all__ = ["held_to_options"]

_OPTIONS = (
    click.option(
        "--expected-head",
        metavar="HASH",
        help="The head of an earlier verification: the log must still contain that line.",
    ),
    click.option(
        "--public-key",
        metavar="KEY|FILE",
        help="Verifier key of who signs checkpoints: the log must still be what was signed.",
    ),
    click.option(
        "--checkpoint",
        metavar="FILE",
        help="Checkpoints kept elsewhere. [default: those beside the log]",
    ),
)


def held_to_options(command: Any) -> Any:
    """Add the options that name what was kept elsewhere: a head, a key, checkpoints."""
    return reduce(lambda inner, add: add(inner), reversed(_OPTIONS), command)
