"""`ForgeTrainer`: one fine-tune, from a config to a result, with its record."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import quiet_bars
from forgelm.data import hub_session
from forgelm.errors import ForgeError, TrainingError
from forgelm.results import TrainResult
from forgelm.runs import Listener, RunDirectory, launch_run, new_run_id, resume_run
from forgelm.trainer._checks import check_before_loading
from forgelm.trainer._processes import follow_run, refuse_objects
from forgelm.trainer._session import Given, Session
from forgelm.trainer.algorithms import RewardFunction, as_reward_functions
from forgelm.trainer.backend import Ranks, asks_for_processes
from forgelm.trainer.loop import Listeners, StopRequest
from forgelm.trainer.outcome import Gate, RunRecord, notices, public_reason

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
            the same object is a new run with a new name; a resumed run keeps its own.

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
        gates: Sequence[Gate] = (),
        reward_functions: RewardFunction | Sequence[RewardFunction] | None = None,
    ) -> None:
        """Remember what to train.

        Args:
            config: The configuration.
            model: A model to train in place of the configured one; it is changed.
            tokenizer: A tokenizer to use in place of the configured model's.
            dataset: Rows to train on in place of the configured data: a sequence of dicts, a
                `datasets.Dataset`, or a mapping of split names to such; also what
                `prepare_dataset` returned.
            gates: More gates: each is called with the trained model, the tokenizer, the config
                and the run directory, and returns a `Verdict` and a dict of figures for the
                result (`metrics`, `benchmark_scores`, ...). A gate that raises has failed.
            reward_functions: What grpo rewards answers by, instead of the built-in rewards: one
                function or several, each called with the keyword arguments that it names, out of
                `prompts`, `completions`, `completion_ids` and the columns of the rows. It returns
                a number for each completion.
        """
        self.config = config
        self.run_dir = Path(config.training.output_dir).expanduser()
        self.run_id = new_run_id()
        rewards = as_reward_functions(config, reward_functions)
        self._given = Given(model, tokenizer, dataset, tuple(gates), rewards)
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

    def stop(self, reason: str = "asked to stop", *, keep_best: bool = False) -> None:
        """Ask the run to stop at the end of its step and save; any thread may call this.

        Args:
            reason: Why; the record and the result say it.
            keep_best: End the run as if it had come to its end: the best checkpoint so far is
                judged and saved as the final model, if there is one.
        """
        self._stop.ask(reason, keep_best=keep_best)

    def train(self, *, resume: bool | str | os.PathLike[str] = False) -> TrainResult:
        """Train, evaluate, judge and save.

        Args:
            resume: True goes on with the run in `run_dir` from its newest valid checkpoint, and
                begins where there is no run yet; a path goes on from that checkpoint.

        Returns:
            The result. `success` is False, with `error` saying why, when the run was stopped or a
            gate rejected the model.

        Raises:
            ConfigError: The configuration cannot be honoured, or is not the one that the checkpoint
                was trained with; every problem is listed.
            DataError: Rows cannot be used.
            OptionalDependencyError: The `train` extra is not installed.
            TrainingError: Another training runs in this process or folder, no checkpoint can be
                resumed from, or the loop failed.
            RuntimeError: The device failed or ran out of memory.
            OSError: A file cannot be read or written.
        """
        with _only_training():
            self._begin()
            self._check()
            ranks = Ranks.here()
            if asks_for_processes(self.config) and not ranks.launched:
                return self._train_elsewhere(resume)
            directory = RunDirectory(self.run_dir)
            resume_from = self._claim(directory, resume) if ranks.is_first else None
            return self._train_here(directory, ranks, resume_from)

    def _begin(self) -> None:
        if self._ran:
            self.run_id = new_run_id()
            self._stop = StopRequest()
        self._ran = True

    def _check(self) -> None:
        check_before_loading(
            self.config,
            has_model=self._given.model is not None,
            has_data=self._given.dataset is not None,
        )

    def _claim(self, directory: RunDirectory, resume: bool | str | os.PathLike[str]) -> Path | None:
        """Make the folder ours, for a new run or the one that goes on; return from where."""
        if not resume:
            directory.begin(self.config, self.run_id)
            return None
        folder = self.run_dir.absolute()
        place = folder if resume is True else Path(resume).expanduser().absolute()
        if place == folder and not directory.has_run:
            logger.warning("there is no run in %s yet: training begins at the first step", folder)
            directory.begin(self.config, self.run_id)
            return None
        if folder in (place, place.parent):
            self.run_id = directory.go_on(self.config)
        else:
            directory.begin(self.config, self.run_id)
        return place

    def _train_launched(self, directory: RunDirectory, run_id: str, *, resume: bool) -> TrainResult:
        """Train in a process that `launch_run` started, in the folder it prepared."""
        self.run_id = run_id
        ranks = Ranks.here()
        with _only_training():
            if ranks.is_first:
                directory.hand_over()
            return self._train_here(
                directory, ranks, self.run_dir.absolute() if resume else None, check=True
            )

    def _train_here(
        self,
        directory: RunDirectory,
        ranks: Ranks,
        resume_from: Path | None,
        *,
        check: bool = False,
    ) -> TrainResult:
        """Train in this process and write down how it ended."""
        try:
            if check:
                self._check()
            if ranks.is_first:
                self._stop.run_dir = self.run_dir
            record = RunRecord(self.config, self.run_dir, self.run_id, silent=not ranks.is_first)
            told = notices(self.config, record)
            with record.failures(), hub_session(self.config), quiet_bars(), told as tell:
                result = Session(
                    config=self.config,
                    run_dir=self.run_dir,
                    run_id=self.run_id,
                    given=self._given,
                    record=record,
                    listeners=self._listeners,
                    stop=self._stop,
                    ranks=ranks,
                    directory=directory if ranks.is_first else None,
                    resume_from=resume_from,
                ).run()
                tell(result)
        except BaseException as error:
            if ranks.is_first:
                with suppress(OSError):  # a full disk: the error under way says more
                    directory.failed(error, _told(error))
            raise
        if ranks.is_first:
            directory.ended(result)
        return result

    def _train_elsewhere(self, resume: bool | str | os.PathLike[str]) -> TrainResult:
        """Train in as many processes as the configuration says, and tell what they tell."""
        refuse_objects(self._given)
        if resume and resume is not True:
            raise TrainingError(
                "a training in several processes is resumed with resume=True, from its own folder."
            )
        going_on = resume and RunDirectory(self.run_dir).has_run
        run = resume_run(self.run_dir, self.config) if going_on else launch_run(self.config)
        self.run_id = run.status().run_id
        return follow_run(run, self._listeners, self._stop)


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


def _told(error: BaseException) -> str:
    """Say what failed to whoever looks into the run directory; no text of data or of libraries."""
    return str(error) if isinstance(error, ForgeError) else public_reason(error)
