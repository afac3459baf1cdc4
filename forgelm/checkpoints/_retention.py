"""`manage_checkpoints`: what stays of the checkpoints of a run."""

from __future__ import annotations

import re
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from forgelm.checkpoints._archive import archive_of, compress
from forgelm.checkpoints._find import (
    Checkpoint,
    best_checkpoint,
    find_checkpoints,
    is_checkpoint,
)
from forgelm.checkpoints._running import training_in
from forgelm.errors import DataError

__all__ = ["CheckpointSummary", "manage_checkpoints"]

_DELETED = ".deleted"
_KEEP_LAST = re.compile(r"keep-last=([1-9]\d{0,5})")
_ACTIONS = "keep, delete, compress, keep-best or keep-last=N"


@dataclass
class CheckpointSummary:
    """What `manage_checkpoints` did, or with `dry_run` would do.

    Attributes:
        checkpoint_dir: The run directory.
        action: What was asked for.
        dry_run: Nothing was changed.
        kept: Checkpoints that stay as they are, by step.
        deleted: Checkpoints that are gone.
        compressed: Checkpoints that are archives now, each with the name of its archive.
        skipped: What was left alone though it is called a checkpoint, each with the reason.
        freed_bytes: Bytes of the folders that went, less those of the archives that came.
    """

    checkpoint_dir: str
    action: str
    dry_run: bool
    kept: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    compressed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    freed_bytes: int = 0


def manage_checkpoints(
    checkpoint_dir: str, action: str = "keep", *, dry_run: bool = False
) -> CheckpointSummary:
    """Keep, pack or delete the checkpoints in a run directory; nothing else in it is touched.

    A checkpoint is a folder `checkpoint-N` with the trainer's state in it. The final model, links
    and folders that only have the name are never changed. While a training goes on in the
    directory, here or on another machine that shares it, everything but `keep` is refused.

    Args:
        checkpoint_dir: The run directory, which holds the checkpoints.
        action: `keep` changes nothing. `delete` deletes them all. `compress` makes each one an
            archive (`.tar.zst`, or `.tar.gz` without zstandard) with its SHA-256 beside it; the
            folder goes once the archive was read back and holds the same bytes. `keep-best` keeps
            the one with the best evaluation, `keep-last=N` the N newest.
        dry_run: Only say what would be done.

    Returns:
        What became of each checkpoint.

    Raises:
        DataError: There is no such folder, it is a checkpoint itself, a training goes on in it, or
            no best one is known.
        ValueError: There is no such action.
        OptionalDependencyError: A run without an end is there, and psutil is not installed to tell
            whether it goes on.
        OSError: The disk is full or the folder cannot be written; what was done stays done.
    """
    folder = Path(checkpoint_dir).expanduser()
    choose = _choice(action)
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder. Give the run directory.")
    if is_checkpoint(folder.resolve().name):
        raise DataError(f"{folder} is a checkpoint itself. Give the run directory that holds it.")
    trainer = training_in(folder) if action != "keep" else None
    if trainer is not None:
        raise DataError(
            f"{folder} is being trained in ({trainer}), so nothing was changed. Stop the run "
            "(forgelm runs stop), or wait for its end."
        )
    found, skipped = find_checkpoints(folder)
    kept = choose(found)
    summary = CheckpointSummary(str(folder), action, dry_run, skipped=skipped)
    if action != "keep" and not dry_run:
        _sweep(folder)
    for checkpoint in found:
        if checkpoint in kept:
            summary.kept.append(checkpoint.path.name)
        elif action == "compress":
            _pack(checkpoint, summary)
        else:
            summary.freed_bytes += _size(checkpoint.path)
            summary.deleted.append(checkpoint.path.name)
            if not dry_run:
                _delete(checkpoint.path)
    return summary


def _choice(action: str) -> Callable[[list[Checkpoint]], list[Checkpoint]]:
    """Return what chooses the checkpoints that stay as they are."""
    newest = _KEEP_LAST.fullmatch(action)
    if newest:
        return lambda found: found[-int(newest[1]) :]
    choices: dict[str, Callable[[list[Checkpoint]], list[Checkpoint]]] = {
        "keep": lambda found: found,
        "delete": lambda _: [],
        "compress": lambda _: [],
        "keep-best": lambda found: [best_checkpoint(found)],
    }
    if action not in choices:
        raise ValueError(f"there is no action {action[:40]!r}; use {_ACTIONS} (N at least 1)")
    return choices[action]


def _pack(checkpoint: Checkpoint, summary: CheckpointSummary) -> None:
    name = checkpoint.path.name
    try:
        size = _size(checkpoint.path)
        if summary.dry_run:
            summary.compressed[name] = (archive_of(checkpoint.path) or Path(f"{name}.tar")).name
            return
        archive = compress(checkpoint.path)
    except DataError as error:
        summary.skipped[name] = str(error)
        return
    summary.compressed[name] = archive.name
    summary.freed_bytes += size - archive.stat().st_size
    _delete(checkpoint.path)


def _delete(folder: Path) -> None:
    # Renamed first: what is half deleted must not look like a checkpoint.
    doomed = folder.with_name(f".{folder.name}{_DELETED}")
    folder.rename(doomed)
    shutil.rmtree(doomed)


def _sweep(folder: Path) -> None:
    """Finish deletions that were interrupted."""
    for left in folder.glob(f".checkpoint-*{_DELETED}"):
        name = left.name[1 : -len(_DELETED)]
        if is_checkpoint(name) and left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)


def _size(folder: Path) -> int:
    """Return the bytes of the files below a folder; links count nothing."""
    found = (path.lstat() for path in folder.rglob("*"))
    return sum(entry.st_size for entry in found if stat.S_ISREG(entry.st_mode))
