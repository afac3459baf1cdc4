"""What the log of a run says about models that wait, or waited, for a person."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from forgelm.compliance._verify_log import verify_audit_log
from forgelm.compliance.artefacts import LOG_NAME, MODEL_VERIFIED, digests, find_log, read_events
from forgelm.compliance.audit_log import VerifyResult
from forgelm.errors import DataError

__all__ = [
    "ATTEMPTED",
    "GRANTED",
    "REJECTED",
    "Request",
    "Requests",
    "read_requests",
    "require_log",
]

REQUIRED = "human_approval.required"
GRANTED = "human_approval.granted"
REJECTED = "human_approval.rejected"
ATTEMPTED = "human_approval.attempted"

_FOLDER_NAME = re.compile(r"\w[\w.-]{0,120}")


@dataclass(frozen=True)
class Request:
    """One staged model, as the log tells of it.

    Attributes:
        run_dir: The folder of the run.
        event: The line that asked for a person.
        decision: The first line that answered it, if any.
        artifacts: `{file name: SHA-256}` that the log recorded of this run's model; empty where
            it recorded none.
    """

    run_dir: Path
    event: dict[str, Any]
    decision: dict[str, Any] | None = None
    artifacts: dict[str, str] | None = None

    @property
    def run_id(self) -> str:
        return str(self.event["run_id"])

    @property
    def final(self) -> Path:
        """Where an approved model goes."""
        return self.run_dir / self._final_name()

    @property
    def staged(self) -> Path:
        """Where the model waits. What the log names is compared with it, never followed."""
        return self.run_dir / f"{self._final_name()}.staging.{self.run_id}"

    @property
    def is_staged(self) -> bool:
        return os.path.lexists(self.staged)

    def problem(self) -> str | None:
        """Say why this request cannot be acted on: what it names does not lie in the run."""
        recorded = self.event.get("staging_path")
        if not _FOLDER_NAME.fullmatch(self.run_id):
            return f"the run id {self.run_id[:100]!a} cannot be part of a folder's name"
        if not isinstance(recorded, str) or not _FOLDER_NAME.fullmatch(self._final_name()):
            return "the log names no staged model"
        path = PurePath(recorded)
        if path.name != self.staged.name or ".." in path.parts or "\0" in recorded:
            return f"the staging path {recorded[:200]!a} in the log is not {self.staged.name}"
        elsewhere = path.is_absolute() and os.path.lexists(path)
        if elsewhere and os.path.realpath(path.parent) != os.path.realpath(self.run_dir):
            return f"the staging path {recorded[:200]!a} in the log leads out of the run directory"
        if self.is_staged and (self.staged.is_symlink() or not self.staged.is_dir()):
            return f"{self.staged.name} is not a folder but a link or a file"
        return None

    def _final_name(self) -> str:
        recorded = self.event.get("staging_path")
        name = PurePath(recorded).name if isinstance(recorded, str) else ""
        return name.removesuffix(f".staging.{self.run_id}")


@dataclass(frozen=True)
class Requests:
    """All requests of a run directory, oldest first, and whether its log stands."""

    log: Path
    verdict: VerifyResult
    all: tuple[Request, ...] = ()

    @property
    def open(self) -> list[Request]:
        """Those without an answer, and those whose answer was not carried out yet."""
        return [one for one in self.all if one.decision is None or one.is_staged]


def require_log(folder: Path) -> Path:
    """Return where the log of a run lies.

    Raises:
        DataError: The folder holds none.
    """
    log = find_log(folder)
    if log is None:
        raise DataError(
            f"{folder}: there is no {LOG_NAME}, so nothing there waits for approval. "
            "Give the run directory."
        )
    return log


def read_requests(run_dir: str | os.PathLike[str]) -> Requests:
    """Return what a run's log says of approvals; nothing where it is altered.

    Raises:
        DataError: The folder holds no log.
        OSError: The log cannot be read.
    """
    folder = Path(run_dir).absolute()
    log = require_log(folder)
    verdict = verify_audit_log(log)
    if not verdict.valid:
        return Requests(log, verdict)
    found: dict[str, Request] = {}
    models: dict[str, dict[str, str]] = {}
    for event in read_events(log, (REQUIRED, GRANTED, REJECTED, MODEL_VERIFIED)):
        run_id = str(event.get("run_id"))
        if event["event"] == MODEL_VERIFIED:
            models[run_id] = dict(digests(event.get("artifacts")))
        elif event["event"] == REQUIRED:
            found[run_id] = Request(folder, event)
        elif run_id in found and found[run_id].decision is None:
            found[run_id] = Request(folder, found[run_id].event, event)
    requests = [
        Request(folder, one.event, one.decision, models.get(run_id))
        for run_id, one in found.items()
    ]
    return Requests(log, verdict, tuple(requests))
