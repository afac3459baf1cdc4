"""Energy counters of the machine: NVIDIA's for GPUs, RAPL for processors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from forgelm._core import is_installed, require

__all__ = ["Energy", "EnergyMeter"]

# A counter of 262 kJ, common for RAPL, turns over after 20 minutes at 200 W.
_SAMPLE_EVERY_S = 60.0
_JOULES_A_KWH = 3.6e6
RAPL_ROOT = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Energy:
    """Energy used, and the counter that says so."""

    kwh: float
    source: str


@dataclass
class _Counter:
    """A counter in joules that starts anew at `wraps_at`."""

    read: Callable[[], float]
    wraps_at: float
    last: float
    used: float = 0.0

    def sample(self) -> None:
        now = self.read()
        self.used += now - self.last if now >= self.last else now + self.wraps_at - self.last
        self.last = now


class EnergyMeter:
    """Adds up what the readable counters say from its construction until `stop()`."""

    def __init__(self, *, on_gpu: bool, rapl_root: Path = RAPL_ROOT) -> None:
        found = _gpu_counters() if on_gpu else _rapl_counters(rapl_root)
        self._source, self._counters, self._errors = found
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        if self._counters:
            self._thread = threading.Thread(target=self._watch, daemon=True, name="energy")
            self._thread.start()

    def stop(self) -> Energy | None:
        """Return the energy used so far, or None where no counter can be read."""
        self._over.set()
        if self._thread is None:
            return None
        self._thread.join()
        self._sample()
        if not self._counters:
            return None
        joules = sum(counter.used for counter in self._counters)
        return Energy(joules / _JOULES_A_KWH, self._source)

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_EVERY_S):
            self._sample()

    def _sample(self) -> None:
        try:
            for counter in self._counters:
                counter.sample()
        except self._errors:  # a driver may go away: a figure that misses a part would be wrong
            self._counters = []


_Found = tuple[str, list[_Counter], tuple[type[Exception], ...]]


def _gpu_counters() -> _Found:
    source = "NVML, the whole GPU"
    if not is_installed("pynvml"):
        return source, [], ()
    nvml = require("pynvml", extra="train", feature="Measuring energy")
    torch = require("torch", extra="train", feature="Training")
    try:
        nvml.nvmlInit()
        identity = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
        name = identity if identity.startswith(("GPU-", "MIG-")) else f"GPU-{identity}"
        handle = nvml.nvmlDeviceGetHandleByUUID(name)
        first = _joules_of(nvml, handle)
    except nvml.NVMLError:  # no driver, or a card without the counter
        return source, [], ()
    return source, [_Counter(partial(_joules_of, nvml, handle), 0.0, first)], (nvml.NVMLError,)


def _joules_of(nvml: Any, handle: Any) -> float:
    return float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000


def _rapl_counters(root: Path) -> _Found:
    source = "RAPL, the whole processor"
    counters = []
    try:
        for zone in sorted(root.glob("intel-rapl:[0-9]*")):
            if zone.name.count(":") > 1:  # a part of a package, counted with it already
                continue
            path = zone / "energy_uj"
            wraps_at = _joules(zone / "max_energy_range_uj")
            counters.append(_Counter(partial(_joules, path), wraps_at, _joules(path)))
    except (OSError, ValueError):  # readable by root alone on most machines
        return source, [], ()
    return source, counters, (OSError, ValueError)


def _joules(path: Path) -> float:
    return int(path.read_text(encoding="ascii")) / 1e6
