"""The command line: the public functions, with an exit code and a printed account."""

from __future__ import annotations

from forgelm.cli._logging import _setup_logging as _setup_logging
from forgelm.cli._output import error_message
from forgelm.cli._parser import cli, run

__all__ = ["cli", "error_message", "run"]
