"""Trying a trained model out: benchmarks, answers to risky prompts, and a second model's marks."""

from forgelm.evaluation._benchmark import BenchmarkResult, run_benchmark
from forgelm.evaluation._gates import (
    EvaluationReport,
    check_evaluation,
    evaluate_model,
    evaluation_gates,
)
from forgelm.evaluation._judge import JudgeResult, judge_answers
from forgelm.evaluation._safety import evaluate_safety
from forgelm.evaluation._safety_result import SafetyResult

__all__ = [
    "BenchmarkResult",
    "EvaluationReport",
    "JudgeResult",
    "SafetyResult",
    "check_evaluation",
    "evaluate_model",
    "evaluate_safety",
    "evaluation_gates",
    "judge_answers",
    "run_benchmark",
]
