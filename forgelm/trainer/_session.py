"""One training in this process, from loading to the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.data import PreparedData, prepare_splits
from forgelm.errors import ConfigError
from forgelm.export import merge_models
from forgelm.results import TrainResult
from forgelm.runs import RunDirectory
from forgelm.trainer._checks import check_fit, check_rows
from forgelm.trainer.algorithms import (
    ALGORITHMS,
    RewardFunction,
    check_answer_room,
    check_labels,
    check_passed,
    common_arguments,
    plan_rewards,
)
from forgelm.trainer.backend import (
    BatchPlan,
    Precision,
    Ranks,
    choose_precision,
    distributed_arguments,
    run_within_memory,
)
from forgelm.trainer.loop import (
    CheckpointKeeper,
    FoundCheckpoint,
    Listeners,
    LoopOutcome,
    ProgressStream,
    StepWatcher,
    StopRequest,
    build_trainer,
    deciding_settings,
    find_checkpoint,
    interrupt_requests_stop,
    run_loop,
)
from forgelm.trainer.model import (
    FinalModel,
    assemble_model,
    load_model,
    load_tokenizer,
    prepare_adapter,
    repair_interrupted_save,
    save_final_model,
)
from forgelm.trainer.outcome import (
    Gate,
    ResourceMeter,
    RunFigures,
    RunRecord,
    judge_model,
    place_model,
    public_reason,
    write_evidence,
)

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["Given", "Session"]


@dataclass(frozen=True)
class Given:
    """What the caller passed in, in place of what the configuration names."""

    model: Any = None
    tokenizer: Any = None
    dataset: Any = None
    gates: Sequence[Gate] = ()
    rewards: Sequence[RewardFunction] = ()


@dataclass
class Session:
    """One training in this process.

    Attributes:
        config: The configuration.
        run_dir: The folder of the run.
        run_id: Its name.
        given: What the caller passed in.
        record: The audit log.
        listeners: Who hears the events.
        stop: Whether somebody asks the run to stop.
        ranks: Which of the run's processes this is.
        directory: The run directory; None in a process that writes no files.
        resume_from: A run directory or a checkpoint to go on from; the first process knows.
    """

    config: ForgeConfig
    run_dir: Path
    run_id: str
    given: Given
    record: RunRecord
    listeners: Listeners
    stop: StopRequest
    ranks: Ranks
    directory: RunDirectory | None
    resume_from: Path | None

    def run(self) -> TrainResult:
        """Load, train, judge and save."""
        config, given, record = self.config, self.given, self.record
        record.initialized(reads_data=given.dataset is None, reads_model=given.model is None)
        precision = choose_precision(config)
        tokenizer = given.tokenizer if given.tokenizer is not None else load_tokenizer(config)
        check_passed(config, given.model, given.tokenizer)
        data = _prepared(config, tokenizer, given.dataset)
        check_rows(data.summary)
        check_labels(config, data.splits["train"])
        rewards = plan_rewards(config, given.rewards, data.summary, precision)

        def build(plan: BatchPlan) -> Any:
            planned = plan.applied_to(config)
            arguments = common_arguments(
                planned, precision, self.run_dir, evaluates="validation" in data.splits
            )
            arguments |= distributed_arguments(config, precision)
            model = given.model if given.model is not None else load_model(config, precision)
            check_fit(model, tokenizer, data.summary.longest_tokens)
            check_answer_room(config, model, data.summary.longest_tokens)
            trainer = build_trainer(planned, model, tokenizer, data.splits, arguments, rewards)
            prepare_adapter(trainer.model, config, self.run_dir, is_first=self.ranks.is_first)
            return trainer

        trainers = [build(BatchPlan.of(config))]
        keeper = CheckpointKeeper(
            run_id=self.run_id,
            config_hash=config.config_hash(),
            keep=config.training.save_total_limit,
            settings=deciding_settings(config, data, self.ranks),
        )
        found = self._found(keeper)
        record.started(data.summary, precision, rewards.names if rewards else ())
        if found is not None:
            record.resumed(found)
        meter = ResourceMeter(precision)
        if self.ranks.is_first:
            self._repair()
        status = self.directory.status if self.directory else None
        stream = ProgressStream(self.run_dir, self.run_id, self.listeners, status)
        try:
            watcher = StepWatcher(stream, self.stop, keeper, self.ranks, found)
            with interrupt_requests_stop(self.stop):
                outcome = self._looped(watcher, trainers, build)
                rows = len(data.splits.get("validation", ()))
                result = self._concluded(outcome, watcher, tokenizer, precision, rows)
            _add_usage(result, meter.usage(config, tokens=watcher.tokens or None))
            write_evidence(
                config,
                record,
                self.run_dir,
                result,
                data.summary,
                has_model=given.model is not None,
                has_data=given.dataset is not None,
            )
            record.completed(result)
            stream.emit("train_end", metrics=result.metrics, message=result.error)
        except BaseException as error:
            with suppress(OSError):  # a full disk: the error under way says more
                stream.emit("failed", message=public_reason(error))
            raise
        finally:
            meter.close()
            stream.close()
        return result

    def _found(self, keeper: CheckpointKeeper) -> FoundCheckpoint | None:
        """Return where to go on from; the first process chooses for all."""
        found = None
        if self.directory is not None and self.resume_from is not None:
            found = find_checkpoint(self.resume_from, self.run_id)
            try:
                if found.path is not None:
                    keeper.check_settings(found.path)
            except ConfigError:
                self.directory.take_back()
                raise
        shared: FoundCheckpoint | None = self.ranks.share(found)
        return shared

    def _repair(self) -> None:
        name = self.config.training.final_model_dir
        if repair_interrupted_save(self.run_dir, name):
            self.record.restored(self.run_dir / name)

    def _looped(
        self, watcher: StepWatcher, trainers: list[Any], build: Callable[[BatchPlan], Any]
    ) -> LoopOutcome:
        """Run the loop, and again with smaller batches where memory runs out.

        Args:
            watcher: Sees every step.
            trainers: The Trainer that is built already; taken out, so that its memory can go.
            build: Builds another one.
        """
        training = self.config.training

        def attempt(plan: BatchPlan) -> LoopOutcome:
            trainer = trainers.pop() if trainers else build(plan)
            return run_loop(trainer, watcher, resume_from=watcher.checkpoint)

        smallest = max(
            training.oom_recovery_min_batch_size, ALGORITHMS[training.trainer_type].smallest_batch
        )
        return run_within_memory(
            attempt,
            BatchPlan.of(self.config),
            smallest=smallest if training.oom_recovery else None,
            on_recovery=lambda old, new: self.record.out_of_memory(old, new, watcher.checkpoint),
        )

    def _concluded(
        self,
        outcome: LoopOutcome,
        watcher: StepWatcher,
        tokenizer: Any,
        precision: Precision,
        judged_rows: int,
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
            result.error = f"stopped after step {watcher.stopped_at}: {self.stop.reason}"
            self.record.stopped(watcher.stopped_at, result)
            return result
        if watcher.ended_at is not None:
            self.record.wrote(
                "training.ended_early",
                step=watcher.ended_at,
                reason=self.stop.reason,
                checkpoint=outcome.kept,
            )
        self.ranks.part()
        if self.directory is None:
            result.error = "the run's first process has the result"
            return result
        self.directory.status.quiet_phase = True
        self.directory.status.write()
        model = outcome.model
        if outcome.gathered is not None:
            model = assemble_model(
                outcome.gathered, self.config, precision, compare=watcher.broken is None
            )
            precision = replace(precision, device="cpu")
        judge_model(
            result,
            self.record,
            _figures(self.config, outcome, watcher, judged_rows),
            self.given.gates,
            model=model,
            tokenizer=tokenizer,
            config=self.config,
            run_dir=self.run_dir,
        )
        final = FinalModel(
            model, self.config, precision, self.run_dir, is_ours=self.given.model is None
        )
        rejected = any(verdict.status == "failed" for verdict in result.verdicts)
        save = partial(
            save_final_model,
            final,
            tokenizer,
            run_dir=self.run_dir,
            run_id=self.run_id,
            check=None if rejected else final.check,
        )
        place_model(
            result,
            self.record,
            save,
            config=self.config,
            run_dir=self.run_dir,
        )
        if final.verdict is not None:
            result.verdicts.append(final.verdict)
            self.record.gate_judged(final.verdict)
        merge = self.config.merge
        if merge is not None and merge.enabled and result.final_model_path is not None:
            self.record.merged(merge_models(self.config))
        return result


def _figures(
    config: ForgeConfig, outcome: LoopOutcome, watcher: StepWatcher, judged_rows: int
) -> RunFigures:
    algorithm = ALGORITHMS[config.training.trainer_type]
    sampled = judged_rows * config.training.grpo_num_generations
    in_nats_a_token = config.training.trainer_type == "sft"
    return RunFigures(
        metrics=outcome.metrics,
        judged=algorithm.judged_by,
        higher_is_better=algorithm.greater_is_better,
        broken=watcher.broken,
        vocabulary=outcome.model.config.get_text_config().vocab_size if in_nats_a_token else None,
        gradient=watcher.gradient,
        answers=sampled if algorithm.is_rewarded else None,
    )


def _prepared(config: ForgeConfig, tokenizer: Any, dataset: Any) -> PreparedData:
    if dataset is None:
        return prepare_splits(config, tokenizer)
    splits = dataset if isinstance(dataset, Mapping) else {"train": dataset}
    return prepare_splits(config, tokenizer, rows=splits)


def _add_usage(result: TrainResult, usage: dict[str, Any]) -> None:
    result.resource_usage = usage
    result.estimated_cost_usd = usage["estimated_cost_usd"]
    result.metrics |= {
        f"resource/{name}": float(value)
        for name, value in usage.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
