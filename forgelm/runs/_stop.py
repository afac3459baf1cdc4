"""The `STOP` file: how any process asks a run to stop, and what for."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from forgelm._core import open_regular_file
from forgelm.runs._files import STOP_FILE

__all__ = ["ask_to_stop", "asks_for_best", "read_stop"]

_KEEP_BEST = "keep: best"
_LONGEST_BYTES = 1_000


def ask_to_stop(folder: Path, reason: str, *, keep_best: bool = False) -> None:
    """Write the `STOP` file, unless there is one already.

    It has the reason; where the best checkpoint is to be kept as the final model, a first line
    says so.

    Raises:
        OSError: The folder cannot be written.
    """
    said = f"{_KEEP_BEST}\n{reason}" if keep_best else reason
    with suppress(FileExistsError), open(folder / STOP_FILE, "x", encoding="utf-8") as stream:
        stream.write(said)


def read_stop(folder: Path) -> str | None:
    """Return the reason in the `STOP` file, None where nobody asked for a stop."""
    text = _text(folder)
    if text is None:
        return None
    first, _, rest = text.partition("\n")
    return (rest if first.strip() == _KEEP_BEST else text).strip() or "asked to stop"


def asks_for_best(folder: Path) -> bool:
    """Tell whether the `STOP` file says to keep the best checkpoint as the final model."""
    return (_text(folder) or "").partition("\n")[0].strip() == _KEEP_BEST


def _text(folder: Path) -> str | None:
    try:
        with open_regular_file(folder / STOP_FILE) as stream:
            return stream.read(_LONGEST_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return None
