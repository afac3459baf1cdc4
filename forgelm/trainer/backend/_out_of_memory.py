"""Going on with smaller batches when a device runs out of memory."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from forgelm._core import require
from forgelm.errors import TrainingError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["BatchPlan", "is_out_of_memory", "run_within_memory"]

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class BatchPlan:
    """How the rows of one optimizer step are cut up.

    Attributes:
        batch_size: Rows in memory at once, a device.
        accumulation: Batches whose gradients are added up before a step.
    """

    batch_size: int
    accumulation: int

    @classmethod
    def of(cls, config: ForgeConfig) -> BatchPlan:
        """Return what the configuration asks for."""
        training = config.training
        return cls(training.per_device_train_batch_size, training.gradient_accumulation_steps)

    def applied_to(self, config: ForgeConfig) -> ForgeConfig:
        """Return a copy of `config` that asks for this plan."""
        planned = config.model_copy(deep=True)
        planned.training.oom_recovery = False  # its smallest batch belongs to the first plan
        planned.training.per_device_train_batch_size = self.batch_size
        planned.training.gradient_accumulation_steps = self.accumulation
        return planned

    def smaller(self, smallest: int) -> BatchPlan | None:
        """Return the next plan with at most half the batch and as many rows a step, or None.

        Example:
            >>> BatchPlan(8, 2).smaller(1), BatchPlan(5, 2).smaller(1), BatchPlan(4, 1).smaller(3)
            (BatchPlan(batch_size=4, accumulation=4), BatchPlan(batch_size=2, accumulation=5), None)
        """
        rows = self.batch_size * self.accumulation
        fitting = range(self.batch_size // 2, max(smallest, 1) - 1, -1)
        size = next((size for size in fitting if rows % size == 0), None)
        return BatchPlan(size, rows // size) if size else None


def run_within_memory(
    attempt: Callable[[BatchPlan], T],
    plan: BatchPlan,
    *,
    smallest: int | None,
    on_recovery: Callable[[BatchPlan, BatchPlan], None],
) -> T:
    """Return what `attempt` returns, with smaller and smaller batches while memory runs out.

    Args:
        attempt: Trains with a plan, from the last good checkpoint on.
        plan: The plan to begin with.
        smallest: The smallest batch to try; None for the first plan alone.
        on_recovery: Is told the plan that failed and the next one.

    Raises:
        TrainingError: Memory ran out and no smaller batch may be tried; says what to change.
    """
    while True:
        try:
            return attempt(plan)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = plan.smaller(smallest) if smallest is not None else None
            if smaller is None:
                raise TrainingError(_advice(plan, smallest)) from error
        # Outside the handler: the error's frames hold the tensors of the step that failed.
        _release()
        logger.warning(
            "out of memory with %d rows at once: going on with %d, gradients added over %d batches",
            plan.batch_size, smaller.batch_size, smaller.accumulation,
        )  # fmt: skip
        on_recovery(plan, smaller)
        plan = smaller


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether `error` means that memory of the machine or the GPU ran out."""
    if not isinstance(error, RuntimeError):
        return isinstance(error, MemoryError)
    memory = require("accelerate.utils.memory", extra="train", feature="Training")
    return bool(memory.should_reduce_batch_size(error))


def _release() -> None:
    torch = require("torch", extra="train", feature="Training")
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _advice(plan: BatchPlan, smallest: int | None) -> str:
    less = "lower model.max_length, take a smaller model or load_in_4bit"
    if smallest is not None:
        return (
            f"memory ran out with {plan.batch_size} row(s) at once, and no smaller batch from "
            f"training.oom_recovery_min_batch_size ({smallest}) up divides the rows of a step; "
            f"lower that, or {less}."
        )
    if plan.batch_size == 1:
        return f"memory ran out with one row at once; {less}."
    return (
        f"memory ran out with {plan.batch_size} rows at once; set training.oom_recovery: true, or "
        f"lower training.per_device_train_batch_size and raise gradient_accumulation_steps, or "
        f"{less}."
    )
