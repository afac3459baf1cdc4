"""Whether a training fits on this machine: its memory and its disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forgelm.trainer.backend import Machine, look_at_machine
from forgelm.trainer.planning._memory_estimate import MemoryEstimate, estimate_memory
from forgelm.trainer.planning._model_files import ModelFiles, find_model_folder, read_model_files
from forgelm.trainer.planning._preflight_checks import disk_findings, memory_findings
from forgelm.trainer.planning._preflight_report import PreflightFinding

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["Fit", "look_at_fit"]


@dataclass(frozen=True)
class Fit:
    """The model's files, the machine, and what the one would need of the other.

    Attributes:
        files: The model as its files describe it; None when it is not on this machine.
        machine: The device that a run would use.
        memory: What the run would need.
    """

    files: ModelFiles | None
    machine: Machine
    memory: MemoryEstimate

    def findings(self, config: ForgeConfig) -> Iterator[PreflightFinding]:
        """Yield what does not fit, and weights that no library could load."""
        if self.files is not None and self.files.is_unusable:
            told = f"{self.files.problem}; get the model anew"
            yield PreflightFinding("error", "model.name_or_path", told)
            return
        yield from memory_findings(config, self.memory, self.machine)
        yield from disk_findings(config, self.memory)


def look_at_fit(config: ForgeConfig, *, tokens: int | None = None) -> Fit:
    """Return what a training would need of this machine, from the model's files alone.

    Args:
        config: The configuration.
        tokens: Length of the longest row, where it is known.
    """
    folder = find_model_folder(config)
    files = read_model_files(folder) if folder is not None else None
    machine = look_at_machine()
    described = files or ModelFiles(problem="the model is not on this machine")
    return Fit(files, machine, estimate_memory(config, described, machine, tokens=tokens))
