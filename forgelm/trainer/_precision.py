"""The device of a run and the number formats it computes in."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forgelm._core import is_installed, require
from forgelm.errors import ConfigError

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
    """

    device: str
    dtype: str
    load_in_4bit: bool
    downgrade: str | None = None


def choose_precision(config: ForgeConfig) -> Precision:
    """Return the device and number formats for this machine.

    Raises:
        ConfigError: 4 bits were asked for explicitly and cannot be had here.
    """
    torch = require("torch", extra="train", feature="Training")
    if torch.cuda.is_available():
        device, dtype = "cuda", "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    else:
        device, dtype = "mps" if torch.backends.mps.is_available() else "cpu", "float32"
    if not config.model.load_in_4bit:
        return Precision(device, dtype, False)
    missing = None
    if device != "cuda":
        missing = "4-bit loading needs an NVIDIA GPU, and there is none here"
    elif not is_installed("bitsandbytes"):
        missing = "4-bit loading needs the package bitsandbytes, which is not installed"
    if missing is None:
        return Precision(device, dtype, True)
    if "load_in_4bit" in config.model.model_fields_set:
        raise ConfigError(issues=[("model.load_in_4bit", f"{missing}. Set it to false.")])
    logger.warning("%s: the base model is loaded in %s instead", missing, dtype)
    return Precision(device, dtype, False, downgrade=f"{missing}; loaded in {dtype}")
