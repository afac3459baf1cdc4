"""Loading with unsloth: the same model and adapter, with kernels of its own for one NVIDIA GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import TrainingError
from forgelm.trainer.backend import Precision

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["load_with_unsloth"]

_SEED = 42


def load_with_unsloth(config: ForgeConfig, precision: Precision, source: dict[str, Any]) -> Any:
    """Return the base model with its adapter attached; what it cannot do was refused before.

    Args:
        config: The configuration.
        precision: Number formats.
        source: Arguments of `from_pretrained` that say where the model lies.

    Raises:
        TrainingError: unsloth cannot load this model.
    """
    torch = require("torch", extra="train", feature="Training")
    # It patches transformers and TRL when it is imported.
    unsloth = require("unsloth", extra="train", feature="model.backend: unsloth")
    lora = config.lora
    targets: Any = lora.target_modules
    try:
        model, _ = unsloth.FastLanguageModel.from_pretrained(
            max_seq_length=config.model.max_length,
            dtype=getattr(torch, precision.dtype),
            load_in_4bit=precision.load_in_4bit,
            load_in_8bit=precision.load_in_8bit,
            **source,
        )
        return unsloth.FastLanguageModel.get_peft_model(
            model,
            r=lora.r,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            bias=lora.bias,
            target_modules="all-linear" if targets == ["all-linear"] else targets,
            use_rslora=lora.method == "rslora",
            use_gradient_checkpointing=config.training.gradient_checkpointing is not False,
            max_seq_length=config.model.max_length,
            random_state=_SEED,
        )
    except (ImportError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise TrainingError(
            f"unsloth cannot load {config.model.name_or_path!r}: {error}. "
            "Set model.backend to transformers."
        ) from error
