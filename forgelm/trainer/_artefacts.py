"""The final model's folder, and making room for it without losing an earlier one."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import TrainingError
from forgelm.trainer._progress import METRICS_FILE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["save_final_model", "set_aside_earlier_run"]

_EARLIER = "earlier"
_CHECKPOINT = re.compile(r"checkpoint-\d+")
_RUN_ID = re.compile(r"[\w.-]{1,64}")


def set_aside_earlier_run(run_dir: Path) -> None:
    """Move an earlier run's metrics and checkpoints to `earlier/<its run id>/`.

    Left where they are they would be counted, rotated away or resumed as this run's.
    """
    left = [path for path in run_dir.iterdir() if _CHECKPOINT.fullmatch(path.name)]
    metrics = run_dir / METRICS_FILE
    if metrics.exists():
        left.append(metrics)
    if left:
        _move_aside(run_dir, left, _run_of(metrics))


def save_final_model(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    *,
    run_dir: Path,
    name: str,
    run_id: str,
    merge: bool,
) -> Path:
    """Write adapter (or merged model) and tokenizer to `run_dir/name`, whole or not at all.

    A final model that stands there already is moved to `earlier/` once the new one is complete.

    Raises:
        TrainingError: What was written cannot be read back.
        OSError: The disk is full or the folder cannot be written.
    """
    written = run_dir / f".{name}.{run_id}.tmp"
    final = run_dir / name
    try:
        if merge and hasattr(model, "merge_and_unload"):
            model.merge_and_unload().save_pretrained(written)
        else:
            model.save_pretrained(written)
        tokenizer.save_pretrained(written)
        _check_weights(written)
        if final.exists():
            _move_aside(run_dir, [final], f"before-{run_id}")
        written.rename(final)
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise
    return final


def _check_weights(folder: Path) -> None:
    safetensors = require("safetensors", extra="train", feature="Saving a model")
    files = sorted(folder.glob("*.safetensors"))
    tensors = 0
    try:
        for file in files:
            with safetensors.safe_open(file, framework="pt") as stream:
                tensors += len(stream.keys())
    except safetensors.SafetensorError as error:
        raise TrainingError(f"{file.name} of the final model cannot be read back") from error
    if not tensors:
        raise TrainingError("the final model was saved without any weights")


def _move_aside(run_dir: Path, paths: list[Path], label: str) -> None:
    target = run_dir / _EARLIER / label
    number = 1
    while target.exists():
        number += 1
        target = run_dir / _EARLIER / f"{label}-{number}"
    target.mkdir(parents=True)
    for path in paths:
        path.rename(target / path.name)


def _run_of(metrics: Path) -> str:
    try:
        with open(metrics, encoding="utf-8") as stream:
            run_id = json.loads(stream.readline(65_536))["run_id"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return "unknown-run"
    usable = isinstance(run_id, str) and _RUN_ID.fullmatch(run_id) and run_id not in {".", ".."}
    return run_id if usable else "unknown-run"
