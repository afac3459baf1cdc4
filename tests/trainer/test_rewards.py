"""What grpo rewards answers by: the built-in rewards, a model, and functions of one's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeConfig, ForgeTrainer
from forgelm.data import ROW_COLUMN, DataSummary, prepare_splits
from forgelm.errors import TrainingError
from forgelm.trainer import format_reward, gold_answer_reward, length_reward
from forgelm.trainer.algorithms import RewardPlan, plan_rewards
from forgelm.trainer.backend import Precision

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
CPU = Precision("cpu", "float32", load_in_4bit=False)


@pytest.mark.parametrize(
    ("completion", "gold", "reward"),
    [
        ("It is 42.", 42, 1.0),
        ("First 41, then 42", "42", 1.0),
        ("42 of them, then 41", 42, 0.0),
        ("The answer is 1,200.50, as 3 + 4 shows.", "1200.5", 0.0),
        ("The answer is $1,200.50", 1200.5, 1.0),
        (r"So \boxed{\frac{1}{2}} it is", r"\boxed{\frac{1}{2}}", 1.0),
        ("<answer>Paris</answer> and 3 more words", "paris", 1.0),
        ("Reasoning\n#### 7", "Because of that.\n#### 7", 1.0),
        ("Paris is lovely.", "Paris", 0.0),
        ("  paris. ", "Paris", 1.0),
        ("Answer: Paris", "Paris", 1.0),
        ("", "42", 0.0),
        (r"\boxed{never closed", "never closed", 0.0),
        ("42", None, 0.0),
    ],
)
def test_an_answer_is_right_when_what_it_states_agrees_with_the_gold_answer(
    completion: str, gold: Any, reward: float
) -> None:
    assert gold_answer_reward([completion], [gold]) == [reward]


def test_form_is_rewarded_and_length_is_punished_near_the_end_of_the_room() -> None:
    texts = ["Answer: 4", "four", r"\boxed{4}", "<answer> </answer>"]
    assert format_reward(texts) == [1.0, 0.0, 1.0, 0.0]
    ids = [[0] * length for length in (0, 8, 9, 10, 20)]
    assert length_reward(ids, max_completion_length=10) == [0.0, 0.0, -0.5, -1.0, -1.0]


def reward_config(tiny_model: Path, **training: Any) -> ForgeConfig:
    return ForgeConfig(
        model={"name_or_path": str(tiny_model), "max_length": 128},
        lora={},
        data={"dataset_name_or_path": "unread"},
        training={"trainer_type": "grpo", "grpo_max_completion_length": 10, **training},
    )


@pytest.fixture(scope="module")
def rows(tiny_model: Path) -> tuple[DataSummary, list[str]]:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    given = [{"prompt": f"{n} + {n}?", "gold_answer": str(2 * n)} for n in range(4)]
    prepared = prepare_splits(reward_config(tiny_model), tokenizer, rows={"train": given})
    kept = [row for split in prepared.splits.values() for row in split[ROW_COLUMN]]
    return prepared.summary, sorted(kept)


def call(plan: RewardPlan, completions: list[str], rows: list[str]) -> list[list[float]]:
    """Call the rewards the way TRL does."""
    ids = [[0] * len(text) for text in completions]
    extras = {"trainer_state": None, "log_metric": print, ROW_COLUMN: rows}
    return [
        function(prompts=["rendered"] * len(rows), completions=completions, completion_ids=ids,
                 **extras)
        for function in plan.functions
    ]  # fmt: skip


def planned(config: ForgeConfig, functions: Sequence[Any], summary: DataSummary) -> RewardPlan:
    plan = plan_rewards(config, functions, summary, CPU)
    assert plan is not None
    return plan


def test_rows_with_gold_answers_are_rewarded_for_agreeing_with_them_by_default(
    tiny_model: Path, rows: tuple[DataSummary, list[str]]
) -> None:
    plan = planned(reward_config(tiny_model), (), rows[0])
    assert plan.names == ("gold_answer_reward", "format_reward", "length_reward")
    assert plan.weights == (1.0, 0.2, 0.2)
    right = call(plan, ["0", "2", "5", "Answer: 6"], rows[1])
    assert right == [[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [-0.0, -0.0, -0.0, -0.5]]


def test_prompts_alone_are_rewarded_for_form_and_that_is_said(
    tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    config = reward_config(tiny_model)
    summary = prepare_splits(config, tokenizer, rows={"train": [{"prompt": "a"}] * 2}).summary
    assert planned(config, (), summary).names == ("format_reward", "length_reward")
    assert "nothing says which answers are right" in caplog.text


def test_a_function_gets_what_it_names_as_it_stood_in_the_rows(
    tiny_model: Path, rows: tuple[DataSummary, list[str]]
) -> None:
    seen: dict[str, Any] = {}

    def named(prompts: list[str], gold_answer: list[str], max_completion_length: int) -> list[int]:
        seen.update(prompts=prompts, gold=gold_answer, room=max_completion_length)
        return [1, 2, 3, 4]

    def everything(completions: list[str], **others: Any) -> list[float]:
        seen["others"] = sorted(others)
        return [0.5] * len(completions)

    plan = planned(reward_config(tiny_model), (named, everything, everything), rows[0])
    assert plan.names == ("named", "everything", "everything_2")
    assert call(plan, ["x"] * 4, rows[1])[0] == [1.0, 2.0, 3.0, 4.0]
    assert seen["prompts"] == ["0 + 0?", "1 + 1?", "2 + 2?", "3 + 3?"]
    assert (seen["gold"], seen["room"]) == (["0", "2", "4", "6"], 10)
    assert seen["others"] == [
        "completion_ids", "gold_answer", "max_completion_length", "prompt", "prompts"
    ]  # fmt: skip


def test_a_function_that_needs_a_column_which_is_not_there_is_refused(
    tiny_model: Path, rows: tuple[DataSummary, list[str]]
) -> None:
    def needy(completions: list[str], difficulty: list[int]) -> list[float]:
        return [0.0 for _ in zip(completions, difficulty, strict=True)]

    with pytest.raises(ConfigError, match="needy needs difficulty, and the rows have the columns"):
        planned(reward_config(tiny_model), (needy,), rows[0])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ([1.0], "returned 1 rewards for 4 completions"),
        ([1.0, 2.0, float("nan"), 0.0], "no finite number"),
        ([1.0, None, 0.0, 0.0], "no finite number"),
        (["good"] * 4, "no finite number"),
        (7, "failed: TypeError"),
    ],
)
def test_rewards_that_are_not_one_number_each_are_a_training_error(
    answer: Any, problem: str, tiny_model: Path, rows: tuple[DataSummary, list[str]]
) -> None:
    def odd(completions: list[str]) -> Any:  # noqa: ARG001
        return answer

    plan = planned(reward_config(tiny_model), (odd,), rows[0])
    with pytest.raises(TrainingError, match=f"the reward function odd .*{problem}"):
        call(plan, ["x"] * 4, rows[1])


def test_functions_are_refused_where_nothing_is_rewarded_or_nothing_can_be_called(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    async def later(completions: list[str]) -> list[float]:
        return [0.0] * len(completions)

    with pytest.raises(ConfigError, match="is sft; reward functions are for grpo alone"):
        ForgeTrainer(make_config(tmp_path), reward_functions=format_reward)
    config = make_config(tmp_path, training={"trainer_type": "grpo"})
    with pytest.raises(TypeError, match="must be callable, not str"):
        ForgeTrainer(config, reward_functions=["format_reward"])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="the reward function later is async"):
        ForgeTrainer(config, reward_functions=later)


@pytest.fixture(scope="module")
def scorer(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a reward model: the tiny model with a head for one score."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("scorer") / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        tiny_model, num_labels=1
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_reward_model_scores_the_rendered_conversation(
    scorer: Path, tiny_model: Path, rows: tuple[DataSummary, list[str]]
) -> None:
    torch, transformers = (pytest.importorskip(name) for name in ("torch", "transformers"))
    plan = planned(reward_config(tiny_model, grpo_reward_model=str(scorer)), (), rows[0])
    assert plan.names == ("reward_model",)
    (scores,) = call(plan, ["Two.", "It is two.", "", "x" * 2_000], rows[1])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(scorer)
    tokenizer = transformers.AutoTokenizer.from_pretrained(scorer)
    text = "<|im_start|>user\n1 + 1?<|im_end|>\n<|im_start|>assistant\nIt is two.<|im_end|>"
    with torch.no_grad():
        alone = model(**tokenizer(text, return_tensors="pt")).logits[0, 0].item()
    assert scores[1] == pytest.approx(alone, abs=1e-4)


def test_a_model_without_a_trained_score_is_not_given_a_random_one(
    tiny_model: Path, tmp_path: Path, rows: tuple[DataSummary, list[str]]
) -> None:
    transformers = pytest.importorskip("transformers")
    three = transformers.AutoModelForSequenceClassification.from_pretrained(
        tiny_model, num_labels=3
    )
    three.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(tiny_model).save_pretrained(tmp_path)
    for folder in (tiny_model, tmp_path):
        config = reward_config(tiny_model, grpo_reward_model=str(folder))
        with pytest.raises(ConfigError, match="has no trained score of one number"):
            planned(config, (), rows[0])


def test_a_reward_model_that_is_not_there_is_found_before_anything_is_loaded(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"trainer_type": "grpo", "grpo_reward_model": "./no/such/reward"}
    config = make_config(tmp_path / "run", training=keys)
    with pytest.raises(ConfigError, match=r"training\.grpo_reward_model: there is no folder"):
        ForgeTrainer(config, dataset=[{"prompt": "a"}] * 4).train()
    assert not (tmp_path / "run").exists()


def test_rewards_keep_a_row_that_lacks_a_column_out_of_trouble(
    tiny_model: Path, rows: tuple[DataSummary, list[str]]
) -> None:
    plan = planned(reward_config(tiny_model), (gold_answer_reward,), rows[0])
    bare = json.dumps({"prompt": "no gold answer here"})
    assert call(plan, ["2", "2"], [rows[1][1], bare]) == [[1.0, 0.0]]
