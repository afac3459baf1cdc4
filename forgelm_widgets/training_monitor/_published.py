"""A run whose points and status are kept up on every page that shows it."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import traitlets

from forgelm_widgets._base import ForgeWidget
from forgelm_widgets._curves import ENDED
from forgelm_widgets.training_monitor._catalogue import find_marks
from forgelm_widgets.training_monitor._follower import RunFollower
from forgelm_widgets.training_monitor._sources import Source
from forgelm_widgets.training_monitor._wire import Wire

__all__ = ["PublishedRun"]

# Seconds between two messages with points, two looks when nothing comes or the run has ended, and
# two sends of its status.
_DELTA_EVERY_S = 0.25
_QUIET_LOOK_EVERY_S = 0.5
_ENDED_LOOK_EVERY_S = 3.0
_STATUS_EVERY_S = 1.0
# What is sent again as a whole takes at most so many bytes a second.
_REPEATS_BYTES_PER_S = 500

logger = logging.getLogger("forgelm")


class PublishedRun(ForgeWidget):
    """A widget that looks at a run now and then, and sends what is new."""

    status = traitlets.Dict().tag(sync=True, echo_update=False)
    catalogue: Any = traitlets.List().tag(sync=True, echo_update=False)
    marks: Any = traitlets.List().tag(sync=True, echo_update=False)
    gates: Any = traitlets.List().tag(sync=True, echo_update=False)
    snapshot = traitlets.Dict().tag(sync=True, echo_update=False)
    data = traitlets.Bytes().tag(sync=True, echo_update=False)

    # On the class, because a widget whose __init__ raised is closed all the same.
    _follower: RunFollower | None = None
    _was_loaded_anew = False

    def _begin(self, source: Source) -> None:
        follower = RunFollower(source)
        self._lock = threading.RLock()
        self._wire = Wire()
        self._due = self._was_going_on = False
        self._next_s = dict.fromkeys(("delta", "snapshot", "marks", "status"), 0.0)
        self._marked = (-1, -1)
        self._told: tuple[Any, ...] = ()
        super().__init__(status=follower.status([]), snapshot=self._wire.again(follower.curves)[0])
        self._follower = follower

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Wait until it has looked once more, and every command that came is carried out."""
        if self._publisher is None or not self._is_live:
            return True
        done = threading.Event()
        self._wake()
        self._publisher.put(done.set)
        return done.wait(timeout_s)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Return the widget's state; a page that is loaded anew gets every point sent so far."""
        state = super().get_state(key=key, drop_defaults=drop_defaults)
        if key is None and self._follower is not None:
            self._was_loaded_anew = True
            with self._lock:
                state["snapshot"], state["data"] = self._wire.again(self._follower.curves)
        return state

    @property
    def _following(self) -> RunFollower:
        if self._follower is None:
            raise TypeError("a TrainingMonitor is made by TrainingMonitor(run_dir)")
        return self._follower

    def _wake(self, after_s: float = 0.0) -> None:
        if self._publisher is not None and self._is_live:
            self._due = True
            self._publisher.put(self._look, after_s=after_s, key="look")

    def _look(self) -> None:
        """Look for news, show them, and see to it that somebody looks again."""
        self._due = more = moved = False
        run = self._following
        try:
            with self._lock:
                before = (len(run.curves), run.curves.generation)
                more = self._read()
                moved = (len(run.curves), run.curves.generation) != before
                self._publish(time.monotonic(), more=more)
        finally:
            self._look_again(run.state in ENDED, more=more, moved=moved)

    def _look_again(self, ended: bool, *, more: bool, moved: bool) -> None:
        if ended and not more and self._was_going_on and self._following.state == "finished":
            self.freeze()
            return
        self._was_going_on = self._was_going_on or not ended
        is_told = ended and self.status.get("state") == self._following.state
        quiet_s = _ENDED_LOOK_EVERY_S if is_told else _QUIET_LOOK_EVERY_S
        if not self._due:
            self._wake(0.0 if more else _DELTA_EVERY_S if moved else quiet_s)
            self._due = more or moved  # an event that comes earlier wakes it earlier

    def _read(self) -> bool:
        """Take in what is new; what goes wrong is shown and logged, and it goes on."""
        try:
            more = self._following.read()
        except Exception as error:  # noqa: BLE001 - shown in the widget; the thread goes on
            self._on_error(error)
            return False
        self._following.fault = None
        return more

    def _catch_up(self) -> None:
        try:
            self._following.catch_up()
        except Exception as error:  # noqa: BLE001 - as in _read
            self._on_error(error)

    def _on_error(self, error: Exception) -> None:
        fault = f"following the run failed ({type(error).__name__}, see the log); it goes on"
        if self._follower is not None and self._follower.fault != fault:
            self._follower.fault = fault
            logger.error("following a run failed; it goes on", exc_info=error)
            super()._on_error(error)

    def _publish(self, now_s: float, *, more: bool) -> None:
        """Send what is new: points in small messages, and now and then everything."""
        run = self._following
        entries = run.entries
        if entries != self.catalogue:
            self.catalogue = entries
            self._next_s["snapshot"] = 0.0
        if now_s >= self._next_s["delta"]:
            # The next part of a long record takes its time to be read, and the last is not to wait.
            self._next_s["delta"] = 0.0 if more else now_s + _DELTA_EVERY_S
            self._send_points(now_s)
        if now_s >= self._next_s["marks"]:
            self._send_marks(now_s)
        run.look_out()
        news = (run.state, run.stop_progress, [alert.kind for alert in run.alerts])
        patience_s = _STATUS_EVERY_S / 2 if news != self._told else 0.0
        if news[:2] != self._told[:2]:  # a state or a stop that moves on is told at once
            patience_s = _STATUS_EVERY_S
        if now_s >= self._next_s["status"] - patience_s:
            self._told = news
            self._send_status(now_s)

    def _send_points(self, now_s: float) -> None:
        if self._wire.needs_snapshot(self._following.curves) or now_s >= self._next_s["snapshot"]:
            self._send_snapshot(now_s)
        elif (delta := self._wire.delta(self._following.curves)) is not None:
            self.send(delta[0], [delta[1]])

    def _send_snapshot(self, now_s: float) -> None:
        names = [str(entry["name"]) for entry in self.catalogue]
        snapshot, data = self._wire.snapshot(self._following.curves, names)
        with self.hold_sync():
            self.data, self.snapshot = data, snapshot
        self._next_s["snapshot"] = now_s + max(2.0, len(data) / _REPEATS_BYTES_PER_S)

    def _send_marks(self, now_s: float) -> None:
        run = self._following
        seen = (run.curves.generation, len(run.curves.marks))
        if seen != self._marked:
            self._marked = seen
            self.marks = find_marks(run.curves, run.judged)
            self.gates = [gate._asdict() for gate in run.gates]
        self._next_s["marks"] = now_s + max(1.0, 80 * len(self.marks) / _REPEATS_BYTES_PER_S)

    def _send_status(self, now_s: float) -> None:
        self.status = self._following.status([str(entry["name"]) for entry in self.catalogue])
        self._next_s["status"] = now_s + _STATUS_EVERY_S
