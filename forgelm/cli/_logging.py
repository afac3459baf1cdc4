"""Where log records go when forgelm runs as a program; the library leaves that to its caller."""

from __future__ import annotations

import logging
import sys

__all__ = ["_setup_logging"]


def _setup_logging(*, debug: bool = False) -> None:
    """Send log records to stderr: what forgelm reports, and the warnings of everything else."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    logging.getLogger("forgelm").setLevel(logging.DEBUG if debug else logging.INFO)
