"""The only way to a package that the base install does not bring."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from forgelm.errors import OptionalDependencyError

__all__ = ["is_installed", "require"]


def require(module: str, *, extra: str, feature: str) -> Any:
    """Import and return `module`.

    Args:
        module: Dotted name of the module to import.
        extra: The extra of forgelm that brings it.
        feature: What needs it, as the subject of a sentence ("Training").

    Raises:
        OptionalDependencyError: The package is not installed; the message has the command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing != module.partition(".")[0]:
            raise
        raise OptionalDependencyError(missing, extra=extra, feature=feature) from error


def is_installed(module: str) -> bool:
    """Say whether a top-level package can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None
