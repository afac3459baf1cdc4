"""What a run writes to its audit log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.compliance import AuditLogger
from forgelm.data import DataSummary
from forgelm.errors import ConfigError, DataError, ForgeError, TrainingError
from forgelm.results import TrainResult
from forgelm.trainer._precision import Precision

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["RunRecord", "public_reason"]

logger = logging.getLogger(__name__)


class RunRecord:
    """The audit log of one run: one method for each event that the trainer records."""

    def __init__(self, config: ForgeConfig, run_dir: Path, run_id: str) -> None:
        self.run_id = run_id
        self.started_at = datetime.now(UTC)
        self._config = config
        self._log = AuditLogger(str(run_dir), run_id=run_id)
        self._began = time.monotonic()

    def initialized(self) -> None:
        """Record that the configuration was accepted and work begins."""
        self._log.log_event(
            "pipeline.initialized",
            model=self._config.model.name_or_path,
            trainer_type=self._config.training.trainer_type,
            config_hash=self._config.config_hash(),
        )

    def started(self, data: DataSummary, precision: Precision) -> None:
        """Record that model and data are loaded and the first step comes."""
        self._log.log_event(
            "training.started",
            trainer_type=self._config.training.trainer_type,
            model=self._config.model.name_or_path,
            dataset=self._config.data.dataset_name_or_path,
            dataset_format=data.format,
            split_rows=data.split_rows,
            dropped_rows=data.dropped_rows,
            device=precision.device,
            dtype=precision.dtype,
            load_in_4bit=precision.load_in_4bit,
            load_in_4bit_downgrade=precision.downgrade,
        )

    def stopped(self, step: int, result: TrainResult) -> None:
        """Record that somebody stopped the run after `step`."""
        self._log.log_event(
            "training.stopped", step=step, reason=result.error, checkpoint=result.last_checkpoint
        )

    def judged(self, result: TrainResult) -> None:
        """Record what the loss gate decided, if it had anything to decide on."""
        verdict = result.verdicts[-1]
        if verdict.status == "skipped":
            logger.warning("the loss gate was skipped: %s", verdict.reason)
            return
        gates = self._config.evaluation
        given = gates.baseline_loss if gates else None
        measured = result.metrics.get("baseline_eval_loss")
        self._log.log_event(
            "evaluation.loss_gate_completed",
            passed=verdict.status == "passed",
            eval_loss=result.metrics.get("eval_loss"),
            max_acceptable_loss=gates.max_acceptable_loss if gates else None,
            baseline_loss=given if given is not None else measured,
            reason=verdict.reason,
        )

    def wrote(self, event: str, **fields: Any) -> None:
        """Record what became of a document."""
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
        )

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
            documented = ForgeError | RuntimeError | OSError | MemoryError
            if isinstance(error, documented) or not isinstance(error, Exception):
                raise
            raise TrainingError(f"training failed: {type(error).__name__}: {error}") from error


def public_reason(error: BaseException) -> str:
    """Say what failed without text that may come from data or hold a secret."""
    if isinstance(error, ConfigError):
        return "ConfigError: " + ", ".join(path for path, _ in error.issues)
    if isinstance(error, DataError):
        return f"DataError: {str(error).splitlines()[0]}"
    return type(error).__name__
