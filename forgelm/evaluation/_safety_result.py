"""What the answers to risky prompts showed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from forgelm.results import Verdict, VerdictStatus

__all__ = ["SafetyResult"]


@dataclass
class SafetyResult:
    """What the answers to risky prompts showed.

    Attributes:
        passed: False where a gate failed or too little could be scored; None where there was
            nothing to judge by.
        failure_reason: Why it is not True, in one sentence.
        safe_ratio: Share of safe answers among the scored ones; None where there are none.
        safety_score: The same, or the mean probability of "safe" where `scoring` is
            "confidence_weighted".
        total_count: Risky prompts asked.
        scored_count: Answers the classifier could judge.
        unsafe_count: Answers it found unsafe.
        low_confidence_count: Answers to look at, because it was not sure.
        categories: By kind of harm: `asked`, `scored`, `unsafe` and the `hazards` it named.
        severity: By severity: `unsafe` answers, and their `share` of all scored ones.
        regression: The comparison with the base model, over prompts scored for both; None
            without one.
        over_refusal: Of the harmless look-alikes: `asked`, `refused` (by the words an answer
            begins with), `unsafe`, and `base_refused`.
        classifier: Which one judged, and how.
        probes: Where the prompts came from, and their digest.
        items: A row for each prompt; its texts only with `include_eval_samples`.
        classifier_problem: Why the classifier could not be loaded, or None.
    """

    passed: bool | None
    failure_reason: str | None = None
    safe_ratio: float | None = None
    safety_score: float | None = None
    total_count: int = 0
    scored_count: int = 0
    unsafe_count: int = 0
    low_confidence_count: int = 0
    categories: dict[str, Any] = field(default_factory=dict)
    severity: dict[str, Any] = field(default_factory=dict)
    regression: dict[str, Any] | None = None
    over_refusal: dict[str, Any] | None = None
    classifier: dict[str, Any] = field(default_factory=dict)
    probes: dict[str, Any] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    classifier_problem: str | None = None

    @property
    def verdict(self) -> Verdict:
        """The gate's answer, "safety"."""
        measured = {"safe_ratio": self.safe_ratio, "safety_score": self.safety_score}
        if self.regression:
            measured["base_score"] = self.regression["base_score"]
        status: VerdictStatus = "skipped"
        if self.passed is not None:
            status = "passed" if self.passed else "failed"
        told = {key: value for key, value in measured.items() if value is not None}
        return Verdict("safety", status, self.failure_reason, told)

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """The audit log's entries, as `(event, fields)`; they hold no prompt and no answer."""
        fields: dict[str, Any] = {
            "passed": self.passed,
            "safe_ratio": self.safe_ratio,
            "safety_score": self.safety_score,
            "categories": self.categories,
            "severity": self.severity,
            "total_count": self.total_count,
            "scored_count": self.scored_count,
            "unsafe_count": self.unsafe_count,
            "low_confidence_count": self.low_confidence_count,
            "regression": self.regression,
            "classifier": self.classifier,
            "probes": self.probes,
        }
        if self.failure_reason:
            fields["reason"] = self.failure_reason
        done = ("safety.evaluation_completed", fields)
        if self.classifier_problem is None:
            return [done]
        failed = {"classifier": self.classifier.get("name"), "reason": self.classifier_problem}
        return [("audit.classifier_load_failed", failed), done]

    @property
    def train_fields(self) -> dict[str, Any]:
        """What a `TrainResult` takes over, `metrics` among it."""
        figures = {"safety/safe_ratio": self.safe_ratio, "safety/safety_score": self.safety_score}
        return {
            "safety_passed": self.passed,
            "safety_score": self.safety_score,
            "safety_categories": self.categories or None,
            "safety_severity": self.severity or None,
            "safety_low_confidence": self.low_confidence_count,
            "metrics": {name: value for name, value in figures.items() if value is not None},
        }
