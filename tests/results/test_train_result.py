"""`TrainResult` is a plain value that says in words what happened."""

from __future__ import annotations

from dataclasses import asdict

from forgelm import TrainResult

REFERENCE_FIELDS = [
    "success", "metrics", "final_model_path", "reverted", "error", "benchmark_scores",
    "benchmark_average", "benchmark_passed", "resource_usage", "safety_passed", "safety_score",
    "safety_categories", "safety_severity", "safety_low_confidence", "judge_score",
    "judge_details", "estimated_cost_usd", "staging_path", "awaiting_approval", "run_id",
    "config_hash",
]  # fmt: skip


def test_the_fields_of_the_reference_come_first_and_in_its_order() -> None:
    assert list(asdict(TrainResult(success=True)))[: len(REFERENCE_FIELDS)] == REFERENCE_FIELDS


def test_the_run_directory_is_a_property_and_no_field() -> None:
    result = TrainResult(success=True, run_dir="runs/a")
    assert result.output_dir == "runs/a"
    assert "runs/a" not in asdict(result).values()


def test_only_a_reverted_run_has_a_reason_for_it() -> None:
    assert TrainResult(success=False, error="loss too high").revert_reason is None
    rejected = TrainResult(success=False, error="loss too high", reverted=True)
    assert rejected.revert_reason == "loss too high"


def test_as_text_it_says_what_a_person_asks_first() -> None:
    result = TrainResult(
        success=True,
        metrics={"baseline_eval_loss": 3.7, "eval_loss": 1.45},
        final_model_path="runs/a/final_model",
        run_id="fg-0123456789ab",
        run_dir="runs/a",
    )
    assert str(result).splitlines() == [
        "Training succeeded",
        "  loss         3.700 -> 1.450",
        "  final model  runs/a/final_model",
        "  run          fg-0123456789ab in runs/a",
    ]


def test_a_stopped_run_does_not_read_like_a_finished_one() -> None:
    result = TrainResult(
        success=False, stopped=True, error="stopped after step 5: interrupted",
        last_checkpoint="runs/a/checkpoint-5",
    )  # fmt: skip
    assert str(result).splitlines() == [
        "Training ended early: stopped after step 5: interrupted",
        "  checkpoint   runs/a/checkpoint-5",
    ]
