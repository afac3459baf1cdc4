"""Storing the base of an adapter as it was stored while the adapter was trained."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from forgelm._core import is_installed, require
from forgelm.errors import ConfigError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["quantized_loading"]

logger = logging.getLogger(__name__)

_FEATURE = "Evaluating a model"
_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
# These train or split the weights themselves, which no training stores in fewer bits.
_WHOLE = {"full", "pissa"}


def quantized_loading(config: ForgeConfig) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that store weights in 4 or 8 bits, if any.

    Raises:
        ConfigError: The config asks for it explicitly, and it cannot be had here.
    """
    key = "load_in_8bit" if config.model.load_in_8bit else "load_in_4bit"
    if not getattr(config.model, key) or config.lora.method in _WHOLE:
        return {}
    missing = _missing(key.removeprefix("load_in_").removesuffix("bit"))
    if missing is None:
        return {"quantization_config": _bits(config), "device_map": {"": 0}}
    if key in config.model.model_fields_set:
        problem = f"{missing}. Set it to false to try the adapter on whole weights."
        raise ConfigError(issues=[(f"model.{key}", problem)])
    logger.warning("%s: the adapter is tried on whole weights instead", missing)
    return {}


def _missing(bits: str) -> str | None:
    torch = require("torch", extra="train", feature=_FEATURE)
    if not torch.cuda.is_available():
        return f"{bits}-bit loading needs an NVIDIA GPU, and there is none here"
    if not is_installed("bitsandbytes"):
        return f"{bits}-bit loading needs the package bitsandbytes, which is not installed"
    return None


def _bits(config: ForgeConfig) -> Any:
    torch = require("torch", extra="train", feature=_FEATURE)
    transformers = require("transformers", extra="train", feature=_FEATURE)
    if config.model.load_in_8bit:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    wanted = config.model.bnb_4bit_compute_dtype
    own = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    dtype = getattr(torch, own if wanted == "auto" else _DTYPES.get(wanted, wanted))
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=config.model.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=config.model.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=dtype,
    )
