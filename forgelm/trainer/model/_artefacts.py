"""The final model's folder, and making room for it without losing an earlier one."""

from __future__ import annotations

import glob
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import TrainingError
from forgelm.runs import move_aside
from forgelm.trainer.model._probe import CheckFailedError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["repair_interrupted_save", "save_final_model"]

_EARLIER = "earlier"
_BEFORE = "before-"
_UNVERIFIED = "unverified"


def save_final_model(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    target: Path,
    *,
    run_dir: Path,
    run_id: str,
    check: Callable[[Path], None] | None = None,
) -> Path:
    """Write adapter (or whole model) and tokenizer to `target`, whole or not at all.

    A model that stands there already is moved to `earlier/` once the new one is complete. A
    process that is killed in between leaves what `repair_interrupted_save` puts right.

    Args:
        model: What `save_pretrained` is called on.
        tokenizer: Its tokenizer.
        target: The folder to write.
        run_dir: The folder of the run.
        run_id: Its name.
        check: Looks at what was written. What it rejects is kept in `unverified/` to be examined.

    Raises:
        TrainingError: What was written cannot be read back, or computes something else.
        OSError: The disk is full or the folder cannot be written.
    """
    written = run_dir / f".{target.name}.{run_id}.tmp"
    try:
        model.save_pretrained(written)
        tokenizer.save_pretrained(written)
        _check_weights(written)
        if check is not None:
            check(written)
    except CheckFailedError as error:
        kept = run_dir / _UNVERIFIED / run_id / target.name
        kept.parent.mkdir(parents=True)
        written.rename(kept)
        raise TrainingError(f"{error}; what was written is in {kept}") from error
    except BaseException:
        shutil.rmtree(written, ignore_errors=True)
        raise
    if target.exists():
        move_aside(run_dir, [target], f"{_BEFORE}{run_id}")
    written.rename(target)
    return target


def repair_interrupted_save(run_dir: Path, name: str) -> bool:
    """Put back the final model that a run killed while replacing it had moved away.

    What that run had written is kept in `earlier/`: its record does not say that it was finished.

    Returns:
        Whether a model was put back to `run_dir/name`.
    """
    final = run_dir / name
    restored = False
    for written in sorted(run_dir.glob(f".{glob.escape(name)}*.tmp")):
        run_id = written.name.removeprefix(f".{name}.").removesuffix(".tmp")
        run_id = run_id.removeprefix("staging.")
        moved = run_dir / _EARLIER / f"{_BEFORE}{run_id}" / name
        if moved.is_dir() and not final.exists():
            moved.rename(final)
            restored = True
        move_aside(run_dir, [written], f"unfinished-{run_id}")
    return restored


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
