"""`TrainingMonitor`: a run as it goes on, in this cell or on this machine, and its reins."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from forgelm import Run, attach_run
from forgelm_widgets._base import command, front_end
from forgelm_widgets._card import Card
from forgelm_widgets.training_monitor._catalogue import find_marks
from forgelm_widgets.training_monitor._figure import run_figure, run_frame, run_rows, write_image
from forgelm_widgets.training_monitor._published import PublishedRun
from forgelm_widgets.training_monitor._sources import (
    FolderSource,
    RecordSource,
    Source,
    TrainerSource,
    Watchable,
)

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    from forgelm import ForgeConfig, ProgressEvent

__all__ = ["TrainingMonitor"]

_SHARED = ("calls.js", "dom.js", "vendor/uplot/uPlot.iife.min.js")
_PARTS = ("format", "store", "marks", "plot", "board", "steering", "table", "view")


class TrainingMonitor(PublishedRun):
    """A live view of a run, and its reins: stop, stop and keep the best, resume.

    A run in a folder is followed wherever its process is; a restarted kernel or a closed page
    changes nothing for it, and another monitor of the folder shows all of it again. When the run
    finishes, a static card takes the view's place, so that the saved notebook shows it.

    Args:
        watched: A run directory, a `Run`, or a `ForgeTrainer` that has not begun yet and trains
            in a cell of this kernel.
        config: What to resume a run in a folder with, needed where its configuration has secrets:
            the folder keeps none.

    Example:
        ```ipython
        TrainingMonitor("runs/support")
        ```
    """

    _esm = front_end(
        *(f"_shared/{name}" for name in _SHARED),
        *(f"training_monitor/{name}.js" for name in _PARTS),
    )
    _css = front_end(
        "_shared/theme.css",
        "_shared/controls.css",
        "training_monitor/view.css",
        "training_monitor/plot.css",
    )

    def __init__(
        self,
        watched: str | os.PathLike[str] | Run | Watchable,
        *,
        config: ForgeConfig | str | os.PathLike[str] | None = None,
    ) -> None:
        self._watch(_source_of(watched, config))

    def _watch(self, source: Source) -> None:
        self._begin(source)
        # Without an event so far, the cell that shows the view is the one that trains.
        self._in_cell = isinstance(source, TrainerSource)
        if isinstance(source, TrainerSource):
            source.listen(self._hear)
        self._wake()

    @classmethod
    def from_records(cls, events: Iterable[ProgressEvent]) -> Self:
        """Return the monitor of a recorded run, for example of `read_progress(run_dir)`."""
        monitor = cls.__new__(cls)
        monitor._watch(RecordSource(events))
        monitor.freeze()
        return monitor

    @property
    def run(self) -> Run | None:
        """The run's folder; None for a record, or a trainer without one."""
        return self._following.source.run

    def stop(self, *, keep_best: bool = False) -> None:
        """Ask the run to stop at the end of its step, and return at once.

        Args:
            keep_best: End it as if it had come to its end: its best checkpoint is judged and saved
                as the final model. Without it a checkpoint is saved, and the run can be resumed.

        Raises:
            TrainingError: It has ended, was asked already, or has no best checkpoint yet.
        """
        with self._lock:
            self._following.stop(keep_best=keep_best)
            self._next_s["status"] = 0.0
        self._wake()

    def resume(self) -> None:
        """Go on with a run that was stopped, failed or died, in a process of its own.

        Raises:
            TrainingError: It goes on, has finished, or trained in a cell.
            ConfigError: Its configuration has secrets, which a run directory does not keep.
        """
        with self._lock:
            self._following.resume()
            self._next_s["status"] = 0.0
        self._wake()

    def figure(self) -> go.Figure:
        """Return every panel as one plotly figure: every point, the gates and the marks."""
        with self._lock:
            self._catch_up()
            run = self._following
            marks = find_marks(run.curves, run.judged)
            title = f"{run.curves.run_id or 'Run'}: {run.headline}"
            return run_figure(run.curves, run.entries, run.gates, marks, title)

    def to_frame(self) -> pd.DataFrame:
        """Return one row an event, with a column for each metric."""
        with self._lock:
            self._catch_up()
            return run_frame(self._following.curves)

    def to_image(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure as a picture, and return its path; the ending says which kind.

        Raises:
            OptionalDependencyError: plotly or kaleido is not installed.
            ValueError: The ending is not one of png, svg, pdf, jpg and webp.
        """
        return write_image(self.figure(), path)

    def card(self) -> Card:
        """Return what to show in the view's place once it has ended."""
        with self._lock:
            self._following.look_out()
            return self._following.card()

    def show(self) -> None:
        """Show the live view here, or the static card once the run has ended."""
        from IPython.core.getipython import get_ipython

        if self._in_cell and self._is_live and (shell := get_ipython()):
            shell.events.register("post_run_cell", self._on_cell_end)
        super().show()

    _ipython_display_ = show

    def freeze(self) -> None:
        """Put the static card in the live view's place, as far as the run has come."""
        if self._is_live and self._follower is not None:
            with self._lock:
                self._catch_up()
                if self._was_loaded_anew:
                    self._send_snapshot(0.0)
                    self._send_status(0.0)
        super().freeze()

    def _leave(self) -> None:
        # A page that was loaded anew does not know the output's id: no card comes there, and
        # without a model its view would be gone.
        if not self._was_loaded_anew:
            super()._leave()

    def close(self) -> None:
        """Stop looking on, and leave the static card. The run goes on."""
        self.freeze()
        if self._follower is not None and isinstance(self._follower.source, TrainerSource):
            self._follower.source.close()

    def __repr__(self) -> str:
        with self._lock:
            self._catch_up()
            return f"TrainingMonitor({self._following.headline})"

    @command
    def _cmd_stop(self, *, keep_best: bool = False) -> None:
        self.stop(keep_best=keep_best is True)

    @command
    def _cmd_resume(self) -> None:
        self.resume()

    @command
    def _cmd_snapshot(self) -> None:
        with self._lock:
            self._send_snapshot(time.monotonic())

    @command
    def _cmd_rows(self, *, first: int = 0, count: int = 200) -> dict[str, Any]:
        with self._lock:
            curves = self._following.curves
            return run_rows(curves, self._wire.names, int(first), int(count))

    def _hear(self, event: ProgressEvent) -> None:
        """Hear of an event on the trainer's own thread, which is not to wait."""
        if self._due and self._is_live and event.kind not in {"train_end", "failed"}:
            return
        self._in_cell = threading.current_thread() is threading.main_thread()
        if not self._is_live:
            with self._lock:
                self._catch_up()
            if event.kind not in {"log", "evaluate"}:
                self._replace()
        elif event.kind in {"train_end", "failed"}:
            self.freeze()
        else:
            self._wake(max(0.0, self._next_s["delta"] - time.monotonic()))

    def _on_cell_end(self, outcome: Any) -> None:
        """Settle the view of a run that an error ended before it could say anything."""
        from IPython.core.getipython import get_ipython

        error = outcome.error_in_exec
        if self._is_live and self._in_cell and error is not None:
            with self._lock:
                self._catch_up()
                self._following.curves.cut_off(type(error).__name__)
            self.freeze()
        if not self._is_live and (shell := get_ipython()):
            shell.events.unregister("post_run_cell", self._on_cell_end)

    def _replace(self) -> None:
        from IPython.display import update_display

        if self._display_id:
            update_display(self._face(), raw=True, display_id=self._display_id)  # type: ignore[no-untyped-call]


def _source_of(watched: Any, config: ForgeConfig | str | os.PathLike[str] | None) -> Source:
    if isinstance(watched, Run | str | os.PathLike):
        run = watched if isinstance(watched, Run) else attach_run(watched)
        return FolderSource(run, config)
    if callable(getattr(watched, "subscribe", None)):
        return TrainerSource(watched)
    raise TypeError(
        f"TrainingMonitor watches a run directory, a Run or a ForgeTrainer, not "
        f"{type(watched).__name__}. For events: TrainingMonitor.from_records(events)"
    )
