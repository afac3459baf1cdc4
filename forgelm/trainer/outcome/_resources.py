"""What a run used: time, memory, energy, and money where the price is known."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.trainer.backend import Precision
from forgelm.trainer.outcome._energy import EnergyMeter

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["ResourceMeter", "hourly_price"]

# Source: Amazon EC2 on-demand price of the smallest instance with one such GPU, Linux, us-east-1,
# June 2026. A card is in here only when its price could be looked up.
_PRICE_SOURCE = "EC2 on-demand price of a {instance}, us-east-1, 2026"
_PRICES: dict[str, tuple[float, str]] = {"NVIDIA A10G": (1.006, "g5.xlarge")}
_STATUS = Path("/proc/self/status")


class ResourceMeter:
    """Measures from its construction on; call `usage` once, at the end."""

    def __init__(self, precision: Precision) -> None:
        self._torch = require("torch", extra="train", feature="Training")
        self._precision = precision
        self._began = time.monotonic()
        # One for each process of a run over several GPUs.
        self._gpus = int(os.environ.get("WORLD_SIZE", "1")) if self._on_gpu else 0
        self._energy = EnergyMeter(on_gpu=self._on_gpu) if self._gpus < 2 else None
        _reset_peak_rss()
        if self._on_gpu:
            self._torch.cuda.reset_peak_memory_stats()

    def usage(self, config: ForgeConfig, *, tokens: float | None = None) -> dict[str, Any]:
        """Return what was used; figures that cannot be had are None, never a guess.

        Args:
            config: `training.gpu_cost_per_hour` is read.
            tokens: Tokens that went through the model in training, where the trainer counts them.
        """
        wall_s = time.monotonic() - self._began
        gpu_hours = self._gpus * wall_s / 3600
        model = self._torch.cuda.get_device_name() if self._on_gpu else None
        price, price_source = hourly_price(config, model)
        energy = self._energy.stop() if self._energy else None
        peak = self._torch.cuda.max_memory_allocated() / 2**30 if self._on_gpu else None
        return {
            "gpu_model": model,
            "peak_vram_gb": peak,
            "peak_rss_gb": _peak_rss_gb(),
            "gpu_count": self._gpus,
            "training_duration_seconds": wall_s,
            "tokens": tokens,
            "tokens_per_second": tokens / wall_s if tokens else None,
            "energy_kwh": energy.kwh if energy else None,
            "energy_source": energy.source if energy else None,
            "gpu_hours": gpu_hours,
            "gpu_cost_per_hour_usd": price,
            "estimated_cost_usd": gpu_hours * price if price is not None else None,
            "cost_source": price_source,
            "device": self._precision.device,
            "dtype": self._precision.dtype,
            "load_in_4bit": self._precision.load_in_4bit,
            "load_in_4bit_downgrade": self._precision.downgrade,
        }

    def close(self) -> None:
        """Stop measuring; a run that failed asks for no figures."""
        if self._energy is not None:
            self._energy.stop()

    @property
    def _on_gpu(self) -> bool:
        return self._precision.device == "cuda"


def hourly_price(config: ForgeConfig, gpu: str | None) -> tuple[float | None, str | None]:
    """Return dollars an hour and where they are from; nothing for a CPU or an unknown card."""
    given = config.training.gpu_cost_per_hour
    if gpu is None:
        return None, None
    if given is not None:
        return given, "training.gpu_cost_per_hour"
    if gpu not in _PRICES:
        return None, None
    price, instance = _PRICES[gpu]
    return price, _PRICE_SOURCE.format(instance=instance)


def _reset_peak_rss() -> None:
    """Begin the kernel's high-water mark anew (Linux); elsewhere it is the process's own."""
    try:
        # Source: proc(5), /proc/pid/clear_refs: 5 resets the peak resident set size.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _peak_rss_gb() -> float | None:
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 2**20  # kB
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak_rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak_rss / (2**30 if sys.platform == "darwin" else 2**20)
