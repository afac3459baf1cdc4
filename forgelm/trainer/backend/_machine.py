"""What this machine has to train with, found without importing torch."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["Machine", "free_disk_bytes", "look_at_machine"]

_QUERY = ("--query-gpu=name,memory.total,memory.free,compute_cap", "--format=csv,noheader,nounits")
_QUERY_TIMEOUT_S = 10


@dataclass(frozen=True)
class Machine:
    """The device that a run would use, and its memory.

    Attributes:
        device: "cuda", "mps" or "cpu".
        name: Name of the GPU, or of the processor's architecture.
        dtype: Number format of the base weights there.
        memory_bytes: All memory of the device; None where it cannot be found out.
        free_bytes: What is free of it now.
    """

    device: str
    name: str
    dtype: str
    memory_bytes: int | None
    free_bytes: int | None


def look_at_machine() -> Machine:
    """Return the first NVIDIA GPU, else Apple's, else the processor."""
    gpu = _nvidia_gpu()
    if gpu is not None:
        return gpu
    total, free = _main_memory()
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return Machine("mps", "Apple GPU", "float32", total, free)
    return Machine("cpu", platform.machine(), "float32", total, free)


def free_disk_bytes(folder: Path) -> int:
    """Return the bytes free on the disk where `folder` is, or would be made."""
    absolute = folder.expanduser().absolute()
    existing = next(path for path in (absolute, *absolute.parents) if path.exists())
    return shutil.disk_usage(existing).free


def _nvidia_gpu() -> Machine | None:
    program = shutil.which("nvidia-smi")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    if program is None or visible in {"", "-1"} or _torch_is_for_cpus():
        return None
    try:
        answer = subprocess.run(
            [program, f"--id={visible}", *_QUERY],
            capture_output=True,
            text=True,
            timeout=_QUERY_TIMEOUT_S,
            check=True,
        )
        name, total, free, capability = answer.stdout.splitlines()[0].split(", ")
        mebibytes = [int(total) << 20, int(free) << 20]
        # Source: CUDA programming guide: bfloat16 arithmetic from compute capability 8.0 on.
        dtype = "bfloat16" if float(capability) >= 8 else "float16"
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return Machine("cuda", name, dtype, *mebibytes)


def _torch_is_for_cpus() -> bool:
    try:
        return version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return False


def _main_memory() -> tuple[int | None, int | None]:
    """Return memory in all and free, within the limits of a container."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) << 10 for line in lines}
        total, free = sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, LookupError, ValueError):
        return _installed_memory(), None
    limit, used = _container_memory()
    if limit is None or limit > total:
        return total, free
    return limit, min(free, max(limit - used, 0))


def _container_memory() -> tuple[int | None, int]:
    """Return the limit of the control group and what is used of it, without its file cache."""
    root = Path("/sys/fs/cgroup")
    try:
        limit = int((root / "memory.max").read_text(encoding="ascii"))
        used = int((root / "memory.current").read_text(encoding="ascii"))
        lines = (root / "memory.stat").read_text(encoding="ascii").splitlines()
        return limit, used - next(int(x.split()[1]) for x in lines if x.startswith("file "))
    except (OSError, ValueError, StopIteration):  # no control group, or "max": no limit
        return None, 0


def _installed_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
