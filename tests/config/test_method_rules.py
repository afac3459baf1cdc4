"""What an algorithm asks of the rest of the configuration."""

from __future__ import annotations

from typing import Any

import pytest

from forgelm import ConfigError, ForgeConfig


def make(training: dict[str, Any], **blocks: Any) -> ForgeConfig:
    data = {"dataset_name_or_path": "rows.jsonl"} | blocks.pop("data", {})
    return ForgeConfig(model={"name_or_path": "m"}, lora={}, training=training, data=data, **blocks)


@pytest.mark.parametrize(
    ("training", "path"),
    [
        (
            {"trainer_type": "kto", "per_device_train_batch_size": 1},
            "training.per_device_train_batch_size",
        ),
        ({"trainer_type": "grpo", "grpo_num_generations": 3}, "training.grpo_num_generations"),
        ({"trainer_type": "dpo", "packing": True}, "training.packing"),
        ({"grpo_reward_model": "reward"}, "training.grpo_reward_model"),
    ],
)
def test_a_setting_that_the_algorithm_cannot_use_is_refused(
    training: dict[str, Any], path: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make(training)
    assert [issue[0] for issue in caught.value.issues] == [path]


@pytest.mark.parametrize(
    "training",
    [
        {"trainer_type": "kto", "per_device_train_batch_size": 2},
        {"trainer_type": "grpo", "grpo_num_generations": 8},
        {"trainer_type": "grpo", "grpo_num_generations": 2, "per_device_train_batch_size": 1},
        {"packing": True},
        {"trainer_type": "grpo", "grpo_reward_model": "reward"},
    ],
)
def test_settings_that_fit_the_algorithm_are_taken(training: dict[str, Any]) -> None:
    assert make(training).training.trainer_type == training.get("trainer_type", "sft")


def test_several_processes_may_share_the_answers_to_a_prompt() -> None:
    training = {"trainer_type": "grpo", "grpo_num_generations": 32}
    with pytest.raises(ConfigError, match="the 8 answers of a step"):
        make(training)
    make(training, distributed={"strategy": "deepspeed"})


def test_an_answer_always_gets_its_end_mark_outside_sft() -> None:
    with pytest.raises(ConfigError, match=r"data\.add_eos: must be true: dpo always ends"):
        make({"trainer_type": "dpo"}, data={"add_eos": False})
    make({}, data={"add_eos": False})
    stage = {
        "name": "second",
        "training": {"trainer_type": "orpo"},
        "data": {"dataset_name_or_path": "b.jsonl", "add_eos": False},
    }
    with pytest.raises(ConfigError, match=r"pipeline\.stages\[0\]\.data\.add_eos"):
        make({}, pipeline={"stages": [stage]})
