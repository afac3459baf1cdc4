"""Training in a process of its own, and looking at any run: both show themselves as a monitor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from forgelm import ForgeConfig, launch_run
from forgelm_widgets.training_monitor import TrainingMonitor

__all__ = ["attach", "launch"]


def launch(config: ForgeConfig | Mapping[str, Any] | str | os.PathLike[str]) -> TrainingMonitor:
    """Start a training that goes on without this kernel, and return its monitor at once.

    The kernel may be restarted, the page closed and the connection lost: `attach(run_dir)` shows
    the whole run again.

    Args:
        config: The configuration, its blocks, or the path of its file. Secrets in it stay in
            this kernel, so that the monitor can resume the run.

    Raises:
        ConfigError: The configuration is not valid.
        TrainingError: A run is going on in its `training.output_dir`.
        OSError: The folder cannot be written.
    """
    given = ForgeConfig(**config) if isinstance(config, Mapping) else config
    return TrainingMonitor(launch_run(given), config=given)


def attach(
    run_dir: str | os.PathLike[str],
    *,
    config: ForgeConfig | str | os.PathLike[str] | None = None,
) -> TrainingMonitor:
    """Return the monitor of a run on this machine, live or ended, with its whole history.

    Args:
        run_dir: The run's folder.
        config: What to resume it with, needed where its configuration has secrets.

    Raises:
        FileNotFoundError: There is no run in the folder.
    """
    return TrainingMonitor(run_dir, config=config)
