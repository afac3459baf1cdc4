"""The device of a run and the number formats it computes in."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forgelm._core import is_installed, require
from forgelm.errors import ConfigError
from forgelm.trainer.backend._capabilities import whole_weights_only

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["Precision", "choose_precision"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Precision:
    """Where and in which number format the model computes.

    Attributes:
        device: "cuda", "mps" or "cpu".
        dtype: Name of the torch dtype of the base weights.
        load_in_4bit: Base weights are stored in 4 bits.
        downgrade: Why 4 bits were not used though the default asks for them, or None.
        load_in_8bit: Base weights are stored in 8 bits.
        compute_dtype: Name of the torch dtype of the forward pass where that is not `dtype`.
    """

    device: str
    dtype: str
    load_in_4bit: bool
    downgrade: str | None = None
    load_in_8bit: bool = False
    compute_dtype: str | None = None

    @property
    def is_quantized(self) -> bool:
        """Base weights are stored in fewer bits than they are computed with."""
        return self.load_in_4bit or self.load_in_8bit


def choose_precision(config: ForgeConfig) -> Precision:
    """Return the device and number formats for this machine.

    Raises:
        ConfigError: 4 or 8 bits were asked for explicitly and cannot be had here.
    """
    device, computed = _device()
    # Small steps vanish in bfloat16 weights. GaLore keeps them so, as its paper does.
    is_full = config.lora.method == "full" and not config.training.galore_enabled
    dtype = "float32" if is_full else computed
    precision = Precision(device, dtype, False, compute_dtype=computed if is_full else None)
    key = "load_in_8bit" if config.model.load_in_8bit else "load_in_4bit"
    if not getattr(config.model, key):
        return precision
    missing = _missing(device, key) or whole_weights_only(config)
    if missing is None:
        is_8bit = key == "load_in_8bit"
        return Precision(device, dtype, not is_8bit, load_in_8bit=is_8bit)
    if key in config.model.model_fields_set:
        raise ConfigError(issues=[(f"model.{key}", f"{missing}. Set it to false.")])
    logger.warning("%s: the base model is loaded in %s instead", missing, dtype)
    reason = f"{missing}; loaded in {dtype}"
    return Precision(device, dtype, False, reason, compute_dtype=precision.compute_dtype)


def _device() -> tuple[str, str]:
    torch = require("torch", extra="train", feature="Training")
    if torch.cuda.is_available():
        return "cuda", "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return "mps" if torch.backends.mps.is_available() else "cpu", "float32"


def _missing(device: str, key: str) -> str | None:
    bits = "8" if key == "load_in_8bit" else "4"
    if device != "cuda":
        return f"{bits}-bit loading needs an NVIDIA GPU, and there is none here"
    if not is_installed("bitsandbytes"):
        return f"{bits}-bit loading needs the package bitsandbytes, which is not installed"
    return None
