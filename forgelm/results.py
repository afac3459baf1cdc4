"""What the long operations return: plain values, equal on every machine."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from typing import Any, Literal

__all__ = ["TrainResult", "Verdict", "VerdictStatus"]

VerdictStatus = Literal["passed", "failed", "skipped", "awaiting_approval"]


@dataclass(frozen=True)
class Verdict:
    """What one gate decided about a model, and why.

    Attributes:
        gate: The gate's name, for example "loss".
        status: "passed", "failed", "skipped" (nothing to judge by) or "awaiting_approval".
        reason: One sentence for a person; always there unless the gate passed.
        measured: The numbers the decision rests on.
    """

    gate: str
    status: VerdictStatus
    reason: str | None = None
    measured: dict[str, float] = field(default_factory=dict)


@dataclass
class TrainResult:
    """What `ForgeTrainer.train()` returns.

    Attributes:
        success: The run finished and no gate failed. False for a stopped run.
        metrics: The Trainer's own figures, and `eval_loss`, `baseline_eval_loss` (nats a token).
        final_model_path: Folder of the final adapter or model, or None when there is none.
        reverted: A gate rejected the model: it was set aside, and the previous one stands.
        error: Why the run did not succeed, in one sentence.
        resource_usage: `training_duration_seconds`, `peak_vram_gb` and the like.
        staging_path: Where a model waits for a person's approval.
        stopped: Somebody asked the run to stop; `last_checkpoint` has what was learned so far.
        last_checkpoint: Folder of the newest checkpoint, or None.
        rejected_path: Where a rejected model was set aside, or None.
    """

    success: bool
    metrics: dict[str, float] = field(default_factory=dict)
    final_model_path: str | None = None
    reverted: bool = False
    error: str | None = None
    benchmark_scores: dict[str, float] | None = None
    benchmark_average: float | None = None
    benchmark_passed: bool | None = None
    resource_usage: dict[str, Any] | None = None
    safety_passed: bool | None = None
    safety_score: float | None = None
    safety_categories: dict[str, Any] | None = None
    safety_severity: dict[str, Any] | None = None
    safety_low_confidence: int = 0
    judge_score: float | None = None
    judge_details: list[dict[str, Any]] | None = None
    estimated_cost_usd: float | None = None
    staging_path: str | None = None
    awaiting_approval: bool = False
    run_id: str | None = None
    config_hash: str | None = None
    stopped: bool = False
    last_checkpoint: str | None = None
    rejected_path: str | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    run_dir: InitVar[str | None] = None

    def __post_init__(self, run_dir: str | None) -> None:
        self._output_dir = run_dir

    def __str__(self) -> str:
        losses = [self.metrics.get("baseline_eval_loss"), self._final_loss()]
        lines = {
            "loss": " -> ".join(f"{loss:.3f}" for loss in losses if loss is not None),
            "final model": self.final_model_path,
            "checkpoint": self.last_checkpoint,
            "run": f"{self.run_id} in {self.output_dir}" if self.run_id else None,
        }
        head = f"Training {self._outcome()}" + (f": {self.error}" if self.error else "")
        return "\n".join(
            [head, *(f"  {name:<12} {value}" for name, value in lines.items() if value)]
        )

    def _final_loss(self) -> float | None:
        return self.metrics.get("eval_loss", self.metrics.get("train_loss"))

    def _outcome(self) -> str:
        if self.awaiting_approval:
            return "awaits approval"
        if self.success:
            return "succeeded"
        return "ended early" if self.stopped else "failed"

    @property
    def output_dir(self) -> str | None:
        """The run directory: log, metrics, checkpoints and the final model lie in it."""
        return self._output_dir

    @property
    def revert_reason(self) -> str | None:
        """Why the model was rejected, or None when it was not."""
        return self.error if self.reverted else None
