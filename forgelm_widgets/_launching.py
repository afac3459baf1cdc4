"""Training in a process of its own, and looking at any run: both show themselves as a monitor."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from forgelm import ForgeConfig, launch_run, load_config, preflight, resume_run
from forgelm_widgets.training_monitor import TrainingMonitor

__all__ = ["attach", "launch"]

_ROWS_LOOKED_AT = 10_000


def launch(
    config: ForgeConfig | Mapping[str, Any] | str | os.PathLike[str], *, resume: bool = False
) -> TrainingMonitor:
    """Start a training that goes on without this kernel, and return its monitor at once.

    What can be known to fail fails here. The kernel may be restarted, the page closed and the
    connection lost: `attach(run_dir)` shows the whole run again.

    Args:
        config: The configuration, its blocks, or the path of its file. Secrets in it stay in
            this kernel, so that the monitor can resume the run.
        resume: Go on with the stopped run in its `training.output_dir`.

    Raises:
        ConfigError: The configuration is not valid, or cannot be honoured here.
        OptionalDependencyError: A package that training needs is missing.
        TrainingError: A run is going on in its `training.output_dir`.
        FileNotFoundError: There is no run to resume.
        OSError: The folder cannot be written.
    """
    if isinstance(config, Mapping):
        checked = ForgeConfig(**config)
    else:
        checked = config if isinstance(config, ForgeConfig) else load_config(config)
    preflight(checked, rows=_ROWS_LOOKED_AT, count_tokens=False).raise_for_errors()
    run = resume_run(checked.training.output_dir, checked) if resume else launch_run(checked)
    return TrainingMonitor(run, config=checked)


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
