"""What this machine and these libraries can do with the model settings of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from forgelm._core import is_installed, require

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["capability_issues", "trained_experts", "whole_weights_only"]

Issue = tuple[str, str]

_ADAPTER_KEYS = ("r", "alpha", "dropout", "bias", "target_modules")
_ROPE_TYPES = ("linear", "llama3", "longrope", "yarn")


def capability_issues(config: ForgeConfig, *, has_model: bool = False) -> Iterator[Issue]:
    """Yield each model setting that cannot be honoured here, as (key, problem).

    Args:
        config: The configuration.
        has_model: The model was handed in as an object, so nothing is loaded.
    """
    if config.lora.task_type != "CAUSAL_LM":
        yield (
            "lora.task_type",
            f"{config.lora.task_type!r} cannot be trained: every trainer_type trains a model that "
            "predicts the next token; write CAUSAL_LM",
        )
    yield from _method_issues(config)
    yield from _galore_issues(config)
    yield from _expert_issues(config)
    yield from _rope_issues(config)
    if has_model:
        yield from _object_issues(config)
    elif config.model.backend == "unsloth":
        yield from _unsloth_issues(config)


def whole_weights_only(config: ForgeConfig) -> str | None:
    """Return why the base weights cannot be stored in fewer bits, or None when they can."""
    if config.lora.method == "full":
        return "lora.method: full trains the base weights themselves"
    if config.lora.method == "pissa":
        return "lora.method: pissa takes its adapter out of the base weights"
    return None


def trained_experts(config: ForgeConfig) -> frozenset[int] | None:
    """Return the numbers in `model.moe.experts_to_train`, None for all of them.

    Raises:
        ValueError: It is neither `all` nor numbers separated by commas.
    """
    written = config.model.moe.experts_to_train if config.model.moe else "all"
    if written.strip() == "all":
        return None
    numbers = [part.strip() for part in written.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 6 for part in numbers):
        raise ValueError(f"{written!r} is neither `all` nor numbers separated by commas")
    return frozenset(int(part) for part in numbers)


def _method_issues(config: ForgeConfig) -> Iterator[Issue]:
    method = config.lora.method
    if method == "full":
        for key in _ADAPTER_KEYS:
            if key in config.lora.model_fields_set:
                yield (
                    f"lora.{key}",
                    "belongs to an adapter, and lora.method: full has none; leave it out",
                )
        if config.training.merge_adapters:
            yield "training.merge_adapters", "lora.method: full has no adapter; leave it out"
    if method == "pissa" and config.training.trainer_type in {"dpo", "kto"}:
        yield (
            "lora.method",
            f"pissa changes the base model, which {config.training.trainer_type} needs as its "
            "reference; take lora, rslora or dora",
        )
    reason = whole_weights_only(config)
    for key in ("load_in_4bit", "load_in_8bit"):
        if reason and getattr(config.model, key) and key in config.model.model_fields_set:
            yield f"model.{key}", f"{reason}; write {key}: false"


def _galore_issues(config: ForgeConfig) -> Iterator[Issue]:
    training = config.training
    if not training.galore_enabled:
        return
    if config.lora.method != "full":
        yield (
            "training.galore_enabled",
            "GaLore trains the weights of the model, not an adapter; write lora.method: full",
        )
    missing = [name for name in ("galore_torch", "bitsandbytes") if not is_installed(name)]
    if missing:
        names = " and ".join(name.replace("_", "-") for name in missing)
        yield (
            "training.galore_enabled",
            f"the package {names} is not installed; "
            "run pip install galore-torch bitsandbytes, or set it to false",
        )
    if "8bit" in training.galore_optim and not _has_cuda():
        other = training.galore_optim.replace("_8bit", "")
        yield (
            "training.galore_optim",
            f"{training.galore_optim} needs an NVIDIA GPU, and there is none here; take {other}",
        )
    if training.galore_optim.endswith("_layerwise") and training.gradient_accumulation_steps > 1:
        yield (
            "training.galore_optim",
            f"{training.galore_optim} updates each layer at once and cannot gather batches; "
            "set gradient_accumulation_steps to 1",
        )


def _expert_issues(config: ForgeConfig) -> Iterator[Issue]:
    moe = config.model.moe
    if moe is None:
        return
    try:
        trained_experts(config)
    except ValueError as error:
        yield "model.moe.experts_to_train", str(error)
    if moe.quantize_experts:
        yield (
            "model.moe.quantize_experts",
            "the experts of a model are stored in one piece, which bitsandbytes does not store in "
            "4 bits; set it to false",
        )
    if config.lora.method not in {"lora", "rslora"}:
        yield (
            "lora.method",
            f"{config.lora.method} cannot be used on experts; take lora or rslora, or leave out "
            "model.moe",
        )
    if config.lora.dropout and "dropout" in config.lora.model_fields_set:
        yield "lora.dropout", "PEFT has none for experts; set it to 0"


def _rope_issues(config: ForgeConfig) -> Iterator[Issue]:
    wanted = config.training.rope_scaling
    if not wanted:
        return
    kind = wanted.get("rope_type", wanted.get("type"))
    if kind not in _ROPE_TYPES:
        yield (
            "training.rope_scaling",
            f"rope_type {kind!r} is not one of {', '.join(_ROPE_TYPES)} (dynamic changes nothing "
            "within the model's own length)",
        )
    factor = wanted.get("factor")
    if not isinstance(factor, int | float) or factor < 1:
        yield "training.rope_scaling", "needs a factor of 1 or more, for example factor: 2.0"


def _object_issues(config: ForgeConfig) -> Iterator[Issue]:
    """Yield the settings of loading that a model handed in as an object is past."""
    asked = {
        "model.load_in_4bit": config.model.load_in_4bit
        and "load_in_4bit" in config.model.model_fields_set,
        "model.load_in_8bit": config.model.load_in_8bit,
        "model.backend": config.model.backend == "unsloth",
        "training.rope_scaling": bool(config.training.rope_scaling),
        "training.sliding_window_attention": bool(config.training.sliding_window_attention),
    }
    for key, is_asked in asked.items():
        if is_asked:
            yield key, "cannot be set on a model that was handed in as an object; leave it out"


def _unsloth_issues(config: ForgeConfig) -> Iterator[Issue]:
    key = "model.backend"
    if not _has_cuda():
        yield key, "unsloth needs an NVIDIA GPU, and there is none here; take transformers"
    if not is_installed("unsloth"):
        yield key, "the package unsloth is not installed; run pip install unsloth"
    if config.training.trainer_type in {"dpo", "kto", "grpo"}:
        # They would save a second, frozen adapter beside a model that comes with one.
        yield key, f"unsloth is used for sft, orpo and simpo; {config.training.trainer_type} is not"
    if config.lora.method not in {"lora", "rslora"}:
        yield key, f"unsloth trains lora and rslora; lora.method is {config.lora.method}"
    if config.model.moe is not None:
        yield key, "unsloth is not used for experts; leave out model.moe or take transformers"
    for name in ("rope_scaling", "sliding_window_attention"):
        if getattr(config.training, name):
            yield key, f"unsloth sets positions itself; leave out training.{name}"


def _has_cuda() -> bool:
    torch = require("torch", extra="train", feature="Training")
    return bool(torch.cuda.is_available())
