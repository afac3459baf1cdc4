"""`TrainingMonitor`: the loss curve of a run, live in the cell that trains."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from forgelm.errors import OptionalDependencyError

try:
    import anywidget
    import traitlets
    from IPython.core.getipython import get_ipython
    from IPython.display import display, update_display
except ImportError as error:
    raise OptionalDependencyError(
        "anywidget", extra="notebook", feature="TrainingMonitor"
    ) from error

from forgelm_widgets._curves import ENDED, SERIES, RunCurves, thin
from forgelm_widgets._html import card_html, card_text
from forgelm_widgets.training_monitor._figure import run_figure, run_frame
from forgelm_widgets.training_monitor._static import run_card

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    from forgelm import ProgressEvent

__all__ = ["TrainingMonitor"]

_EVERY_S = 0.1
_SNAPSHOT_POINTS = 2_000


class Watchable(Protocol):
    """What can be watched: `ForgeTrainer`, or anything that tells a listener its events."""

    def subscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        """Call `listener` with each event from now on."""

    def unsubscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        """Call `listener` no more."""


class TrainingMonitor(anywidget.AnyWidget):
    """A live view of a run: state, progress, time left and loss curves.

    Show it, then train in the same cell or in the next. When the run ends, a static card takes
    the view's place, so that the saved notebook shows it without a kernel.

    Args:
        trainer: A `ForgeTrainer` that has not begun yet.

    Example:
        ```ipython
        TrainingMonitor(trainer).show()
        result = trainer.train()
        ```
    """

    _esm = Path(__file__).parent / "view.js"
    _css = Path(__file__).parent / "view.css"

    snapshot = traitlets.Dict().tag(sync=True)

    # On the class, because a widget whose __init__ raised is closed all the same.
    _trainer: Watchable | None = None
    _live = False

    def __init__(self, trainer: Watchable) -> None:
        if not callable(getattr(trainer, "subscribe", None)):
            raise TypeError(
                f"TrainingMonitor watches a ForgeTrainer, not {type(trainer).__name__}. For a run "
                "that is over: TrainingMonitor.from_records(forgelm.read_progress(run_dir))"
            )
        self._run = RunCurves()
        self._sent = dict.fromkeys(SERIES, 0)
        self._seq = 0
        self._next_delta_s = self._next_snapshot_s = 0.0
        self._live = self._in_cell = True
        self._display_id: str | None = None
        super().__init__(snapshot=self._whole())
        self.on_msg(self._on_message)
        self._trainer = trainer
        trainer.subscribe(self._on_event)

    @classmethod
    def from_records(cls, events: Iterable[ProgressEvent]) -> Self:
        """Return the monitor of a recorded run, for example of `read_progress(run_dir)`."""
        monitor = cls(_Record(events))
        monitor.freeze()
        return monitor

    def show(self) -> None:
        """Show the live view here, or the static card once the run has ended."""
        self._display_id = self._display_id or f"forgelm-{uuid.uuid4().hex}"
        if self._live and (shell := get_ipython()):
            shell.events.register("post_run_cell", self._on_cell_end)
        display(self._face(), raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]

    _ipython_display_ = show

    def freeze(self) -> None:
        """Put the static card in the live view's place, as far as the run has come."""
        if self._live:
            self._live = False
            layout = self.layout
            self._replace()
            super().close()
            layout.close()

    def close(self) -> None:
        """Stop listening, and leave the static card."""
        if self._trainer is not None:
            self._trainer.unsubscribe(self._on_event)
            self._trainer = None
        self.freeze()

    def figure(self) -> go.Figure:
        """Return the curves as a plotly figure, every point of them."""
        return run_figure(self._run)

    def to_frame(self) -> pd.DataFrame:
        """Return one row an event, with a column for each metric."""
        return run_frame(self._run)

    def __repr__(self) -> str:
        return f"TrainingMonitor({self._run.headline()})"

    def _face(self) -> dict[str, Any]:
        """Return the MIME bundle to show now: the widget while it lives, else the card."""
        if self._live:
            bundle, _ = self._repr_mimebundle_() or ({}, {})
            return bundle
        card = run_card(self._run).safe()
        return {"text/html": card_html(card), "text/plain": card_text(card)}

    def _replace(self) -> None:
        if self._display_id:
            update_display(self._face(), raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]

    def _on_event(self, event: ProgressEvent) -> None:
        self._run.add(event)
        self._in_cell = threading.current_thread() is threading.main_thread()
        frequent = event.kind in {"log", "evaluate"}
        now_s = time.monotonic()
        if not self._live:
            if not frequent:
                self._replace()
        elif self._run.state in ENDED:
            self.freeze()
        elif not frequent or now_s >= self._next_delta_s:
            self._publish(now_s)

    def _on_cell_end(self, outcome: Any) -> None:
        """Settle the view of a run that an error ended before it could say anything."""
        error = outcome.error_in_exec
        if self._live and self._in_cell and error is not None:
            self._run.cut_off(type(error).__name__)
            self.freeze()
        if not self._live and (shell := get_ipython()):
            shell.events.unregister("post_run_cell", self._on_cell_end)

    def _publish(self, now_s: float) -> None:
        """Send what is new: a small message, or now and then everything, for views that joined."""
        self._next_delta_s = now_s + _EVERY_S
        self._seq += 1
        rewound = any(len(self._run.points[name]) < self._sent[name] for name in SERIES)
        if rewound or now_s >= self._next_snapshot_s:
            elapsed_s = self._run.status()["elapsed_s"]
            self._next_snapshot_s = now_s + min(30.0, max(2.0, elapsed_s / 10))
            self.snapshot = self._whole()
        else:
            new = {name: self._run.points[name][self._sent[name] :] for name in SERIES}
            names = [name for name in SERIES if new[name]]
            message = {"v": 1, "kind": "delta", "seq": self._seq, "names": names}
            buffers = [new[name].tobytes() for name in names]
            self.send({**message, "status": self._run.status()}, buffers)
        self._sent = {name: len(self._run.points[name]) for name in SERIES}

    def _whole(self) -> dict[str, Any]:
        points = self._run.points
        curves = {name: thin(points[name], _SNAPSHOT_POINTS).tobytes() for name in SERIES}
        return {"v": 1, "seq": self._seq, "status": self._run.status(), "curves": curves}

    def _on_message(self, _widget: Any, content: dict[str, Any], _buffers: Any) -> None:
        # May come on any thread: the next event's own thread does the sending.
        if content.get("kind") == "snapshot":
            self._next_snapshot_s = 0.0


class _Record:
    """A run that is over: whoever subscribes hears all of it at once."""

    def __init__(self, events: Iterable[ProgressEvent]) -> None:
        self._events = events

    def subscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        for event in self._events:
            listener(event)

    def unsubscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        """Do nothing: everything has been said."""
