"""Whether a training goes on in a run directory."""

from __future__ import annotations

import time
from pathlib import Path

from forgelm._core import EXIT_FILE, RUN_FILE, STATUS_FILE, ProcessIdentity, finite, read_document

__all__ = ["training_in"]


def training_in(folder: Path) -> str | None:
    """Return which process trains in a folder, None where none does.

    One on another machine cannot be looked at: it counts while it gives signs of life.

    Raises:
        OptionalDependencyError: A run without an end is there, and psutil is not installed.
    """
    run = read_document(folder / RUN_FILE)
    if run is None or (folder / EXIT_FILE).exists():
        return None
    process = ProcessIdentity.of_run(run)
    life = process.life() if process is not None else "gone"
    if process is None or life == "gone" or (life == "elsewhere" and _is_silent(folder)):
        return None
    # It may have ended between the two looks.
    return None if (folder / EXIT_FILE).exists() else f"process {process.pid} on {process.host}"


def _is_silent(folder: Path) -> bool:
    status = read_document(folder / STATUS_FILE) or {}
    seen_at, patience_s = finite(status.get("time")), finite(status.get("stalled_after_s"))
    return seen_at is None or patience_s is None or time.time() - seen_at > patience_s
