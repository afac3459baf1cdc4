"""The one place where an outcome becomes the number a process exits with."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import click

from forgelm.errors import ConfigError, DataError, OptionalDependencyError

if TYPE_CHECKING:
    from forgelm.results import TrainResult

__all__ = ["ExitCode", "exit_code_of_error", "exit_code_of_training", "is_bad_argument"]


class ExitCode(IntEnum):
    """What a script can branch on."""

    SUCCESS = 0
    INPUT = 1
    RUNTIME = 2
    GATE_FAILED = 3
    AWAITING_APPROVAL = 4
    ALTERED = 6


_INPUT_ERRORS = (
    ConfigError,
    DataError,
    OptionalDependencyError,
    click.UsageError,
    # A path that cannot be used as it was given; any other OSError (disk full, I/O) is a failure.
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)


def exit_code_of_error(error: BaseException) -> ExitCode:
    """Return INPUT for what the user can put right in the call, RUNTIME for all else."""
    is_input = isinstance(error, _INPUT_ERRORS) or is_bad_argument(error)
    return ExitCode.INPUT if is_input else ExitCode.RUNTIME


def is_bad_argument(error: BaseException) -> bool:
    """Tell a plain ValueError, which public functions raise for arguments out of bounds."""
    return type(error) is ValueError


def exit_code_of_training(result: TrainResult) -> ExitCode:
    """Return the code for a run that gave an answer: finished, rejected, waiting or stopped."""
    if result.awaiting_approval:
        return ExitCode.AWAITING_APPROVAL
    if result.success:
        return ExitCode.SUCCESS
    if result.reverted or any(verdict.status == "failed" for verdict in result.verdicts):
        return ExitCode.GATE_FAILED
    return ExitCode.RUNTIME
