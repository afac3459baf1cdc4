"""Melting an adapter into its base model, and checking that nothing was lost on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm._core import MODEL_LOADING, quiet_libraries, require
from forgelm.errors import DataError, TrainingError
from forgelm.export._folders import (
    adapter_base,
    copy_tokenizer,
    is_adapter,
    model_folder,
    new_folder,
    read_json,
)
from forgelm.export._probe import free_weights, largest_difference, probe_logits

__all__ = ["BASE_SETTINGS", "MergeResult", "merge_adapter", "merge_into"]

BASE_SETTINGS = "base_settings.json"
"""Beside an adapter: what was changed in the base model's configuration before training."""

_FEATURE = "Merging a model"
# Melting rounds every weight once more; half precision has 8 or 11 bits to round to.
_TOLERANCE = {"torch.float32": 1e-4, "torch.float16": 2e-2, "torch.bfloat16": 5e-2}


@dataclass(frozen=True)
class MergeResult:
    """One model made of several.

    Attributes:
        path: Folder of the merged model.
        method: "adapter", "linear", "ties", "dare" or "slerp".
        sources: What it was made of, base model first.
        largest_difference: Difference to the logits of base and adapter on a probe, as a share of
            the largest logit. None where there is nothing it should be equal to.
        tolerance: The largest difference that was allowed.
    """

    path: Path
    method: str
    sources: tuple[str, ...]
    largest_difference: float | None = None
    tolerance: float | None = None


def merge_adapter(
    adapter_dir: str | Path, out: str | Path, *, base: str | Path | None = None
) -> MergeResult:
    """Write the model that an adapter and its base make together to the new folder `out`.

    Args:
        adapter_dir: Folder of a PEFT adapter.
        out: Folder for the merged model and its tokenizer; must not exist.
        base: The base model, a folder or Hub name; left out, the one the adapter names.

    Raises:
        DataError: There is no adapter, or it does not fit the base.
        FileExistsError: `out` exists.
        TrainingError: What was written computes something else than base and adapter do.
        OSError: A file cannot be read or written.
    """
    folder = model_folder(adapter_dir)
    if not is_adapter(folder):
        raise DataError(f"{folder}: holds a model, not an adapter")
    name = str(base) if base is not None else adapter_base(folder)
    target = Path(out).expanduser()
    with quiet_libraries(), new_folder(target) as written:
        model = _load_base(name, folder)
        difference, tolerance = merge_into(model, folder, written)
        copy_tokenizer([folder, Path(name)], written)
    return MergeResult(target, "adapter", (name, str(folder)), difference, tolerance)


def _load_base(name: str, adapter: Path) -> Any:
    """Return the base model as the adapter knew it, in its own number format on the CPU."""
    transformers = require("transformers", extra="train", feature=_FEATURE)
    settings = adapter / BASE_SETTINGS
    try:
        with MODEL_LOADING:
            config = transformers.AutoConfig.from_pretrained(name)
            if settings.is_file():
                for key, value in read_json(settings).items():
                    setattr(config.get_text_config(), key, value)
            return transformers.AutoModelForCausalLM.from_pretrained(
                name, config=config, dtype="auto", use_safetensors=True
            )
    except (OSError, ValueError, ImportError, KeyError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise DataError(f"the base model {name!r} cannot be loaded: {first}") from error


def merge_into(base: Any, adapter: Path, written: Path) -> tuple[float, float]:
    """Write `base` with `adapter` melted in to `written`; the memory of `base` is given up.

    Returns:
        The largest difference on the probe and the tolerance, both shares of the largest logit.

    Raises:
        DataError: The adapter does not fit the base.
        TrainingError: The merged model computes something else.
    """
    peft = require("peft", extra="train", feature=_FEATURE)
    try:
        with MODEL_LOADING:
            adapted = peft.PeftModel.from_pretrained(base, str(adapter))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise DataError(f"{adapter}: does not fit the base model: {first}") from error
    _check_all_loaded(adapted, adapter)
    expected = probe_logits(adapted)
    tolerance = _TOLERANCE.get(str(base.dtype), max(_TOLERANCE.values()))
    merged = adapted.merge_and_unload()
    merged.save_pretrained(written)
    free_weights(merged)
    return _check_copy(expected, written, tolerance, dtype=base.dtype), tolerance


def _check_all_loaded(adapted: Any, adapter: Path) -> None:
    """Raise DataError for a tensor that PEFT did not find or had no place for: it only warns."""
    peft = require("peft", extra="train", feature=_FEATURE)
    safetensors = require("safetensors", extra="train", feature=_FEATURE)
    with safetensors.safe_open(adapter / "adapter_model.safetensors", framework="pt") as stream:
        stored = set(stream.keys())
    odd = sorted(stored ^ set(peft.get_peft_model_state_dict(adapted)))
    if odd:
        raise DataError(f"{adapter}: does not fit the base model: {odd[0]} is only in one of them")


def _check_copy(expected: Any, written: Path, tolerance: float, *, dtype: Any) -> float:
    """Return how far the model in `written` is from the logits it should give.

    Raises:
        TrainingError: Further than `tolerance`.
    """
    transformers = require("transformers", extra="train", feature=_FEATURE)
    with MODEL_LOADING:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            written, dtype=dtype, use_safetensors=True
        )
    difference = largest_difference(expected, probe_logits(model))
    if difference > tolerance:
        raise TrainingError(
            f"the merged model does not compute what base and adapter do: the logits differ by "
            f"{difference:.2g} of the largest, {tolerance:.2g} is allowed"
        )
    return difference
