"""What the gates decide, on figures worked by hand."""

from __future__ import annotations

import math

import pytest

from forgelm.config import EvaluationConfig
from forgelm.results import Verdict
from forgelm.trainer.outcome import RunFigures, judge_figures


def statuses(verdicts: list[Verdict]) -> dict[str, str]:
    return {verdict.gate: verdict.status for verdict in verdicts}


def figures(**given: float) -> RunFigures:
    return RunFigures(metrics=given)


def test_a_loss_above_the_ceiling_fails_the_loss_gate_alone() -> None:
    gates = EvaluationConfig(max_acceptable_loss=1.0)
    verdicts = judge_figures(gates, figures(eval_loss=1.5, baseline_eval_loss=2.0))
    assert statuses(verdicts) == {"finite": "passed", "loss": "failed", "improvement": "passed"}
    assert verdicts[1].reason == "eval_loss 1.5000 is above evaluation.max_acceptable_loss (1.0000)"
    assert verdicts[1].measured == {"eval_loss": 1.5, "evaluation.max_acceptable_loss": 1.0}


def test_there_is_no_loss_gate_without_a_ceiling() -> None:
    verdicts = judge_figures(None, figures(eval_loss=1.5, baseline_eval_loss=2.0))
    assert statuses(verdicts) == {"finite": "passed", "improvement": "passed"}


@pytest.mark.parametrize(("loss", "status"), [(2.019, "passed"), (2.021, "failed")])
def test_a_model_may_end_one_percent_above_where_it_began_and_no_more(
    loss: float, status: str
) -> None:
    verdicts = judge_figures(None, figures(eval_loss=loss, baseline_eval_loss=2.0))
    assert statuses(verdicts)["improvement"] == status


def test_a_given_baseline_counts_beside_the_measured_one() -> None:
    gates = EvaluationConfig(baseline_loss=1.2)
    verdicts = judge_figures(gates, figures(eval_loss=1.5, baseline_eval_loss=2.0))
    assert verdicts[-1].status == "failed"
    assert verdicts[-1].reason == "eval_loss 1.5000 is above evaluation.baseline_loss (1.2000)"


@pytest.mark.parametrize(
    ("reward", "status"), [(0.4, "failed"), (0.497, "passed"), (0.6, "passed")]
)
def test_a_reward_has_to_rise(reward: float, status: str) -> None:
    found = RunFigures(
        metrics={"eval_reward": reward, "baseline_eval_reward": 0.5, "eval_loss": 0.0},
        judged="eval_reward",
        higher_is_better=True,
    )
    (_, improvement) = judge_figures(None, found)
    assert improvement.status == status
    if status == "failed":
        assert improvement.reason == (
            "eval_reward 0.4000 is below the untrained model's eval_reward (0.4950)"
        )


# Two means of 16 rewards that spread by 0.3 and 0.4 differ by sqrt((0.09 + 0.16) / 16) = 0.125
# by one standard error: the limit is 0.5 - 2 * 0.125.
@pytest.mark.parametrize(
    ("reward", "answers", "status"),
    [(0.26, 16, "passed"), (0.24, 16, "failed"), (0.26, 64, "failed"), (0.26, None, "failed")],
)
def test_a_sampled_reward_fails_only_when_chance_does_not_explain_it(
    reward: float, answers: int | None, status: str
) -> None:
    found = RunFigures(
        metrics={
            "eval_reward": reward,
            "eval_reward_std": 0.3,
            "baseline_eval_reward": 0.5,
            "baseline_eval_reward_std": 0.4,
        },
        judged="eval_reward",
        higher_is_better=True,
        answers=answers,
    )
    assert judge_figures(None, found)[-1].status == status


def test_without_validation_rows_nothing_passes_but_the_finite_gate() -> None:
    gates = EvaluationConfig(max_acceptable_loss=1.0, baseline_loss=1.0)
    verdicts = judge_figures(gates, figures(train_loss=0.5))
    assert statuses(verdicts) == {"finite": "passed", "loss": "skipped", "improvement": "skipped"}
    assert {verdict.reason for verdict in verdicts[1:]} == {
        "there were no validation rows to evaluate on"
    }


def test_an_evaluation_without_a_baseline_is_skipped_not_passed() -> None:
    (_, improvement) = judge_figures(None, figures(eval_loss=0.5))
    assert improvement.status == "skipped"


def test_a_value_that_is_no_number_fails() -> None:
    found = RunFigures(
        metrics={"eval_reward": math.nan, "baseline_eval_reward": 0.5},
        judged="eval_reward",
        higher_is_better=True,
    )
    assert judge_figures(None, found)[-1].status == "failed"


def test_a_figure_that_broke_down_leaves_nothing_else_to_judge() -> None:
    found = RunFigures(metrics={"eval_loss": 1.0}, broken="loss is nan at step 3")
    assert judge_figures(EvaluationConfig(max_acceptable_loss=2.0), found) == [
        Verdict(
            "finite",
            "failed",
            "training broke down: loss is nan at step 3. Lower training.learning_rate.",
        )
    ]


# ln(512) = 6.2383: every token of the vocabulary is equally likely
@pytest.mark.parametrize(
    ("loss", "gradient", "status"),
    [(6.2383, 0.0, "failed"), (6.2383, 0.3, "passed"), (5.9, 0.0, "passed")],
)
def test_guessing_without_a_gradient_is_a_breakdown_even_from_a_random_model(
    loss: float, gradient: float, status: str
) -> None:
    found = RunFigures(
        metrics={"eval_loss": loss, "baseline_eval_loss": 6.24}, vocabulary=512, gradient=gradient
    )
    assert judge_figures(None, found)[0].status == status
