"""Checkpoints that are whole or do not count: committed by a manifest of digests, and verified."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgelm._core import json_safe, sha256_file, write_json_atomic
from forgelm.errors import ConfigError, TrainingError
from forgelm.runs import CHECKPOINT_MANIFEST, move_aside, read_document

__all__ = ["CheckpointKeeper", "FoundCheckpoint", "find_checkpoint", "verify_checkpoint"]

logger = logging.getLogger(__name__)

_NAME = re.compile(r"checkpoint-(\d+)")
_DELETED = ".deleted"
_NOT_COMMITTED = "it was not saved whole (it has no manifest)"


@dataclass(frozen=True)
class FoundCheckpoint:
    """Where a run can go on from.

    Attributes:
        path: The checkpoint, or None to begin at the first step.
        step: Optimizer steps that were done.
        skipped: Newer checkpoints that cannot be used, each with the reason.
    """

    path: Path | None = None
    step: int = 0
    skipped: tuple[tuple[Path, str], ...] = ()

    def sentence(self) -> str:
        """Say where the run goes on from, and what was skipped."""
        start = f"resumed from {self.path.name}" if self.path else "begun again at the first step"
        told = (f"skipped {path.name}: {reason}" for path, reason in self.skipped)
        return "; ".join([start, *told])


@dataclass
class CheckpointKeeper:
    """Commits the checkpoints of one run, and deletes old ones.

    Attributes:
        run_id: The run.
        config_hash: Digest of its configuration.
        settings: What a checkpoint must not be resumed with another value of.
        keep: How many checkpoints stay, the newest and the best one among them.
    """

    run_id: str
    config_hash: str
    keep: int
    settings: dict[str, Any] = field(default_factory=dict)

    def commit(self, folder: Path, step: int) -> None:
        """Make `folder` durable and write its manifest: from now on it can be resumed from."""
        manifest = {
            "format": 1,
            "step": step,
            "run_id": self.run_id,
            "config_hash": self.config_hash,
            "time": time.time(),
            "settings": json_safe(self.settings),
            "files": {name: _digest(path) for name, path in _files(folder)},
        }
        _sync_folder(folder)
        write_json_atomic(folder / CHECKPOINT_MANIFEST, manifest)
        _sync_folder(folder)

    def rotate(self, run_dir: Path, best: str | None) -> None:
        """Delete the oldest committed checkpoints beyond `keep`, never the newest or the best."""
        for left in run_dir.glob(f".checkpoint-*{_DELETED}"):
            shutil.rmtree(left, ignore_errors=True)
        committed = [path for _, path in _checkpoints(run_dir) if _is_committed(path)]
        kept = {committed[0]} if committed else set()
        kept |= {path for path in committed if best and path.name == Path(best).name}
        spare = max(self.keep - len(kept), 0)
        for path in [path for path in committed if path not in kept][spare:]:
            # Renamed first: what is half deleted must not look like a checkpoint.
            doomed = path.with_name(f".{path.name}{_DELETED}")
            path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def check_settings(self, checkpoint: Path) -> None:
        """Refuse a checkpoint that was trained with other settings than these.

        Raises:
            ConfigError: Names every setting that differs, with both values.
        """
        manifest = read_document(checkpoint / CHECKPOINT_MANIFEST) or {}
        before, now = manifest.get("settings") or {}, json_safe(self.settings)
        issues = [
            (
                key,
                f"is {now.get(key)!r}, and {checkpoint.name} was trained with {before.get(key)!r}",
            )
            for key in sorted({*before, *now})
            if before.get(key) != now.get(key)
        ]
        if issues:
            told = "put it back to resume, or train without resuming"
            raise ConfigError(issues=[(key, f"{text}; {told}") for key, text in issues])


def find_checkpoint(where: Path, run_id: str) -> FoundCheckpoint:
    """Return the newest valid checkpoint in a run directory, or the checkpoint `where` itself.

    Newer ones that are not valid are moved to `earlier/`, where they are evidence and in nobody's
    way.

    Raises:
        TrainingError: `where` is a checkpoint that is not valid, or no checkpoint is valid though
            some were committed: they were altered or damaged since.
    """
    named = _NAME.fullmatch(where.name)
    if named:
        problem = verify_checkpoint(where)
        if problem:
            raise TrainingError(f"{where} cannot be resumed from: {problem}.")
        return FoundCheckpoint(where, int(named[1]))
    skipped: list[tuple[Path, str]] = []
    found = FoundCheckpoint()
    for step, path in _checkpoints(where):
        problem = verify_checkpoint(path)
        if problem is None:
            found = FoundCheckpoint(path, step)
            break
        skipped.append((path, problem))
        logger.warning("%s is skipped: %s", path, problem)
    damaged = [(path, problem) for path, problem in skipped if problem != _NOT_COMMITTED]
    if found.path is None and damaged:
        told = "; ".join(f"{path.name}: {problem}" for path, problem in damaged)
        raise TrainingError(
            f"no checkpoint in {where} can be resumed from ({told}). Train without resuming to "
            "begin again; they are moved to earlier/ and kept."
        )
    if skipped:
        move_aside(where, [path for path, _ in skipped], f"{run_id}-skipped")
    return FoundCheckpoint(found.path, found.step, tuple(skipped))


def verify_checkpoint(folder: Path) -> str | None:
    """Say what is wrong with a checkpoint, None when every file is as its manifest says."""
    if not _is_committed(folder):
        return _NOT_COMMITTED
    manifest = read_document(folder / CHECKPOINT_MANIFEST)
    listed = manifest.get("files") if manifest else None
    if manifest is None or not isinstance(listed, dict) or not listed:
        return "its manifest cannot be read"
    if folder.name != f"checkpoint-{manifest.get('step')}":
        return f"its manifest is that of step {manifest.get('step')}"
    files = dict(_files(folder))
    missing = sorted(set(listed) - set(files))
    if missing:
        return f"{missing[0]} is missing"
    added = sorted(set(files) - set(listed))
    if added:
        return f"{added[0]} was added after it was saved"
    return next(
        (problem for name in files if (problem := _altered(files[name], listed[name]))), None
    )


def _altered(path: Path, listed: Any) -> str | None:
    expected: Mapping[str, Any] = listed if isinstance(listed, dict) else {}
    try:
        if path.stat().st_size != expected.get("size"):
            return f"{path.name} has {path.stat().st_size} bytes, not {expected.get('size')}"
        if sha256_file(path) != expected.get("sha256"):
            return f"{path.name} was altered after it was saved"
    except OSError as error:
        return f"{path.name} cannot be read: {error.strerror}"
    return None


def _is_committed(folder: Path) -> bool:
    return (folder / CHECKPOINT_MANIFEST).is_file()


def _checkpoints(run_dir: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints in a folder with their steps, the newest first."""
    found = []
    for path in run_dir.iterdir() if run_dir.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name and path.is_dir():
            found.append((int(name[1]), path))
    return sorted(found, reverse=True)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file of a checkpoint but the manifest, with its name as the manifest has it."""
    for path in sorted(folder.rglob("*")):
        ours = path.parent == folder and path.name.startswith((".", CHECKPOINT_MANIFEST))
        if path.is_file() and not ours:
            yield path.relative_to(folder).as_posix(), path


def _digest(path: Path) -> dict[str, Any]:
    """Return size and digest of a file, and have its bytes on the disk before that is written."""
    with open(path, "r+b") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        os.fsync(stream.fileno())
        return {"size": stream.tell(), "sha256": digest}


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        with suppress(OSError):  # some network file systems cannot
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
