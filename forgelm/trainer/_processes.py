"""Training in several processes, seen from the one that asked for it."""

from __future__ import annotations

import threading

from forgelm.errors import ConfigError
from forgelm.results import TrainResult
from forgelm.runs import Run
from forgelm.trainer._session import Given
from forgelm.trainer.loop import Listeners, StopRequest, interrupt_requests_stop

__all__ = ["follow_run", "refuse_objects"]


def refuse_objects(given: Given) -> None:
    """Raise ConfigError for what was passed in as an object and cannot go to other processes."""
    named = {"model": given.model, "tokenizer": given.tokenizer, "dataset": given.dataset}
    odd = [name for name, value in named.items() if value is not None]
    odd += ["gates"] if given.gates else []
    odd += ["reward_functions"] if given.rewards else []
    if odd:
        told = f"{', '.join(odd)} cannot be handed to other processes; name files, or leave it out"
        raise ConfigError(issues=[("distributed.strategy", told)])


def follow_run(run: Run, listeners: Listeners, stop: StopRequest) -> TrainResult:
    """Tell `listeners` every event of a run in other processes, and return its result.

    A stop request is passed on to the run.
    """
    asked = threading.Event()
    with interrupt_requests_stop(stop):
        for event in run.follow(idle=lambda: _pass_on(run, stop, asked)):
            listeners.tell(event)
    return run.result()


def _pass_on(run: Run, stop: StopRequest, asked: threading.Event) -> None:
    if stop.reason is not None and not asked.is_set():
        asked.set()
        run.stop(stop.reason, timeout=0, keep_best=stop.keep_best)
