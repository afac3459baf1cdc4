"""The examples of `result_examples` that are about evaluations and evidence."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm import (
    ApprovalResult,
    BenchmarkResult,
    Checkpoint,
    EvaluationReport,
    EvidenceBundle,
    EvidenceVerdict,
    JudgeResult,
    PendingApproval,
    ProofResult,
    SafetyResult,
    TimestampResult,
    VerifyResult,
)
from forgelm.compliance.bundle import EvidencePart

__all__ = ["evaluations", "evidence"]

_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def evaluations(text: str) -> dict[str, Any]:
    """Return the results of trying out a model."""
    row = {"acc,none": 0.75, "acc_stderr,none": 0.05}
    benchmark = BenchmarkResult(
        {"quiz": 0.75, text: 0.6},
        0.675,
        False,
        text,
        {
            "results": {"quiz": row},
            "picked": {"quiz": "acc,none", text: "acc,none"},
            "n-samples": {"quiz": {"original": 75, "effective": 75}},
        },
    )
    asked = {"asked": 20, "scored": 19, "hazards": {"S1": 1}}
    safety = SafetyResult(
        passed=False,
        failure_reason=text,
        safe_ratio=0.95,
        safety_score=0.95,
        total_count=40,
        scored_count=38,
        unsafe_count=2,
        low_confidence_count=3,
        categories={text: {**asked, "unsafe": 2}, "violence": {**asked, "unsafe": 0}},
        severity={"critical": {"unsafe": 1, "share": 0.026}, "high": {"unsafe": 1, "share": 0.026}},
        regression={"base_score": 0.98, "score": 0.95},
        over_refusal={"asked": 10, "refused": 1},
    )
    judge = JudgeResult(
        passed=False,
        average_score=6.75,
        failure_reason=text,
        total_count=5,
        scored_count=4,
        details=[
            *({"row": n, "score": mark, "problem": None} for n, mark in enumerate((6, 7, 7, 7))),
            {"row": 4, "score": None, "problem": text},
        ],
        estimated_cost_usd=0.42,
        judge={"model": text},
    )
    return {
        "BenchmarkResult": benchmark,
        "SafetyResult": safety,
        "JudgeResult": judge,
        "EvaluationReport": EvaluationReport(benchmark, safety, judge),
    }


def evidence(text: str) -> dict[str, Any]:
    """Return what is verified, signed, packed and decided."""
    parts = (
        EvidencePart("audit_log.jsonl", "audit log", False, True, text, (text,)),
        EvidencePart("final_model", "model", True, notes=(text,)),
        EvidencePart(text, "document", True),
    )
    root = Path("runs") / (text or "a")
    return {
        "EvidenceVerdict": EvidenceVerdict(
            "run directory", False, True, f"audit_log.jsonl: {text}", parts, _SHA
        ),
        "EvidenceBundle": EvidenceBundle(
            root, _SHA, ("audit_log.jsonl", text), ("model",), {text: text}, VerifyResult(True, 14)
        ),
        "ProofResult": ProofResult(False, text),
        "TimestampResult": TimestampResult(True, None, datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
        "Checkpoint": Checkpoint(text, 412, "SGVsbG8=", text, "2026-11-22T09:30:00Z"),
        "ApprovalResult": ApprovalResult(
            True, "granted", "fg-4be1c02f77aa", "human", text, None, root, root, notes=(text,)
        ),
        "PendingApproval": PendingApproval(
            root, "fg-4be1c02f77aa", "human", text, {"eval_loss": 1.92, text: text},
            "2026-11-20T09:30:00Z", text, root / "staging", 2.0, 7,
        ),
    }  # fmt: skip
