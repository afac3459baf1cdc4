"""The writing side of a run directory: whose it is, and how the run in it ended."""

from __future__ import annotations

import os
import re
import secrets
import sys
import time
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from forgelm._core import ProcessIdentity, json_safe, write_json_atomic
from forgelm.config import ForgeConfig
from forgelm.errors import ConfigError, TrainingError
from forgelm.results import TrainResult
from forgelm.runs._files import (
    EXIT_FILE,
    LOG_FILE,
    METRICS_FILE,
    RUN_FILE,
    STATUS_FILE,
    STOP_FILE,
    create_whole,
    move_aside,
    read_document,
)
from forgelm.runs._heartbeat import StatusFile
from forgelm.runs._progress import ProgressTail
from forgelm.runs._secrets import config_to_document, redacted, secret_paths
from forgelm.runs._status import read_status

__all__ = ["RunDirectory", "new_run_id"]

_CHECKPOINT = re.compile(r"checkpoint-\d+")
_PACKAGES = ("forgelm", "torch", "transformers", "trl", "peft", "accelerate", "datasets")
_CONFIGURED = ("config_hash", "config", "secrets")
_OURS = (RUN_FILE, STATUS_FILE, EXIT_FILE, STOP_FILE, LOG_FILE, METRICS_FILE)


class RunDirectory:
    """A run directory that this process writes to.

    Attributes:
        path: The folder.
        status: Its `status.json`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.status = StatusFile(path)

    @property
    def has_run(self) -> bool:
        """Whether there is a run in the folder."""
        return read_document(self.path / RUN_FILE) is not None

    def begin(self, config: ForgeConfig, run_id: str, *, detached: bool = False) -> None:
        """Make the folder the place of a new run of this process.

        What an earlier run left is moved to `earlier/<its run id>/`: left where it is, it would be
        counted, rotated away or resumed as this run's.

        Raises:
            TrainingError: A run is going on in the folder.
            OSError: The folder cannot be written.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._refuse_a_live_run()
        self._set_aside()
        document = {
            "format": 1,
            "run_id": run_id,
            **_configured(config),
            "cwd": os.getcwd(),
            **_identity(),
            "argv": redacted(sys.argv),
            "detached": detached,
            "started_at": time.time(),
            "resumed_at": None,
            "versions": {"python": sys.version.split()[0]} | _versions(),
        }
        try:  # of two processes that come at once, one is refused
            create_whole(self.path / RUN_FILE, document)
        except FileExistsError:
            raise _occupied(self.path, "another process has just begun a run") from None
        self.status.write()

    def go_on(self, config: ForgeConfig | None = None, *, detached: bool = False) -> str:
        """Make the earlier run in the folder a run of this process, and return its name.

        Args:
            config: The configuration it goes on with; left out, the one it began with.
            detached: The process is one that `launch_run` started.

        Raises:
            TrainingError: There is no run to go on with, or it is still going on.
            OSError: The folder cannot be written.
        """
        document = read_document(self.path / RUN_FILE)
        if document is None or not isinstance(document.get("run_id"), str):
            raise TrainingError(
                f"there is no run to resume in {self.path}; train without resuming first."
            )
        self._refuse_a_live_run()
        result = (read_document(self.path / EXIT_FILE) or {}).get("result")
        if isinstance(result, dict) and result.get("success") is True:
            raise TrainingError(
                f"run {document['run_id']} in {self.path} has finished; there is nothing to resume."
            )
        over = [self.path / name for name in (EXIT_FILE, STOP_FILE)]
        over = [path for path in over if path.exists()]
        if over:
            move_aside(self.path, over, f"{document['run_id']}-part")
        if config is not None:
            document["before_resume"] = {name: document.get(name) for name in _CONFIGURED}
            document |= _configured(config)
        now = {"resumed_at": time.time(), "argv": redacted(sys.argv), "detached": detached}
        write_json_atomic(self.path / RUN_FILE, document | _identity() | now)
        self.status.write()
        return str(document["run_id"])

    def take_back(self) -> None:
        """Write down the configuration from before `go_on`: the run cannot go on with the other."""
        document = read_document(self.path / RUN_FILE) or {}
        write_json_atomic(self.path / RUN_FILE, document | document.get("before_resume", {}))

    def hand_over(self, pid: int | None = None) -> None:
        """Write down that the process `pid`, or this one, is the run's from now on."""
        document = read_document(self.path / RUN_FILE) or {}
        write_json_atomic(self.path / RUN_FILE, document | _identity(pid))

    def ended(self, result: TrainResult) -> None:
        """Write down the result; nothing is written after it."""
        fields = asdict(result) | {"output_dir": result.output_dir}
        state = "stopped" if result.stopped else "finished"
        self._exit(state, error=result.error, result=fields)

    def failed(self, error: BaseException, message: str) -> None:
        """Write down the error that ended the run, in words that may be recorded."""
        issues = error.errors() if isinstance(error, ConfigError) else []
        self._exit("failed", error=message, error_type=type(error).__name__, issues=issues)

    def _exit(self, state: str, **fields: Any) -> None:
        document = read_document(self.path / RUN_FILE) or {}
        head = {"state": state, "run_id": document.get("run_id"), "time": time.time()}
        write_json_atomic(self.path / EXIT_FILE, json_safe(head | fields))

    def _refuse_a_live_run(self) -> None:
        try:
            status = read_status(self.path)
        except FileNotFoundError:
            return
        unreachable = status.state == "stalled" and status.host != ProcessIdentity.of().host
        if not status.ended and not unreachable:
            told = f"run {status.run_id} is {status.state} (process {status.pid} on {status.host})"
            raise _occupied(self.path, told)

    def _set_aside(self) -> None:
        left = [path for path in self.path.iterdir() if _CHECKPOINT.fullmatch(path.name)]
        left += [self.path / name for name in _OURS if (self.path / name).exists()]
        if left:
            move_aside(self.path, left, _earlier_run(self.path))


def new_run_id() -> str:
    """Return a name for a new run: "fg-" and 12 hex digits."""
    return f"fg-{secrets.token_hex(6)}"


def _occupied(path: Path, told: str) -> TrainingError:
    return TrainingError(
        f"{told} in {path}; stop it (forgelm runs stop), wait for it, or choose another output_dir."
    )


def _earlier_run(path: Path) -> str:
    run_id = (read_document(path / RUN_FILE) or {}).get("run_id")
    if isinstance(run_id, str):
        return run_id
    try:
        events = ProgressTail(path).read(limit=1)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError):
        events = []
    return str(events[0].run_id) if events else "unknown-run"


def _identity(pid: int | None = None) -> dict[str, Any]:
    process = ProcessIdentity.of(pid)
    return {
        "pid": process.pid,
        "process_started_at": process.started_at,
        "host": process.host,
    }


def _configured(config: ForgeConfig) -> dict[str, Any]:
    values = (config.config_hash(), config_to_document(config), secret_paths(config))
    return dict(zip(_CONFIGURED, values, strict=True))


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
