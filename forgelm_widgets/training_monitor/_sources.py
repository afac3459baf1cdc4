"""Where a monitor hears of its run from: a folder, or a trainer in this kernel."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from forgelm import Run, resume_run
from forgelm.errors import TrainingError
from forgelm_widgets._curves import RunCurves
from forgelm_widgets._text import plural

if TYPE_CHECKING:
    from forgelm import ForgeConfig, ProgressEvent, RunStatus

__all__ = ["FolderSource", "RecordSource", "Source", "TrainerSource", "Watchable"]

_LOOKED_AT_ONCE = 20_000

logger = logging.getLogger("forgelm")


class Watchable(Protocol):
    """What can be watched: `ForgeTrainer`, or anything that tells a listener its events."""

    def subscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        """Call `listener` with each event from now on."""

    def unsubscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        """Call `listener` no more."""


class Source(Protocol):
    """What a monitor asks about its run.

    Attributes:
        run: The run's folder, where it is known.
        problem: What is wrong with the record at the moment, in words.
        can_stop: Whether the run can be asked to stop from here.
        can_resume: Whether it can be resumed from here once it has ended.
        is_over: Nothing will ever come of it.
    """

    run: Run | None
    problem: str | None
    can_stop: bool
    can_resume: bool
    is_over: bool

    def read(self, curves: RunCurves) -> bool:
        """Add what is new, or a part of it; tell whether there is more to read at once."""

    def status(self) -> RunStatus | None:
        """Return where the run stands, None where only its events can say."""

    def config(self) -> Mapping[str, Any]:
        """Return the configuration without secrets, unchecked; empty where it is not known."""

    def stop(self, reason: str, *, keep_best: bool) -> None:
        """Ask the run to stop; return at once."""

    def resume(self) -> None:
        """Go on with a run that has ended."""


class FolderSource:
    """A run directory, whichever process writes it or wrote it."""

    can_stop = can_resume = True
    is_over = False

    def __init__(
        self, run: Run, config: ForgeConfig | str | os.PathLike[str] | None = None
    ) -> None:
        self.run: Run | None = run
        self.problem: str | None = None
        self._run = run
        self._given = config
        self._tail = run.tail()
        self._restarts = 0

    def read(self, curves: RunCurves) -> bool:
        """Add the next part of `metrics.jsonl`; none of it is an answer too."""
        try:
            documents, more = self._tail.read_documents()
        except FileNotFoundError:
            is_there = self._run.run_dir.is_dir()
            missed = self._tail.path if is_there else self._run.run_dir
            has_not_begun = is_there and not len(curves)
            gone = f"{missed} is gone: moved or deleted; it is looked for on and on"
            self._miss(None if has_not_begun else gone)
            return False
        except OSError as error:
            self._miss(f"{self._tail.path} cannot be read: {error.strerror}; it is tried on and on")
            return False
        if self._tail.restarts != self._restarts:
            self._restarts = self._tail.restarts
            curves.clear()
        curves.add_documents(documents)
        bad = self._tail.unreadable + curves.passed_over
        told = f"{plural(bad, 'line')} of {self._tail.path.name} could not be read"
        self.problem = f"{told}; the rest is shown" if bad else None
        return more

    def _miss(self, problem: str | None) -> None:
        if problem and problem != self.problem:
            logger.warning("following a run: %s", problem)
        self.problem = problem

    def status(self) -> RunStatus | None:
        try:
            return self._run.status()
        except OSError:  # read() says that the folder is gone
            return None

    def config(self) -> Mapping[str, Any]:
        found = self._run.document().get("config")
        return found if isinstance(found, dict) else {}

    def stop(self, reason: str, *, keep_best: bool) -> None:
        status = self._run.status()
        if status.ended:
            raise TrainingError(f"the run has ended already: {status}")
        self._run.stop(reason, timeout=0, keep_best=keep_best)

    def resume(self) -> None:
        resume_run(self._run.run_dir, self._given)


class TrainerSource:
    """A trainer whose events come in this process, while the cell runs.

    Args:
        trainer: Tells its events.
    """

    can_resume = is_over = False

    def __init__(self, trainer: Watchable) -> None:
        self.problem: str | None = None
        self._trainer = trainer
        self._wake: Callable[[ProgressEvent], None] = lambda _: None
        self._is_listening = False
        self._heard: deque[ProgressEvent] = deque()
        folder = getattr(trainer, "run_dir", None)
        self.run: Run | None = Run(folder) if folder is not None else None
        self.can_stop = callable(getattr(trainer, "stop", None))

    def listen(self, wake: Callable[[ProgressEvent], None]) -> None:
        """Hear of the events from now on; `wake` is called with each, on the trainer's thread."""
        self._wake = wake
        self._is_listening = True
        self._trainer.subscribe(self._hear)

    def _hear(self, event: ProgressEvent) -> None:
        self._heard.append(event)
        self._wake(event)

    def close(self) -> None:
        """Hear nothing more."""
        if self._is_listening:
            self._is_listening = False
            self._trainer.unsubscribe(self._hear)

    def read(self, curves: RunCurves) -> bool:
        for _ in range(min(len(self._heard), _LOOKED_AT_ONCE)):
            curves.add(self._heard.popleft())
        return bool(self._heard)

    def status(self) -> RunStatus | None:
        return None

    def config(self) -> Mapping[str, Any]:
        config = getattr(self._trainer, "config", None)
        return config.model_dump(mode="json", exclude_unset=True) if config is not None else {}

    def stop(self, reason: str, *, keep_best: bool) -> None:
        options = {"keep_best": True} if keep_best else {}
        self._trainer.stop(reason, **options)  # type: ignore[attr-defined]

    def resume(self) -> None:
        raise TrainingError(
            "a run in the cell is resumed there: trainer.train(resume=True); one that "
            "forgelm_widgets.launch(config) started is resumed from here."
        )


class RecordSource:
    """A record that is over."""

    run: Run | None = None
    problem: str | None = None
    can_stop = can_resume = False
    is_over = True

    def __init__(self, events: Iterable[ProgressEvent]) -> None:
        self._events = list(events)

    def read(self, curves: RunCurves) -> bool:
        for event in self._events:
            curves.add(event)
        self._events.clear()
        return False

    def status(self) -> RunStatus | None:
        return None

    def config(self) -> Mapping[str, Any]:
        return {}

    def stop(self, reason: str, *, keep_best: bool) -> None:  # noqa: ARG002
        raise TrainingError("this is a record of a run; there is nothing to stop.")

    def resume(self) -> None:
        raise TrainingError("this is a record of a run; attach to its folder to resume it.")
