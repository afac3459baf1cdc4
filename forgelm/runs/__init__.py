"""Runs and their folders: start, attach to, follow, stop, list and resume them from any process.

The folder is the only protocol: the process of a run writes it, everybody else reads it and at
most adds a `STOP` file.
"""

from forgelm.runs._directory import RunDirectory, new_run_id
from forgelm.runs._files import (
    CHECKPOINT_MANIFEST,
    METRICS_FILE,
    RUN_FILE,
    move_aside,
    read_document,
)
from forgelm.runs._heartbeat import StatusFile
from forgelm.runs._launch import launch_run, resume_run
from forgelm.runs._progress import (
    Listener,
    ProgressEvent,
    ProgressKind,
    ProgressTail,
    read_progress,
)
from forgelm.runs._run import Run, attach_run, list_runs
from forgelm.runs._secrets import config_from_document, config_to_document
from forgelm.runs._status import RunState, RunStatus
from forgelm.runs._stop import asks_for_best, read_stop

__all__ = [
    "CHECKPOINT_MANIFEST",
    "METRICS_FILE",
    "RUN_FILE",
    "Listener",
    "ProgressEvent",
    "ProgressKind",
    "ProgressTail",
    "Run",
    "RunDirectory",
    "RunState",
    "RunStatus",
    "StatusFile",
    "asks_for_best",
    "attach_run",
    "config_from_document",
    "config_to_document",
    "launch_run",
    "list_runs",
    "move_aside",
    "new_run_id",
    "read_document",
    "read_progress",
    "read_stop",
    "resume_run",
]
