"""What a run used: time, GPU memory, and money where the user gave a price."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.trainer._precision import Precision

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["ResourceMeter"]


class ResourceMeter:
    """Measures from its construction on."""

    def __init__(self, precision: Precision) -> None:
        self._torch = require("torch", extra="train", feature="Training")
        self._precision = precision
        self._began = time.monotonic()
        if self._on_gpu:
            self._torch.cuda.reset_peak_memory_stats()

    def usage(self, config: ForgeConfig) -> dict[str, Any]:
        """Return what was used so far; figures that cannot be had are None, never a guess."""
        wall_s = time.monotonic() - self._began
        gpu_hours = wall_s / 3600 if self._on_gpu else 0.0
        price = config.training.gpu_cost_per_hour if self._on_gpu else None
        peak = self._torch.cuda.max_memory_allocated() / 2**30 if self._on_gpu else None
        return {
            "gpu_model": self._torch.cuda.get_device_name() if self._on_gpu else None,
            "peak_vram_gb": peak,
            "gpu_count": 1 if self._on_gpu else 0,
            "training_duration_seconds": wall_s,
            "gpu_hours": gpu_hours,
            "gpu_cost_per_hour_usd": price,
            "estimated_cost_usd": gpu_hours * price if price is not None else None,
            "cost_source": "training.gpu_cost_per_hour" if price is not None else None,
            "device": self._precision.device,
            "dtype": self._precision.dtype,
            "load_in_4bit": self._precision.load_in_4bit,
            "load_in_4bit_downgrade": self._precision.downgrade,
        }

    @property
    def _on_gpu(self) -> bool:
        return self._precision.device == "cuda"
