"""Which folders are checkpoints, and which of them is the best."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from forgelm.errors import DataError

__all__ = ["Checkpoint", "best_checkpoint", "checkpoint_files", "find_checkpoints", "is_checkpoint"]

STATE_FILE = "trainer_state.json"
_NAME = re.compile(r"checkpoint-(\d{1,12})")
_LARGEST_STATE_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Checkpoint:
    """A folder that the trainer saved: its place and its step."""

    path: Path
    step: int


def is_checkpoint(name: str) -> bool:
    """Say whether a folder is called as checkpoints are."""
    return _NAME.fullmatch(name) is not None


def find_checkpoints(folder: Path) -> tuple[list[Checkpoint], dict[str, str]]:
    """Return the checkpoints in a run directory by step, and what only looks like one and why."""
    found: list[Checkpoint] = []
    skipped: dict[str, str] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = _NAME.fullmatch(entry.name)
            if name is None:
                continue
            problem = _problem_with(Path(entry.path))
            if problem:
                skipped[entry.name] = problem
            else:
                found.append(Checkpoint(Path(entry.path), int(name[1])))
    return sorted(found, key=lambda checkpoint: checkpoint.step), dict(sorted(skipped.items()))


def checkpoint_files(folder: Path) -> Iterator[Path]:
    """Yield every file below a checkpoint, in one order.

    Raises:
        DataError: There is a link or a special file in it.
    """
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            yield path
        elif not stat.S_ISDIR(mode):
            raise DataError(f"{path.relative_to(folder)} is a link or a special file")


def best_checkpoint(checkpoints: list[Checkpoint]) -> Checkpoint:
    """Return the checkpoint that the newest one's state names as the best.

    Raises:
        DataError: No state names one, or the one it names is gone.
    """
    if not checkpoints:
        raise DataError("there is no checkpoint; nothing was changed.")
    newest = checkpoints[-1]
    named = _best_of(newest.path / STATE_FILE)
    if named is None:
        raise DataError(
            f"{newest.path / STATE_FILE} names no best checkpoint, so nothing was changed. The "
            "trainer names one where it evaluates; or use keep-last=N."
        )
    for checkpoint in checkpoints:
        if checkpoint.path.name == named:
            return checkpoint
    raise DataError(f"the best checkpoint, {named}, is not there; nothing was changed.")


def _problem_with(path: Path) -> str | None:
    if path.is_symlink():
        return "a symbolic link"
    if not path.is_dir():
        return "not a folder"
    state = path / STATE_FILE
    if state.is_symlink() or not state.is_file():
        return f"no {STATE_FILE}: not a checkpoint, or not saved whole"
    return None


def _best_of(state: Path) -> str | None:
    try:
        if state.stat().st_size > _LARGEST_STATE_BYTES:
            return None
        document = json.loads(state.read_bytes())
        name = re.split(r"[/\\]", document["best_model_checkpoint"].rstrip("/\\"))[-1]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return name if is_checkpoint(name) else None
