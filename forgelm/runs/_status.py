"""Where a run stands, read from its files and its process."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from forgelm._core import Life, ProcessIdentity, finite
from forgelm.runs._files import (
    CHECKPOINT_MANIFEST,
    EXIT_FILE,
    RUN_FILE,
    STATUS_FILE,
    read_document,
)
from forgelm.runs._heartbeat import QUIET_PHASE_S
from forgelm.runs._stop import read_stop

__all__ = ["ENDED", "RunState", "RunStatus", "read_status"]

RunState = Literal[
    "starting", "running", "stopping", "stopped", "finished", "failed", "died", "stalled"
]
ENDED: frozenset[RunState] = frozenset({"stopped", "finished", "failed", "died"})


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands.

    Attributes:
        run_id: Name of the run.
        state: "starting", "running", "stopping"; "stalled" (suspended, or no sign of life for much
            longer than its steps take); then "stopped", "finished" (a result is there, good or
            bad), "failed" (an error ended it) or "died" (its process is gone without a word).
        run_dir: Its folder.
        model: The model it starts from.
        trainer_type: The method of training.
        step: Optimizer steps done.
        max_steps: Optimizer steps planned; 0 until it is known.
        epoch: Passes over the training data done.
        loss: The loss logged last, nats a token.
        eval_loss: The evaluation loss measured last, nats a token.
        eta_s: Seconds of training left, as the steps so far took; None when nothing can be said.
        success: Of a finished run, whether no gate rejected the model.
        message: Why it stops, stopped, failed, died or stalled, or why a gate rejected the model.
        checkpoint: The newest checkpoint that was saved whole.
        final_model: Folder of the final model.
        started_at: Unix time of its start, seconds.
        updated_at: Unix time of its last sign of life, seconds.
        config_hash: Digest of its configuration.
        pid: Number of its process.
        host: Machine of its process.
    """

    run_id: str
    state: RunState
    run_dir: str
    model: str | None = None
    trainer_type: str | None = None
    step: int = 0
    max_steps: int = 0
    epoch: float = 0.0
    loss: float | None = None
    eval_loss: float | None = None
    eta_s: float | None = None
    success: bool | None = None
    message: str | None = None
    checkpoint: str | None = None
    final_model: str | None = None
    started_at: float | None = None
    updated_at: float | None = None
    config_hash: str | None = None
    pid: int | None = None
    host: str | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it, unless it is resumed."""
        return self.state in ENDED

    def to_dict(self) -> dict[str, Any]:
        """Return the status as one flat dict, a row of a table."""
        return asdict(self)

    def __str__(self) -> str:
        steps = f" at step {self.step} of {self.max_steps}" if self.max_steps else ""
        said = f": {self.message}" if self.message else ""
        return f"{self.run_id} {self.state}{steps}{said}"


def read_status(run_dir: str | os.PathLike[str]) -> RunStatus:
    """Return where the run in a folder stands, from the files in it and its process.

    Raises:
        FileNotFoundError: There is no run in the folder.
        OptionalDependencyError: psutil is not installed.
    """
    folder = Path(run_dir)
    run = read_document(folder / RUN_FILE)
    if run is None:
        raise FileNotFoundError(
            2, f"there is no run here (no {RUN_FILE} that can be read)", str(folder)
        )
    status = read_document(folder / STATUS_FILE) or {}
    ended = read_document(folder / EXIT_FILE)
    life: Life = "gone"
    if ended is None:
        process = ProcessIdentity.of_run(run)
        life = process.life() if process is not None else "gone"
        if life == "gone":  # it may have ended between the two looks
            ended = read_document(folder / EXIT_FILE)
    if ended is not None:
        state, message = _ended(ended)
    else:
        state, message = _going(folder, run, status, life)
    return _assemble(folder, run, status, ended or {}, state, message)


def _ended(document: Mapping[str, Any]) -> tuple[RunState, str | None]:
    state = document.get("state")
    message = _text(document.get("error"))
    if state == "stopped":
        return "stopped", message
    return ("finished" if state == "finished" else "failed"), message


def _going(
    folder: Path, run: Mapping[str, Any], status: Mapping[str, Any], life: Life
) -> tuple[RunState, str | None]:
    if life == "gone":
        return "died", "its process is gone and left no result; it can be resumed"
    if life == "suspended":
        return "stalled", "its process is suspended"
    seen_at = finite(status.get("time")) or finite(run.get("started_at")) or 0.0
    silent_s = time.time() - seen_at
    if silent_s > (finite(status.get("stalled_after_s")) or QUIET_PHASE_S):
        return "stalled", f"no sign of life for {silent_s:.0f} s"
    reason = read_stop(folder)
    if reason is not None:
        return "stopping", reason
    state: RunState = "running" if status.get("state") == "running" else "starting"
    if status.get("state") == "stopping":
        state = "stopping"
    return state, _text(status.get("message"))


def _assemble(
    folder: Path,
    run: Mapping[str, Any],
    status: Mapping[str, Any],
    ended: Mapping[str, Any],
    state: RunState,
    message: str | None,
) -> RunStatus:
    result = _mapping(ended.get("result"))
    config = _mapping(run.get("config"))
    pid = run.get("pid")
    return RunStatus(
        run_id=_text(run.get("run_id")) or "unknown-run",
        state=state,
        run_dir=str(folder),
        model=_text(_mapping(config.get("model")).get("name_or_path")),
        trainer_type=_text(_mapping(config.get("training")).get("trainer_type")) or "sft",
        step=int(finite(status.get("step")) or 0),
        max_steps=int(finite(status.get("max_steps")) or 0),
        epoch=finite(status.get("epoch")) or 0.0,
        loss=finite(status.get("loss")),
        eval_loss=finite(status.get("eval_loss")),
        eta_s=finite(status.get("eta_s")) if state == "running" else None,
        success=result.get("success") is True if state == "finished" else None,
        message=message,
        checkpoint=_newest_checkpoint(folder),
        final_model=_text(result.get("final_model_path")),
        started_at=finite(run.get("started_at")),
        updated_at=finite(ended.get("time")) or finite(status.get("time")),
        config_hash=_text(run.get("config_hash")),
        pid=pid if isinstance(pid, int) else None,
        host=_text(run.get("host")),
    )


def _newest_checkpoint(folder: Path) -> str | None:
    """Return the newest checkpoint that was saved whole; its digests are for a resume to check."""
    found = [
        (int(number), path.parent)
        for path in folder.glob(f"checkpoint-*/{CHECKPOINT_MANIFEST}")
        for number in [path.parent.name.partition("-")[2]]
        if number.isdecimal()
    ]
    return str(max(found)[1]) if found else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
