"""A run and everything that is known of it, apart from how it is shown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from forgelm_widgets._card import Card
from forgelm_widgets._curves import ENDED, RunCurves, RunState, headline
from forgelm_widgets._text import clean
from forgelm_widgets.training_monitor._alerts import Alert, LossWatch, find_alerts
from forgelm_widgets.training_monitor._catalogue import catalogue
from forgelm_widgets.training_monitor._gates import Gate, find_gates, judged_by
from forgelm_widgets.training_monitor._static import run_card
from forgelm_widgets.training_monitor._status import status_payload
from forgelm_widgets.training_monitor._steering import Steering

if TYPE_CHECKING:
    from forgelm import RunStatus
    from forgelm_widgets.training_monitor._sources import Source

__all__ = ["RunFollower"]

_STATE_EVERY_S = 0.5
# A long record is shown again whenever it was read for so long.
_READING_S = 0.25
_LOG_LINES = 8
_MESSAGE_CHARS = 300
_TELLING_A_LOG: frozenset[RunState] = frozenset({"failed", "died", "stalled"})


class RunFollower:
    """A run as it goes on: its points, its state, what it is judged by, what to look at.

    Attributes:
        source: Where it is heard of.
        curves: Its points.
        alerts: What was to look at when `look_out` looked last.
        fault: What went wrong in following it, in words.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.curves = RunCurves()
        self.alerts: list[Alert] = []
        self.fault: str | None = None
        self._steering = Steering(source)
        self._watch = LossWatch()
        self._found: RunStatus | None = None
        self._looked_s = -1e9
        self._config: Mapping[str, Any] = {}
        self._log: list[str] = []
        self.judged = judged_by(self._config)

    def read(self) -> bool:
        """Take in what is new, or a part of it; tell whether there is more to read at once."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= _STATE_EVERY_S:
            self._look()
            self._looked_s = now_s
        until_s = time.monotonic() + (_READING_S if len(self.curves) else 0.0)
        while (more := self.source.read(self.curves)) and time.monotonic() < until_s:
            pass
        return more

    def catch_up(self) -> None:
        """Take in everything there is."""
        self._looked_s = -1e9
        while self.read():
            pass

    def _look(self) -> None:
        """Look where the run stands. Before its events, or its end might come before its last."""
        self._found = self.source.status()
        if not self._config and (config := self.source.config()):
            self._config = config
            self.judged = judged_by(config)
        self._steering.note(self.state)
        run = self.source.run
        self._log = []
        if self._found is not None and run is not None and self.state in _TELLING_A_LOG:
            self._log = run.log_tail(_LOG_LINES).splitlines()

    @property
    def state(self) -> RunState:
        """Where the run stands: its folder knows better than its events."""
        return self._found.state if self._found else self.curves.state

    @property
    def message(self) -> str | None:
        """Why it stops, stopped, failed or stalled, or why a gate rejected it."""
        if self._found and self._found.message:
            return clean(self._found.message, _MESSAGE_CHARS)
        return self.curves.message

    @property
    def headline(self) -> str:
        """Where the run stands, in one sentence."""
        return headline(self.state, self.message, self.curves)

    @property
    def checkpoint(self) -> str | None:
        """The newest checkpoint that was saved whole."""
        return self._found.checkpoint if self._found else self.curves.checkpoint

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Which metrics are drawn, and where."""
        training = self._config.get("training")
        method = training.get("trainer_type", "sft") if isinstance(training, dict) else "sft"
        return catalogue(self.curves.metrics, str(method))

    @property
    def gates(self) -> list[Gate]:
        """What its model will be held to, as far as it is known by now."""
        return find_gates(self._config, self.curves)

    @property
    def can(self) -> dict[str, bool]:
        """Return which of stop, keep_best and resume make sense now."""
        return self._steering.can(self.state, self.curves, self.judged)

    def stop(self, *, keep_best: bool) -> None:
        """Ask the run to stop; what cannot be done is refused with a TrainingError."""
        self.catch_up()
        self._steering.stop(self.state, self.can, keep_best=keep_best)

    def resume(self) -> None:
        """Go on with the run; what cannot be done is refused with a TrainingError."""
        self.catch_up()
        self._steering.resume(self.state, self.can)
        self._looked_s = -1e9

    @property
    def stop_progress(self) -> dict[str, Any] | None:
        """How far a stop is, None when nobody asked for one."""
        return self._steering.progress(self.state, self.curves, self.checkpoint)

    def look_out(self) -> None:
        """Find out anew what to look at."""
        self._watch.look(self.curves)
        self.alerts = find_alerts(
            self.curves,
            self._watch,
            self.gates,
            self.judged,
            is_live=self.state not in ENDED and not self.source.is_over,
            seen_at=self._seen_at(),
            problem=self.fault or self.source.problem,
        )

    def _seen_at(self) -> float | None:
        if self._found is not None:
            going_on = self.state in {"running", "stopping", "stalled"}
            return self._found.updated_at if going_on else None
        return self.curves.times[-1] if self.curves.times else None

    def status(self, names: list[str]) -> dict[str, Any]:
        """Return the status as a view shows it, with the newest values of these metrics."""
        run = self.source.run
        return status_payload(
            self.curves,
            self._found,
            folder=str(run.run_dir) if run else None,
            config=self._config,
            names=names,
            can=self.can,
            stop=self.stop_progress,
            alerts=self.alerts,
            log=self._log,
        )

    def card(self) -> Card:
        """Return the run as a card."""
        run = self.source.run
        places = [
            ("Final model", self._found.final_model if self._found else None),
            ("Newest checkpoint", self.checkpoint),
            ("Run directory", str(run.run_dir) if run else None),
        ]
        return run_card(
            self.curves,
            self.state,
            self.headline,
            message=self.message,
            alerts=self.alerts,
            log=self._log,
            places=places,
        )
