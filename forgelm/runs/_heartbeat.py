"""The sign of life of a run: its `status.json`, written now and then."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from forgelm.runs._files import STATUS_FILE, replace_quickly
from forgelm.runs._progress import ProgressEvent

__all__ = ["QUIET_PHASE_S", "StatusFile"]

QUIET_PHASE_S = 3_600.0
"""Loading a large model over a slow disk, or judging it, gives no sign of life for so long."""

_EVERY_S = 1.0
_SHORTEST_PATIENCE_S = 120.0
_PATIENCE_IN_STEPS = 20


class StatusFile:
    """The `status.json` of a run, replaced at most once a second unless something happened."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / STATUS_FILE
        self._known: dict[str, Any] = {
            "state": "starting",
            "step": 0,
            "max_steps": 0,
            "epoch": 0.0,
            "loss": None,
            "eval_loss": None,
            "message": None,
        }
        self._began: tuple[float, int] | None = None
        self._written_at = -math.inf
        self._beat_at = math.inf
        self._longest_gap_s = 0.0
        self.quiet_phase = True

    def write(self) -> None:
        """Write what is known now."""
        now = time.monotonic()
        self._written_at = now
        patience_s = max(_SHORTEST_PATIENCE_S, _PATIENCE_IN_STEPS * self._longest_gap_s)
        timing = {
            "eta_s": self._eta_s(now),
            "time": time.time(),
            "stalled_after_s": QUIET_PHASE_S if self.quiet_phase else patience_s,
        }
        with suppress(OSError):  # nobody's training shall end because its status cannot be shown
            replace_quickly(self._path, self._known | timing)

    def beat(self, **place: float) -> None:
        """Give a sign of life, with `step`, `max_steps` and `epoch` where they are known."""
        now = time.monotonic()
        self._longest_gap_s = max(self._longest_gap_s, now - self._beat_at)
        self._beat_at = now
        self._known.update(place)
        if now - self._written_at >= _EVERY_S:
            self.write()

    def tell(self, event: ProgressEvent) -> None:
        """Take over what `event` says; a change of state is written at once."""
        self._known |= {"step": event.step, "max_steps": event.max_steps, "epoch": event.epoch}
        for name in ("loss", "eval_loss"):
            value = event.metrics.get(name, math.nan)
            if math.isfinite(value):
                self._known[name] = value
        if event.kind == "train_begin":
            self._known["state"] = "running"
            self._began = (time.monotonic(), event.step)
            self.quiet_phase = False
        elif event.kind == "stopping":
            self._known |= {"state": "stopping", "message": event.message}
        if event.kind in {"log", "evaluate", "save"}:
            self.beat()
        else:
            self._beat_at = time.monotonic()
            self.write()

    def _eta_s(self, now: float) -> float | None:
        if self._began is None or self._known["state"] != "running":
            return None
        began_at, first = self._began
        done = self._known["step"] - first
        left = self._known["max_steps"] - self._known["step"]
        return (now - began_at) / done * left if done > 0 else None
