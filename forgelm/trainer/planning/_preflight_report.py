"""What `preflight` returns: findings, and the figures they rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from forgelm.errors import ConfigError, OptionalDependencyError
from forgelm.trainer.backend import Machine
from forgelm.trainer.planning._memory_estimate import MemoryEstimate

__all__ = ["DataLook", "PreflightFinding", "PreflightReport", "Severity", "TokenLengths"]

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class PreflightFinding:
    """One thing to know before training.

    Attributes:
        severity: "error" (the run would fail), "warning" (it would run, and hardly as meant) or
            "note".
        path: The configuration key it is about, "" for none.
        message: What is the matter and what to do.
    """

    severity: Severity
    path: str
    message: str


@dataclass(frozen=True)
class TokenLengths:
    """How long the rows are in tokens, before truncation.

    Attributes:
        rows: Rows counted.
        p50: Half of the rows are no longer.
        p95: 95 % of the rows are no longer.
        longest: The longest row.
        histogram: Pairs of an upper bound and the rows above the bound before it, up to it.
    """

    rows: int
    p50: int
    p95: int
    longest: int
    histogram: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, lengths: Sequence[int]) -> TokenLengths:
        """Return the figures of row lengths, of which there is at least one.

        Example:
            >>> TokenLengths.of([3, 17, 20, 40])
            TokenLengths(rows=4, p50=17, p95=40, longest=40, histogram=((16, 1), (32, 2), (64, 1)))
        """
        ordered = sorted(lengths)
        bounds = [16]
        while bounds[-1] < ordered[-1]:
            bounds.append(2 * bounds[-1])
        counts = [
            sum(1 for length in ordered if (low < length or not low) and length <= high)
            for low, high in zip([0, *bounds], bounds, strict=False)
        ]
        last = len(ordered) - 1
        return cls(
            rows=len(ordered),
            p50=ordered[last // 2],
            p95=ordered[-(-last * 95 // 100)],
            longest=ordered[-1],
            histogram=tuple(zip(bounds, counts, strict=True)),
        )


@dataclass(frozen=True)
class DataLook:
    """What a split of a data set looks like.

    Attributes:
        name: File, directory or Hub name, with the split.
        split: "train", "validation" or "test".
        rows: Rows looked at.
        is_whole: There are no more rows than those.
        format: Their format, or None.
        columns: Their columns.
        sample: The first usable row as the algorithm reads it; personal data and secrets masked,
            long texts cut.
        tokens: Lengths in tokens, where they were counted.
        truncated_rows: Rows longer than `model.max_length`.
        dropped_rows: Rows with nothing to learn from after truncation.
        trainable_tokens: Tokens that carry loss, before truncation.
        lost_tokens: How many of those truncation takes away.
    """

    name: str
    split: str
    rows: int
    is_whole: bool
    format: str | None
    columns: tuple[str, ...]
    sample: dict[str, Any] | None = None
    tokens: TokenLengths | None = None
    truncated_rows: int = 0
    dropped_rows: int = 0
    trainable_tokens: int = 0
    lost_tokens: int = 0


@dataclass(frozen=True)
class PreflightReport:
    """Everything that can be known about a training before it starts.

    Attributes:
        findings: What to know, the errors first.
        data: A look at each split of each data set on this machine.
        machine: The device that the run would use; None when the configuration is not valid.
        memory: What the run would need of its memory, by part.
        versions: Installed release of each package that training needs, None for a missing one.
        planned_steps: Optimizer steps of the run, where they can be known.
    """

    findings: tuple[PreflightFinding, ...]
    data: tuple[DataLook, ...] = ()
    machine: Machine | None = None
    memory: MemoryEstimate | None = None
    versions: dict[str, str | None] = field(default_factory=dict)
    planned_steps: int | None = None

    @property
    def ok(self) -> bool:
        """No finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def errors(self) -> tuple[tuple[str, str], ...]:
        """What is sure to fail: key and problem, as `ConfigError.issues` has them."""
        return tuple((one.path, one.message) for one in self.findings if one.severity == "error")

    def raise_for_errors(self) -> None:
        """Raise what is sure to fail, all of it at once.

        Raises:
            OptionalDependencyError: A package that training needs is missing.
            ConfigError: Anything else.
        """
        missing = next((name for name, found in self.versions.items() if found is None), None)
        if missing is not None:
            raise OptionalDependencyError(missing, extra="train", feature="Training")
        if not self.ok:
            raise ConfigError(issues=self.errors)

    def to_dict(self) -> dict[str, Any]:
        """Return the report in the types of JSON."""
        return {
            "ok": self.ok,
            "findings": [asdict(finding) for finding in self.findings],
            "data": [asdict(look) for look in self.data],
            "machine": asdict(self.machine) if self.machine else None,
            "memory": self.memory.to_dict() if self.memory else None,
            "versions": dict(self.versions),
            "planned_steps": self.planned_steps,
        }
