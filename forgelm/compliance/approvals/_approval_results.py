"""What asking for, and giving, a person's approval answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

__all__ = ["ApprovalResult", "Decision", "PendingApproval"]

Decision = Literal["granted", "rejected"]


@dataclass(frozen=True)
class ApprovalResult:
    """What became of a decision.

    Attributes:
        decided: This call's decision is in the log, and the model is where it sends it.
        decision: What the log says by now, whoever decided it; None where nobody did.
        run_id: The run whose model it is about.
        gate: What asked for a person.
        approver: Who decided.
        decided_at: When, as the log has it; None where it is this call's own decision.
        model_path: Where the model lies now.
        earlier_path: Where the model that stood in its place was moved.
        reason: Why this call changed nothing; None when `decided`.
        altered: The log or the staged model is not as it was written.
        notes: What else a person should know.
    """

    decided: bool
    decision: Decision | None = None
    run_id: str | None = None
    gate: str | None = None
    approver: str | None = None
    decided_at: str | None = None
    model_path: Path | None = None
    earlier_path: Path | None = None
    reason: str | None = None
    altered: bool = False
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return every attribute; paths as text."""
        return _plain(asdict(self))


@dataclass(frozen=True)
class PendingApproval:
    """A staged model that waits for a person.

    Attributes:
        run_dir: The folder of the run; give it to `approve_model` or `reject_model`.
        run_id: The run.
        gate: What asked for a person.
        reason: Why.
        metrics: The figures of the model.
        requested_at: When, as the log has it.
        requested_by: Who trained it.
        staging_path: Where it waits.
        age_days: How long it has waited.
        ttl_days: How long it may wait: `retention.staging_ttl_days`.
        overdue: It has waited longer than that.
        problem: What stands in the way of a decision, such as an altered log; else None.
    """

    run_dir: Path
    run_id: str | None = None
    gate: str | None = None
    reason: str | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    requested_at: str | None = None
    requested_by: str | None = None
    staging_path: Path | None = None
    age_days: float | None = None
    ttl_days: int | None = None
    overdue: bool = False
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return every attribute; paths as text."""
        return _plain(asdict(self))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: str(item) if isinstance(item, Path) else item for key, item in values.items()}
