"""The training loop: steps, stop requests, the event stream, checkpoints."""

from __future__ import annotations

from forgelm.trainer.loop._callbacks import StepWatcher
from forgelm.trainer.loop._checkpoints import CheckpointKeeper, FoundCheckpoint, find_checkpoint
from forgelm.trainer.loop._loop import LoopOutcome, build_trainer, run_loop
from forgelm.trainer.loop._settings import deciding_settings
from forgelm.trainer.loop._stop import StopRequest, interrupt_requests_stop
from forgelm.trainer.loop._stream import Listeners, ProgressStream

__all__ = [
    "CheckpointKeeper",
    "FoundCheckpoint",
    "Listeners",
    "LoopOutcome",
    "ProgressStream",
    "StepWatcher",
    "StopRequest",
    "build_trainer",
    "deciding_settings",
    "find_checkpoint",
    "interrupt_requests_stop",
    "run_loop",
]
