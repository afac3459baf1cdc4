"""What a run would need, worked out before anything is loaded."""

from __future__ import annotations

from forgelm.trainer.planning._fit import look_at_fit
from forgelm.trainer.planning._memory_estimate import MemoryEstimate, estimate_memory
from forgelm.trainer.planning._model_files import ModelFiles, find_model_folder, read_model_files
from forgelm.trainer.planning._preflight_checks import (
    data_findings,
    installed_versions,
    masked_sample,
    model_findings,
    package_findings,
    planned_steps,
    precision_findings,
    schedule_findings,
)
from forgelm.trainer.planning._preflight_report import (
    DataLook,
    PreflightFinding,
    PreflightReport,
    TokenLengths,
)

__all__ = [
    "DataLook",
    "MemoryEstimate",
    "ModelFiles",
    "PreflightFinding",
    "PreflightReport",
    "TokenLengths",
    "data_findings",
    "estimate_memory",
    "find_model_folder",
    "installed_versions",
    "look_at_fit",
    "masked_sample",
    "model_findings",
    "package_findings",
    "planned_steps",
    "precision_findings",
    "read_model_files",
    "schedule_findings",
]
