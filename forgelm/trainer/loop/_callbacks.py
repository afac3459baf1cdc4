"""The callback inside the Trainer's loop: it reports, watches the loss and stops when asked."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from forgelm._core import require
from forgelm.trainer.backend import Ranks
from forgelm.trainer.loop._checkpoints import CheckpointKeeper, FoundCheckpoint
from forgelm.trainer.loop._stop import StopRequest
from forgelm.trainer.loop._stream import ProgressStream

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

__all__ = ["StepWatcher", "StoppedEarlyError", "trainer_callback"]

logger = logging.getLogger(__name__)


class StoppedEarlyError(Exception):
    """A stop was asked for during the first evaluation: there is no step to wait for."""


class StepWatcher:
    """What a run does at each step, apart from training.

    Attributes:
        stopped_at: The step a stop request ended the run at, or None.
        ended_at: The step a request to keep the best checkpoint ended the run at, or None.
        broken: The first non-finite figure as a sentence, or None.
        checkpoint: The newest checkpoint, or None.
        gradient: Norm of the last gradient that was logged, or None.
        tokens: Tokens trained on so far, where the Trainer counts them.
        evaluations: Metrics of each evaluation, by step; step 0 is the untrained model.
    """

    def __init__(
        self,
        stream: ProgressStream,
        stop: StopRequest,
        keeper: CheckpointKeeper,
        ranks: Ranks,
        resumed: FoundCheckpoint | None = None,
    ) -> None:
        self._stream = stream
        self._stop = stop
        self._keeper = keeper
        self._ranks = ranks
        self._resumed = resumed
        self._bar: tqdm[Any] | None = None
        self._clock = time.monotonic()
        self.tokens = 0.0
        self.gradient: float | None = None
        self.stopped_at: int | None = None
        self.ended_at: int | None = None
        self.broken: str | None = None
        self.checkpoint: Path | None = resumed.path if resumed else None
        self.evaluations: dict[int, dict[str, float]] = {}

    def on_train_begin(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any
    ) -> None:
        """Say that the run begins, or goes on: then the evaluations so far are known."""
        self._bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="Training",
            unit="step",
            disable=None if self._ranks.is_first else True,
        )
        self._clock = time.monotonic()
        for entry in state.log_history:
            if any(name.startswith("eval_") for name in entry):
                self.evaluations.setdefault(int(entry["step"]), _figures(entry))
        message = self._resumed.sentence() if self._resumed else None
        self._stream.emit("train_begin", **_place(state), message=message)
        self._resumed = None

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Honour a stop request, unless the run is over anyway."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)
        self._beat(state)
        if state.global_step >= state.max_steps:
            return
        if not self._ranks.any(self._stop.reason is not None, args.device):
            return
        self._stop.ask("another process of the run was asked to stop")
        reason = self._stop.reason
        best = Path(state.best_model_checkpoint or "").name
        if not self._ranks.any(self._stop.keep_best, args.device):
            self.stopped_at = state.global_step
        elif best:
            self.ended_at = state.global_step
            reason = f"keeping {best}, the best so far: {reason}"
        else:
            self.stopped_at = state.global_step
            reason = f"{reason}; nothing was evaluated yet, so there is no best checkpoint to keep"
        control.should_training_stop = True
        control.should_save = True
        control.should_log = True
        control.should_evaluate = False
        logger.warning("stopping after step %d: %s", state.global_step, reason)
        self._stream.emit("stopping", **_place(state), message=reason)

    def on_prediction_step(
        self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any
    ) -> None:
        """Leave the evaluation that comes before the first step when a stop is asked for."""
        self._beat(state)
        if self._ranks.count > 1:  # leaving it alone would keep the others waiting for ever
            return
        if self._stop.reason is not None and state.global_step == 0:
            self.stopped_at = 0
            self._stream.emit("stopping", **_place(state), message=self._stop.reason)
            raise StoppedEarlyError

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Report the figures of a step."""
        if not logs or "loss" not in logs:  # evaluations and the closing summary come by elsewhere
            return
        metrics = _figures(logs)
        metrics |= self._speed(metrics.get("num_tokens")) | _memory(args.device.type)
        self.gradient = metrics.get("grad_norm", self.gradient)
        self._stream.emit("log", **_place(state), metrics=metrics)
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{metrics['loss']:.4f}", refresh=False)
        # The loss scaling of fp16 makes infinite gradients now and then, and skips their step.
        self._watch(metrics, ("loss",) if args.fp16 else ("loss", "grad_norm"), state, control)

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Report an evaluation, and keep the weights if they are the best so far."""
        figures = _figures(metrics or {})
        judged_by = args.metric_for_best_model or "eval_loss"
        sign = -1.0 if args.greater_is_better else 1.0
        # A figure that is missing or no number is worse than everything.
        earlier = [
            sign * found[judged_by]
            for step, found in self.evaluations.items()
            if step and judged_by in found
        ]
        judged = sign * figures.get(judged_by, math.nan)
        if state.global_step and judged < min(earlier, default=math.inf):
            control.should_save = True  # the best weights can only be restored if they were saved
        self.evaluations[state.global_step] = figures
        self._stream.emit("evaluate", **_place(state), metrics=figures)
        self._clock = time.monotonic()
        self._watch(figures, ("eval_loss", judged_by), state, control)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any
    ) -> None:
        """Commit a checkpoint, report it, and let old ones go."""
        run_dir = Path(str(args.output_dir))
        self.checkpoint = run_dir / f"checkpoint-{state.global_step}"
        self._ranks.wait()  # each process has written files of its own
        if self._ranks.is_first:
            self._keeper.commit(self.checkpoint, state.global_step)
            self._keeper.rotate(run_dir, state.best_model_checkpoint)
        self._stream.emit("save", **_place(state), message=str(self.checkpoint))
        self._clock = time.monotonic()

    def _beat(self, state: TrainerState) -> None:
        if self._stream.status is not None:
            self._stream.status.beat(**_place(state))

    def close(self) -> None:
        """Take the progress bar away."""
        if self._bar is not None:
            self._bar.close()

    def _watch(
        self,
        metrics: Mapping[str, float],
        names: tuple[str, ...],
        state: TrainerState,
        control: TrainerControl,
    ) -> None:
        broken = next((n for n in names if not math.isfinite(metrics.get(n, 0.0))), None)
        if broken is None or self.broken is not None:
            return
        self.broken = f"{broken} is {metrics[broken]} at step {state.global_step}"
        control.should_training_stop = True
        control.should_save = control.should_evaluate = False

    def _speed(self, tokens: float | None) -> dict[str, float]:
        if tokens is None:
            return {}
        elapsed = max(time.monotonic() - self._clock, 1e-9)
        speed = (tokens - self.tokens) / elapsed
        self.tokens, self._clock = tokens, time.monotonic()
        return {"tokens_per_second": speed}


def trainer_callback(watcher: StepWatcher) -> Any:
    """Return `watcher` as a callback of transformers."""
    transformers = require("transformers", extra="train", feature="Training")
    hooks = {name: getattr(watcher, name) for name in dir(watcher) if name.startswith("on_")}
    callback = transformers.TrainerCallback()
    callback.__dict__.update(hooks)
    return callback


def _place(state: TrainerState) -> dict[str, Any]:
    return {
        "step": state.global_step,
        "max_steps": state.max_steps,
        "epoch": float(state.epoch or 0.0),
    }


def _memory(device: str) -> dict[str, float]:
    """Return the most GPU memory that was allocated so far, or this process's memory, in GiB."""
    if device == "cuda":
        torch = require("torch", extra="train", feature="Training")
        return {"peak_vram_gb": torch.cuda.max_memory_allocated() / 2**30}
    psutil = require("psutil", extra="train", feature="Training")
    return {"rss_gb": psutil.Process().memory_info().rss / 2**30}


def _figures(logs: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in logs.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name != "epoch"
    }
