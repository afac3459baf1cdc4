"""What a run writes to its audit log."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.compliance import AuditLogger
from forgelm.compliance.artefacts import list_run_files
from forgelm.compliance.documents import source_digests
from forgelm.data import DataSummary
from forgelm.errors import ConfigError, DataError, ForgeError, TrainingError
from forgelm.export import MergeResult
from forgelm.results import TrainResult, Verdict
from forgelm.trainer.backend import BatchPlan, Precision, free_disk_bytes, is_out_of_memory
from forgelm.trainer.loop import FoundCheckpoint
from forgelm.trainer.outcome._gates import first_failure

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["RunRecord", "public_reason"]

logger = logging.getLogger(__name__)

_FULL_BYTES = 1 << 16


class RunRecord:
    """The audit log of one run: one method for each event that the trainer records.

    Args:
        config: The configuration.
        run_dir: The folder of the run.
        run_id: Its name.
        silent: This is one of several processes, and another one keeps the log.

    Attributes:
        run_id: The run's name.
        is_silent: Another process keeps the log.
        started_at: When this process began with it, UTC.
        data_digests: SHA-256 of the data's files right before they are read, by real path; None
            where they are not known.
        model_digests: The same of the base model's files.
    """

    def __init__(
        self, config: ForgeConfig, run_dir: Path, run_id: str, *, silent: bool = False
    ) -> None:
        self.run_id = run_id
        self.is_silent = silent
        self.started_at = datetime.now(UTC)
        self.data_digests: dict[str, str] | None = None
        self.model_digests: dict[str, str] | None = None
        self._config = config
        self._run_dir = run_dir
        self._log = _Silent() if silent else AuditLogger(str(run_dir), run_id=run_id)
        self._began = time.monotonic()

    def initialized(self, *, reads_data: bool, reads_model: bool) -> None:
        """Record that the configuration was accepted and work begins, and hash what it reads."""
        self._log.log_event(
            "pipeline.initialized",
            model=self._config.model.name_or_path,
            trainer_type=self._config.training.trainer_type,
            config_hash=self._config.config_hash(),
        )
        data, model = self._config.data, self._config.model
        if reads_data:
            names = [data.dataset_name_or_path, *(data.extra_datasets or ())]
            self.data_digests = self._digests(names, "the data")
        if reads_model:
            self.model_digests = self._digests([model.name_or_path], "the base model")

    def _digests(self, names: Sequence[str], what: str) -> dict[str, str] | None:
        if self.is_silent:
            return None
        logger.info("hashing %s", what)
        try:
            return source_digests(names)
        except OSError as error:  # whoever reads it next has more to say
            logger.warning("%s could not be hashed before it was read: %s", what, error)
            return None

    def started(self, data: DataSummary, precision: Precision, rewards: Sequence[str] = ()) -> None:
        """Record that model and data are loaded and the first step comes."""
        self._log.log_event(
            "training.started",
            trainer_type=self._config.training.trainer_type,
            model=self._config.model.name_or_path,
            dataset=self._config.data.dataset_name_or_path,
            dataset_format=data.format,
            split_rows=data.split_rows,
            dropped_rows=data.dropped_rows,
            sources=data.mix(),
            data_sha256=self.data_digests,
            model_sha256=self.model_digests,
            rewards=list(rewards),
            device=precision.device,
            dtype=precision.dtype,
            load_in_4bit=precision.load_in_4bit,
            load_in_4bit_downgrade=precision.downgrade,
        )

    def resumed(self, found: FoundCheckpoint) -> None:
        """Record where the run goes on from, and which checkpoints could not be used."""
        self._log.log_event(
            "training.resumed",
            step=found.step,
            checkpoint=str(found.path) if found.path else None,
            skipped=[{"checkpoint": path.name, "reason": why} for path, why in found.skipped],
        )
        logger.info("%s", found.sentence())

    def stopped(self, step: int, result: TrainResult) -> None:
        """Record that somebody stopped the run after `step`."""
        self._log.log_event(
            "training.stopped", step=step, reason=result.error, checkpoint=result.last_checkpoint
        )

    def judged(self, result: TrainResult) -> None:
        """Record what the gates on the loss decided, if they had anything to decide on."""
        verdicts = [verdict for verdict in result.verdicts if verdict.status != "skipped"]
        for verdict in result.verdicts:
            if verdict.status == "skipped":
                logger.warning("the gate %s was skipped: %s", verdict.gate, verdict.reason)
        failed = first_failure(verdicts)
        if failed is None and [verdict.gate for verdict in verdicts] == ["finite"]:
            return
        gates = self._config.evaluation
        given = gates.baseline_loss if gates else None
        measured = result.metrics.get("baseline_eval_loss")
        self._log.log_event(
            "evaluation.loss_gate_completed",
            passed=failed is None,
            eval_loss=result.metrics.get("eval_loss"),
            max_acceptable_loss=gates.max_acceptable_loss if gates else None,
            baseline_loss=given if given is not None else measured,
            reason=failed.reason if failed else None,
            verdicts={verdict.gate: verdict.status for verdict in result.verdicts},
        )

    def gate_judged(self, verdict: Verdict) -> None:
        """Record what one gate that tried the model decided."""
        self._log.log_event(
            "evaluation.gate_completed",
            gate=verdict.gate,
            status=verdict.status,
            passed=verdict.status == "passed",
            reason=verdict.reason,
            measured=verdict.measured,
        )

    def approval_required(self, verdict: Verdict, result: TrainResult) -> None:
        """Record that the model waits at `result.staging_path` for a person."""
        self._log.log_event(
            "human_approval.required",
            gate=verdict.gate,
            reason=verdict.reason,
            metrics=dict(result.metrics),
            staging_path=result.staging_path,
            final_model_dir=self._config.training.final_model_dir,
        )

    def reverted(self, result: TrainResult, *, standing: str | None) -> None:
        """Record that the model was rejected; `standing` is the one that stays in use."""
        kept = f"{standing} stays as it was" if standing else "there is no earlier model"
        self._log.log_event(
            "model.reverted",
            reason=result.error,
            detail=f"the rejected model is in {result.rejected_path}; {kept}",
            rejected_path=result.rejected_path,
            final_model_path=standing,
        )

    def restored(self, path: Path) -> None:
        """Record that a model was put back that a killed run had moved away."""
        self._log.log_event("model.restored", path=str(path))

    def merged(self, result: MergeResult) -> None:
        """Record that the final model was merged with others; no gate has looked at the result."""
        logger.warning("%s is a merge that no gate has judged", result.path)
        self._log.log_event(
            "model.merged",
            path=str(result.path),
            method=result.method,
            sources=list(result.sources),
        )

    def out_of_memory(self, old: BatchPlan, new: BatchPlan, checkpoint: Path | None) -> None:
        """Record that memory ran out and training goes on with smaller batches."""
        self._log.log_event(
            "training.oom_recovery",
            old_batch_size=old.batch_size,
            new_batch_size=new.batch_size,
            new_grad_accum=new.accumulation,
            checkpoint=str(checkpoint) if checkpoint else None,
        )

    def wrote(self, event: str, **fields: object) -> None:
        """Record documents that were written, or that could not be."""
        self._log.log_event(event, **fields)

    def completed(self, result: TrainResult) -> None:
        """Record the end of a run that has a result, good or bad."""
        self._log.log_event(
            "pipeline.completed",
            success=result.success,
            stopped=result.stopped,
            error=result.error,
            duration_seconds=round(time.monotonic() - self._began, 3),
            metrics_summary=dict(result.metrics),
            artifacts=self._left_behind(),
        )

    def _left_behind(self) -> list[dict[str, Any]]:
        """Return the digests of what the run wrote; a model is not lost for want of them."""
        try:
            return [] if self.is_silent else list_run_files(self._run_dir)
        except OSError:
            logger.exception("the run's files could not be hashed for the audit log")
            return []

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Record whatever is raised, and pass it on as one of the documented errors."""
        try:
            yield
        except BaseException as error:
            try:
                self._log.log_event("pipeline.failed", error=public_reason(error))
            except OSError:
                logger.exception("the failure could not be written to the audit log")
            if not isinstance(error, ForgeError) and is_out_of_memory(error):
                raise TrainingError(
                    "memory ran out while the model was loaded, judged or saved; take a smaller "
                    "model or load_in_4bit, or free memory. forgelm train CONFIG --dry-run says "
                    "what it needs."
                ) from error
            if not isinstance(error, ForgeError) and self._disk_is_full(error):
                raise TrainingError(
                    f"the disk of {self._run_dir} is full. Free some of it and go on from the last "
                    "checkpoint: forgelm train CONFIG --resume."
                ) from error
            documented = ForgeError | RuntimeError | OSError | MemoryError
            if isinstance(error, documented) or not isinstance(error, Exception):
                raise
            raise TrainingError(f"training failed: {type(error).__name__}: {error}") from error

    def _disk_is_full(self, error: BaseException) -> bool:
        """Whether that is why it failed; what torch raises for it is a RuntimeError of its own."""
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return True
        return isinstance(error, Exception) and free_disk_bytes(self._run_dir) < _FULL_BYTES


class _Silent:
    """Stands in for the audit log."""

    def log_event(self, event: str, /, **fields: object) -> None:
        """Record nothing."""


def public_reason(error: BaseException) -> str:
    """Say what failed without text that may come from data or hold a secret."""
    if isinstance(error, ConfigError):
        return "ConfigError: " + ", ".join(path for path, _ in error.issues)
    if isinstance(error, DataError):
        return f"DataError: {str(error).splitlines()[0]}"
    return type(error).__name__
