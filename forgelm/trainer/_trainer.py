"""`ForgeTrainer`: one fine-tune, from a config to a result, with its record."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.data import PreparedData, hub_session, prepare_splits
from forgelm.errors import TrainingError
from forgelm.results import TrainResult
from forgelm.trainer._arguments import common_arguments
from forgelm.trainer._artefacts import save_final_model, set_aside_earlier_run
from forgelm.trainer._callbacks import StepWatcher
from forgelm.trainer._checks import check_before_loading, check_fit, check_rows
from forgelm.trainer._evidence import write_evidence
from forgelm.trainer._gates import judge_losses
from forgelm.trainer._loop import LoopOutcome, build_trainer, run_loop
from forgelm.trainer._model import load_model, load_tokenizer, quiet_bars
from forgelm.trainer._precision import choose_precision
from forgelm.trainer._progress import Listener
from forgelm.trainer._record import RunRecord, public_reason
from forgelm.trainer._resources import ResourceMeter
from forgelm.trainer._stop import StopRequest, interrupt_requests_stop
from forgelm.trainer._stream import Listeners, ProgressStream

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["ForgeTrainer"]

logger = logging.getLogger(__name__)

# torch, accelerate and the loading of weights all keep state for the whole process.
_TRAINING = threading.Lock()


class ForgeTrainer:
    """One fine-tune. Building it costs nothing; `train()` loads everything it needs.

    Attributes:
        config: The configuration.
        run_dir: The folder of the run, `training.output_dir`.
        run_id: Name of the run in its record, its metrics and its result. A second `train()` on
            the same object is a new run with a new name.

    Example:
        ```python
        trainer = ForgeTrainer(load_config("config.yaml"))
        trainer.subscribe(lambda event: print(event.step, dict(event.metrics)))
        result = trainer.train()
        ```
    """

    def __init__(
        self,
        config: ForgeConfig,
        *,
        model: Any = None,
        tokenizer: Any = None,
        dataset: Any = None,
    ) -> None:
        """Remember what to train.

        Args:
            config: The configuration.
            model: A model to train in place of the configured one; it is changed.
            tokenizer: A tokenizer to use in place of the configured model's.
            dataset: Rows to train on in place of the configured data: a sequence of dicts, a
                `datasets.Dataset`, or a mapping of split names to such; also what
                `prepare_dataset` returned.
        """
        self.config = config
        self.run_dir = Path(config.training.output_dir).expanduser()
        self.run_id = _new_run_id()
        self._model = model
        self._tokenizer = tokenizer
        self._dataset = dataset
        self._listeners = Listeners()
        self._stop = StopRequest()
        self._ran = False

    def subscribe(self, listener: Listener) -> None:
        """Let `listener` hear every `ProgressEvent` from now on, in the training thread.

        A listener that raises is logged once and hears no more; training goes on.
        """
        self._listeners.add(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Let `listener` hear nothing more."""
        self._listeners.remove(listener)

    def stop(self, reason: str = "asked to stop") -> None:
        """Ask the run to stop at the end of its step and save; any thread may call this."""
        self._stop.ask(reason)

    def train(self) -> TrainResult:
        """Train, evaluate, judge and save.

        Returns:
            The result. `success` is False, with `error` saying why, when the run was stopped or a
            gate rejected the model.

        Raises:
            ConfigError: The configuration cannot be honoured; every problem is listed.
            DataError: Rows cannot be used.
            OptionalDependencyError: The `train` extra is not installed.
            TrainingError: Another training runs in this process, or the loop failed.
            RuntimeError: The device failed or ran out of memory.
            OSError: A file cannot be read or written.
        """
        with _only_training():
            self._begin()
            check_before_loading(
                self.config,
                has_model=self._model is not None,
                has_data=self._dataset is not None,
            )
            record = RunRecord(self.config, self.run_dir, self.run_id)
            with record.failures(), hub_session(self.config), quiet_bars():
                return self._run(record)

    def _begin(self) -> None:
        if self._ran:
            self.run_id = _new_run_id()
            self._stop = StopRequest()
        self._ran = True

    def _run(self, record: RunRecord) -> TrainResult:
        config = self.config
        record.initialized()
        precision = choose_precision(config)
        tokenizer = self._tokenizer if self._tokenizer is not None else load_tokenizer(config)
        data = _prepared(config, tokenizer, self._dataset)
        check_rows(data.summary)
        arguments = common_arguments(
            config, precision, self.run_dir, evaluates="validation" in data.splits
        )
        model = self._model if self._model is not None else load_model(config, precision)
        check_fit(model, tokenizer, data.summary.longest_tokens)
        trainer = build_trainer(config, model, tokenizer, data.splits, arguments)
        record.started(data.summary, precision)
        meter = ResourceMeter(precision)
        set_aside_earlier_run(self.run_dir)
        stream = ProgressStream(self.run_dir, self.run_id, self._listeners)
        try:
            watcher = StepWatcher(stream, self._stop)
            with interrupt_requests_stop(self._stop):
                outcome = run_loop(trainer, watcher)
                result = self._concluded(record, outcome, watcher, tokenizer)
            _add_usage(result, meter.usage(config))
            write_evidence(
                config, record, self.run_dir, result, data.summary,
                has_model=self._model is not None, has_data=self._dataset is not None,
            )  # fmt: skip
            record.completed(result)
            stream.emit("train_end", metrics=result.metrics, message=result.error)
        except BaseException as error:
            with suppress(OSError):  # a full disk: the error under way says more
                stream.emit("failed", message=public_reason(error))
            raise
        finally:
            stream.close()
        return result

    def _concluded(
        self, record: RunRecord, outcome: LoopOutcome, watcher: StepWatcher, tokenizer: Any
    ) -> TrainResult:
        result = TrainResult(
            success=False,
            metrics=outcome.metrics,
            run_id=self.run_id,
            config_hash=self.config.config_hash(),
            last_checkpoint=str(watcher.checkpoint) if watcher.checkpoint else None,
            run_dir=os.path.expanduser(self.config.training.output_dir),  # as it was written
        )
        if watcher.stopped_at is not None:
            result.stopped = True
            result.error = f"stopped after step {watcher.stopped_at}: {self._stop.reason}"
            record.stopped(watcher.stopped_at, result)
            return result
        result.verdicts = judge_losses(self.config.evaluation, outcome.metrics, watcher.broken)
        record.judged(result)
        failed = [verdict.reason for verdict in result.verdicts if verdict.status == "failed"]
        if failed:
            result.error = "; ".join(reason or "a gate failed" for reason in failed)
            return result
        final = save_final_model(
            outcome.model,
            tokenizer,
            run_dir=self.run_dir,
            name=self.config.training.final_model_dir,
            run_id=self.run_id,
            merge=self.config.training.merge_adapters,
        )
        result.success = True
        result.final_model_path = str(final)
        return result


@contextmanager
def _only_training() -> Iterator[None]:
    if not _TRAINING.acquire(blocking=False):
        raise TrainingError(
            "another training runs in this process; wait for it, or start this one in a process "
            "of its own (forgelm train CONFIG)."
        )
    try:
        yield
    finally:
        _TRAINING.release()


def _prepared(config: ForgeConfig, tokenizer: Any, dataset: Any) -> PreparedData:
    if dataset is None:
        return prepare_splits(config, tokenizer)
    splits = dataset if isinstance(dataset, Mapping) else {"train": dataset}
    return prepare_splits(config, tokenizer, rows=splits)


def _new_run_id() -> str:
    return f"fg-{secrets.token_hex(6)}"


def _add_usage(result: TrainResult, usage: dict[str, Any]) -> None:
    result.resource_usage = usage
    result.estimated_cost_usd = usage["estimated_cost_usd"]
    result.metrics |= {
        f"resource/{name}": float(value)
        for name, value in usage.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
