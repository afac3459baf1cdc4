"""Stopping and resuming: what can be asked of a run now, and how far a stop is."""

from __future__ import annotations

from typing import Any

from forgelm.errors import TrainingError
from forgelm_widgets._curves import ENDED, RunCurves, RunState
from forgelm_widgets.training_monitor._gates import Judged
from forgelm_widgets.training_monitor._sources import Source

__all__ = ["Steering"]

_REASON = "asked to stop in the notebook"
_RESUMABLE: frozenset[RunState] = frozenset({"stopped", "failed", "died"})


class Steering:
    """The reins of one run; whatever cannot be done is refused in words."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._asked: bool | None = None
        self._has_ended = False

    def note(self, state: RunState) -> None:
        """Take note of where the run stands: what was asked of it ends with it."""
        if self._has_ended and state not in ENDED:
            self._asked = None
        self._has_ended = state in ENDED

    def can(self, state: RunState, curves: RunCurves, judged: Judged) -> dict[str, bool]:
        """Return which of stop, keep_best and resume make sense now."""
        stop = self._source.can_stop and state not in ENDED and state != "stopping"
        stop = stop and self._asked is None
        best = bool((curves.points(judged.series)[:, 0] > 0).any())
        resume = self._source.can_resume and state in _RESUMABLE
        return {"stop": stop, "keep_best": stop and best, "resume": resume}

    def stop(self, state: RunState, can: dict[str, bool], *, keep_best: bool) -> None:
        """Ask the run to stop at the end of its step."""
        if state in ENDED:
            raise TrainingError(f"the run has ended already: it is {state}")
        if not self._source.can_stop:
            raise TrainingError("this run cannot be stopped from here")
        if not can["stop"]:
            raise TrainingError("the run was asked to stop already; it finishes its step first")
        if keep_best and not can["keep_best"]:
            raise TrainingError(
                "there is no best checkpoint to keep: nothing was evaluated yet. Stop without "
                "keeping the best: the checkpoint that is saved then can be resumed from."
            )
        self._source.stop(_REASON, keep_best=keep_best)
        self._asked = keep_best

    def resume(self, state: RunState, can: dict[str, bool]) -> None:
        """Go on with the run from its newest checkpoint, in a process of its own."""
        if self._source.can_resume and not can["resume"]:
            raise TrainingError(f"a run that is {state} cannot be resumed")
        self._source.resume()
        self._asked = None

    def progress(
        self, state: RunState, curves: RunCurves, checkpoint: str | None
    ) -> dict[str, Any] | None:
        """Return how far a stop is: asked for, acknowledged by the run, safe on the disk."""
        if state == "stopped" or (state in ENDED and self._asked is not None):
            phase = "safe" if state in {"stopped", "finished"} else "acknowledged"
        elif curves.state == "stopping":
            phase = "acknowledged"
        elif self._asked is not None or state == "stopping":
            phase = "asked"
        else:
            return None
        return {
            "phase": phase,
            "keep_best": bool(self._asked),
            "checkpoint": checkpoint if phase == "safe" else None,
        }
