"""Starting a run in processes of its own, which outlive whoever started them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from forgelm.config import ForgeConfig, load_config
from forgelm.runs._directory import RunDirectory, new_run_id
from forgelm.runs._files import LOG_FILE, RUN_FILE, read_document
from forgelm.runs._run import Run
from forgelm.runs._secrets import SECRETS_VARIABLE, config_from_document, secrets_as_text

__all__ = ["launch_run", "resume_run"]


def launch_run(config: ForgeConfig | str | os.PathLike[str]) -> Run:
    """Start a training that goes on when this process ends, and return its run at once.

    It has a session of its own, so neither Ctrl-C nor the end of a terminal or a kernel reaches
    it. Secrets of the configuration travel in its environment; no file and no command line has
    them. With a `distributed` block it has as many processes as that says.

    Args:
        config: The configuration, or the path of its file.

    Raises:
        ConfigError: The configuration is not valid. What can only be seen by starting is in the
            run's own result.
        TrainingError: A run is going on in its `training.output_dir`.
        OSError: The folder cannot be written.
    """
    checked = config if isinstance(config, ForgeConfig) else load_config(config)
    directory = RunDirectory(Path(checked.training.output_dir).expanduser().absolute())
    directory.begin(checked, new_run_id(), detached=True)
    return _start(directory, checked, [], Path.cwd())


def resume_run(
    run_dir: str | os.PathLike[str], config: ForgeConfig | str | os.PathLike[str] | None = None
) -> Run:
    """Go on with a run that was stopped or died, from its newest valid checkpoint, detached.

    Args:
        run_dir: The run's folder.
        config: The configuration, needed where it has secrets in it: the folder keeps none.

    Raises:
        ConfigError: A secret is needed, or the configuration is not valid.
        FileNotFoundError: There is no run in the folder.
        TrainingError: The run is still going on, or has finished.
    """
    run = Run(run_dir)
    run.status()
    document = read_document(run.run_dir / RUN_FILE) or {}
    if config is None:
        environment = dict(os.environ)
        checked = config_from_document(
            document.get("config") or {}, document.get("secrets") or [], environment
        )
    else:
        checked = config if isinstance(config, ForgeConfig) else load_config(config)
    directory = RunDirectory(run.run_dir)
    directory.go_on(checked, detached=True)
    return _start(directory, checked, ["--resume"], Path(document.get("cwd") or Path.cwd()))


def _start(directory: RunDirectory, config: ForgeConfig, options: list[str], folder: Path) -> Run:
    environment = os.environ | {SECRETS_VARIABLE: secrets_as_text(config)}
    # The folder it starts in is data, not code: nothing is imported from there.
    environment["PYTHONSAFEPATH"] = "1"
    work = ["-m", "forgelm.cli", "runs", "work", str(directory.path), *options]
    platform: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        platform = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        with open(directory.path / LOG_FILE, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, *_several(config), *work],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **platform,
            )
        directory.hand_over(process.pid)
    except BaseException as error:
        directory.failed(error, f"the run's process could not be started: {error}")
        raise
    # Somebody has to take note of its end, or it stays in the process table as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return Run(directory.path)


def _several(config: ForgeConfig) -> list[str]:
    """Return the arguments that start a process for each device, none for a single process."""
    distributed = config.distributed
    if distributed is None or distributed.strategy is None:
        return []
    count = distributed.processes or "gpu"
    return ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"]
