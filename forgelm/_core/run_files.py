"""The files by which every process knows a run, and reading them while another writes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from forgelm._core.files import open_regular_file

__all__ = ["EXIT_FILE", "RUN_FILE", "STATUS_FILE", "finite", "read_document"]

RUN_FILE = "run.json"
STATUS_FILE = "status.json"
EXIT_FILE = "exit.json"

_LARGEST_BYTES = 8_000_000


def read_document(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file of a run, None where there is none that can be read."""
    try:
        with open_regular_file(path) as stream:
            document = json.loads(stream.read(_LARGEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def finite(value: Any) -> float | None:
    """Return a number that a document holds, None for anything else and for NaN and infinity."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
