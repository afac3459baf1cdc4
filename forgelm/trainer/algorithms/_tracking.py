"""The tracking tool that the Trainer reports to as well: whether it is there and where it sends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from forgelm._core import is_installed

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig, TrainingConfig

__all__ = ["reporting_tool", "tracking_issues"]

_WANDB_LOCAL = ("offline", "dryrun", "disabled")
_MLFLOW_REMOTE = ("http:", "https:", "databricks")
_TRACKIO_REMOTE = (
    "TRACKIO_SPACE_ID",
    "TRACKIO_SERVER_URL",
    "TRACKIO_BUCKET_ID",
    "TRACKIO_WEBHOOK_URL",
)


def reporting_tool(training: TrainingConfig) -> str:
    """Return the tracking tool to report to, "none" when the default one is not installed."""
    is_default = "report_to" not in training.model_fields_set
    return "none" if is_default and not is_installed(training.report_to) else training.report_to


def tracking_issues(config: ForgeConfig) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the tracking tool: it is missing, or the network is not for it."""
    tool, key = reporting_tool(config.training), "training.report_to"
    if tool == "none":
        return
    if not is_installed(tool):
        problem = f"the package {tool} is not installed; run pip install {tool}, or write none"
        yield key, problem
    elif config.model.offline and (remedy := _kept_here_by(tool)):
        problem = f"{tool} would use the network, and model.offline is set; {remedy}, or write none"
        yield key, problem


def _kept_here_by(tool: str) -> str | None:
    """Return what keeps the figures on this machine, None when they stay there as it is."""
    if tool == "wandb" and os.environ.get("WANDB_MODE") not in _WANDB_LOCAL:
        return "set the environment variable WANDB_MODE=offline"
    if tool == "mlflow" and os.environ.get("MLFLOW_TRACKING_URI", "").startswith(_MLFLOW_REMOTE):
        return "set the environment variable MLFLOW_TRACKING_URI to a local store"
    found = [name for name in _TRACKIO_REMOTE if os.environ.get(name)]
    if tool == "trackio" and found:
        return f"unset the environment variable {found[0]}"
    return None
