"""`Run`: a training in a folder, looked at and stopped from any process."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from forgelm._core import open_regular_file
from forgelm.errors import ConfigError, DataError, TrainingError
from forgelm.results import TrainResult, Verdict
from forgelm.runs._files import (
    EXIT_FILE,
    LOG_FILE,
    METRICS_FILE,
    RUN_FILE,
    read_document,
)
from forgelm.runs._progress import ProgressEvent, ProgressTail, read_progress
from forgelm.runs._status import RunState, RunStatus, read_status
from forgelm.runs._stop import ask_to_stop

__all__ = ["Run", "attach_run", "list_runs"]

_POLL_S = 0.2
_TAIL_BYTES = 65_536
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class Run:
    """A training in a folder, in whatever process it goes on.

    Get one from `launch_run`, `attach_run` or `list_runs`. It holds nothing but the folder: any
    number of them, in any number of processes, may look at one run.

    Attributes:
        run_dir: The folder.
    """

    def __init__(self, run_dir: str | os.PathLike[str]) -> None:
        self.run_dir = Path(run_dir).expanduser().absolute()

    def __repr__(self) -> str:
        return f"Run({str(self.run_dir)!r})"

    def status(self) -> RunStatus:
        """Return where the run stands now.

        Raises:
            FileNotFoundError: The folder is gone.
        """
        return read_status(self.run_dir)

    def document(self) -> dict[str, Any]:
        """Return what was written down at the start: the configuration, the versions, the process.

        It is as it stands in the file, unchecked, and empty where there is none that can be read.
        """
        return read_document(self.run_dir / RUN_FILE) or {}

    def tail(self) -> ProgressTail:
        """Return a reader of the events as they come, at the first one."""
        return ProgressTail(self.run_dir / METRICS_FILE)

    @property
    def state(self) -> RunState:
        """Where the run stands now, in one word."""
        return self.status().state

    def stop(
        self,
        reason: str = "asked to stop",
        *,
        timeout: float | None = 60.0,
        keep_best: bool = False,
    ) -> RunStatus:
        """Ask the run to stop at the end of its step, and wait until it has.

        Args:
            reason: Why; the record and the result say it.
            timeout: Seconds to wait at most: 0 returns at once, None waits as long as it takes.
            keep_best: End the run as if it had come to its end: the best checkpoint so far is
                judged and saved as the final model. Where nothing was evaluated yet it stops as
                any other, and says so.

        Returns:
            The status: "stopped", with the checkpoint that was saved, or "stopping" when it takes
            longer; with `keep_best` "finished", with the final model. A run that had ended is left
            as it is, and of several requests the first one counts.
        """
        if not self.status().ended:
            ask_to_stop(self.run_dir, reason, keep_best=keep_best)
        try:
            return self.wait(timeout)
        except TimeoutError:
            return self.status()

    def wait(self, timeout: float | None = None) -> RunStatus:
        """Return the status once the run has ended. Ctrl-C ends the waiting, not the run.

        Raises:
            TimeoutError: It goes on after `timeout` seconds.
        """
        deadline = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            status = self.status()
            if status.ended:
                return status
            if time.monotonic() >= deadline:
                raise TimeoutError(f"the run is {status.state} after {timeout:g} s: {status}")
            time.sleep(_POLL_S)

    def events(self) -> list[ProgressEvent]:
        """Return every event so far; none before the first step is near."""
        try:
            return read_progress(self.run_dir)
        except FileNotFoundError:
            return []

    def follow(self, *, idle: Callable[[], None] = lambda: None) -> Iterator[ProgressEvent]:
        """Yield every event from the first on, as they come, until the run has ended.

        Args:
            idle: Called between two looks, five times a second.
        """
        tail = ProgressTail(self.run_dir)
        while True:
            ended = self.status().ended
            with suppress(FileNotFoundError):
                yield from tail.read()
            if ended:
                return
            idle()
            time.sleep(_POLL_S)

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that a detached run printed, empty for any other."""
        try:
            with open_regular_file(self.run_dir / LOG_FILE) as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = stream.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:]) if lines > 0 else ""

    def result(self) -> TrainResult:
        """Return what `train()` returned in the run's process.

        Raises:
            TrainingError: The run goes on, died, or failed.
            ConfigError: The run failed because its configuration cannot be honoured.
            DataError: The run failed because of its rows.
        """
        status = self.status()
        if not status.ended:
            raise TrainingError(f"the run has no result yet: {status}. Call wait() first.")
        document = read_document(self.run_dir / EXIT_FILE)
        if document is None:
            raise TrainingError(f"{status}. Resume it: forgelm runs resume {self.run_dir}")
        result = document.get("result")
        if not isinstance(result, dict):
            raise _error(document, self.run_dir)
        return _result(result)


def attach_run(run_dir: str | os.PathLike[str]) -> Run:
    """Return the run in a folder, whichever process it goes on in or ended in.

    Raises:
        FileNotFoundError: There is no run in the folder.
    """
    run = Run(run_dir)
    run.status()
    return run


def list_runs(folder: str | os.PathLike[str] = ".") -> list[RunStatus]:
    """Return where every run in `folder` and the two levels below stands, the newest first.

    For a table: `pandas.DataFrame([status.to_dict() for status in list_runs("runs")])`.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise NotADirectoryError(20, "is no folder", str(root))
    found = []
    for pattern in ("run.json", "*/run.json", "*/*/run.json"):
        for path in root.glob(pattern):
            with suppress(FileNotFoundError):  # another program's file, or moved meanwhile
                found.append(read_status(path.parent))
    return sorted(found, key=lambda status: status.started_at or 0.0, reverse=True)


def _result(document: Mapping[str, Any]) -> TrainResult:
    """Return the result that `asdict` made a document of; keys of later releases are left out."""
    known = {field.name for field in fields(TrainResult)}
    values = {name: _numbers(value) for name, value in document.items() if name in known}
    verdicts = [Verdict(**verdict) for verdict in values.pop("verdicts", None) or []]
    return TrainResult(**values, verdicts=verdicts, run_dir=document.get("output_dir"))


def _numbers(value: Any) -> Any:
    """Return `value` with the words that strict JSON has for non-finite numbers turned back."""
    if isinstance(value, dict):
        return {name: _numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value


def _error(document: Mapping[str, Any], run_dir: Path) -> Exception:
    message = str(document.get("error"))
    kind = document.get("error_type")
    if kind == "ConfigError":
        issues = [(issue["path"], issue["problem"]) for issue in document.get("issues") or []]
        return ConfigError(message, issues=issues)
    if kind == "DataError":
        return DataError(message)
    log = f"; see {run_dir / LOG_FILE}" if (run_dir / LOG_FILE).exists() else ""
    return TrainingError(f"the run failed: {message}{log}")
