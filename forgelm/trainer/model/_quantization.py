"""Storing the base weights in 4 or 8 bits with bitsandbytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.trainer.backend import Ranks

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig
    from forgelm.trainer.backend import Precision

__all__ = ["quantized_loading"]

_COMPUTE_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def quantized_loading(config: ForgeConfig, precision: Precision) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that store the weights as `precision` says."""
    if not precision.is_quantized:
        return {}
    transformers = require("transformers", extra="train", feature="Training")
    if precision.load_in_8bit:
        made = transformers.BitsAndBytesConfig(load_in_8bit=True)
    else:
        made = _four_bits(config, precision)
    return {"quantization_config": made, "device_map": {"": Ranks.device_number()}}


def _four_bits(config: ForgeConfig, precision: Precision) -> Any:
    torch = require("torch", extra="train", feature="Training")
    transformers = require("transformers", extra="train", feature="Training")
    wanted = config.model.bnb_4bit_compute_dtype
    name = precision.dtype if wanted == "auto" else _COMPUTE_DTYPES.get(wanted, wanted)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=config.model.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=config.model.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=getattr(torch, name),
    )
