"""Every algorithm trains the tiny model until its own signal improves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import (
    ConfigError,
    ForgeConfig,
    ForgeTrainer,
    ProgressEvent,
    TrainResult,
    get_model_and_tokenizer,
)
from forgelm.errors import DataError
from forgelm.trainer.algorithms import ALGORITHMS, check_kept
from forgelm.trainer.backend import Precision
from forgelm.trainer.model import load_model

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")

ROOM = {"model": {"max_length": 96}}


def question(n: int) -> str:
    return f"Where is my order number {n}?"


def preference_rows(count: int = 40) -> list[dict[str, Any]]:
    good, bad = "Open the orders page, press send.", "I do not know, ask somebody else."
    return [{"prompt": question(n), "chosen": good, "rejected": bad} for n in range(count)]


def labelled_rows() -> list[dict[str, Any]]:
    pairs = preference_rows(20)
    return [
        {"prompt": row["prompt"], "completion": row[name], "label": name == "chosen"}
        for row in pairs
        for name in ("chosen", "rejected")
    ]


def share_of_e(completions: Sequence[str]) -> list[float]:
    return [text.count("e") / max(len(text), 1) for text in completions]


def train(
    config: ForgeConfig, rows: Any, **given: Any
) -> tuple[TrainResult, list[dict[str, float]]]:
    evaluations = []

    def keep(event: ProgressEvent) -> None:
        if event.kind == "evaluate":
            evaluations.append(dict(event.metrics))

    trainer = ForgeTrainer(config, dataset=rows, **given)
    trainer.subscribe(keep)
    return trainer.train(), evaluations


def test_sft_lowers_the_loss_on_rows_it_has_not_seen(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"max_steps": 20, "eval_steps": 10}
    rows = [{"prompt": row["prompt"], "completion": row["chosen"]} for row in preference_rows()]
    result, _ = train(make_config(tmp_path / "run", training=keys, **ROOM), rows)
    assert result.success, result.error
    assert result.metrics["eval_loss"] < 0.6 * result.metrics["baseline_eval_loss"]


@pytest.mark.parametrize("name", ["dpo", "simpo", "orpo"])
def test_preference_methods_learn_to_tell_better_from_worse(
    name: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"trainer_type": name, "max_steps": 10, "eval_steps": 10}
    result, evaluations = train(
        make_config(tmp_path / "run", training=keys, **ROOM), preference_rows()
    )
    assert result.success, result.error
    first, last = evaluations
    assert last["eval_rewards/margins"] > first["eval_rewards/margins"] + 0.1
    assert last["eval_rewards/accuracies"] == 1.0
    assert result.metrics["eval_rewards/margins"] == last["eval_rewards/margins"]
    assert result.metrics["eval_loss"] < result.metrics["baseline_eval_loss"]


def test_kto_raises_the_rewards_of_good_answers_and_lowers_those_of_bad_ones(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"trainer_type": "kto", "max_steps": 10, "eval_steps": 10}
    config = make_config(tmp_path / "run", training=keys, **ROOM)
    rows = labelled_rows()
    result, evaluations = train(config, {"train": rows[:32], "validation": rows[32:]})
    assert result.success, result.error
    first, last = evaluations
    assert (first["eval_rewards/chosen"], first["eval_rewards/rejected"]) == (0.0, 0.0)
    assert last["eval_rewards/chosen"] > 0.5
    assert last["eval_rewards/rejected"] < -0.5


@pytest.fixture(scope="module")
def rewarded(
    make_config: ConfigMaker, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainResult, Path]:
    run_dir = tmp_path_factory.mktemp("grpo") / "run"
    keys = {
        "trainer_type": "grpo",
        "max_steps": 24,
        "eval_steps": 12,
        "learning_rate": 3e-2,
        "per_device_train_batch_size": 6,  # no multiple of the 4 answers to a prompt
        "gradient_accumulation_steps": 2,
        "grpo_max_completion_length": 12,
    }
    rows = [{"prompt": question(n)} for n in range(40)]
    config = make_config(run_dir, training=keys, **ROOM)
    result, _ = train(config, rows, reward_functions=share_of_e)
    return result, run_dir


def test_grpo_raises_the_mean_reward_and_is_judged_by_it(
    rewarded: tuple[TrainResult, Path],
) -> None:
    result, _ = rewarded
    assert result.success, result.error
    assert result.metrics["eval_reward"] > 1.5 * result.metrics["baseline_eval_reward"]
    assert result.metrics["eval_rewards/share_of_e/mean"] == result.metrics["eval_reward"]


def test_the_record_names_the_rewards_and_what_each_data_set_gave(
    rewarded: tuple[TrainResult, Path],
) -> None:
    _, run_dir = rewarded
    log = (run_dir / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    started = next(e for e in map(json.loads, log) if e["event"] == "training.started")
    assert started["rewards"] == ["share_of_e"]
    assert started["sources"] == [
        {"name": "dataset[train]", "rows": 40, "used_rows": 40, "weight": None}
    ]


def test_the_only_adapter_that_is_saved_is_the_trained_one(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"trainer_type": "dpo", "max_steps": 1}
    result, _ = train(make_config(tmp_path / "run", training=keys, **ROOM), preference_rows(4))
    assert result.final_model_path is not None
    folders = [path.name for path in Path(result.final_model_path).iterdir() if path.is_dir()]
    assert folders == []


def test_kto_refuses_answers_of_one_kind_and_says_when_one_is_rare(
    make_config: ConfigMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config(tmp_path / "run", training={"trainer_type": "kto", "max_steps": 1})
    good = [row for row in labelled_rows() if row["label"]]
    with pytest.raises(DataError, match="every label to train on is true; add rows of the other"):
        ForgeTrainer(config, dataset=good).train()
    bad = {"prompt": question(99), "completion": "No.", "label": False}
    ForgeTrainer(config, dataset={"train": [*good, bad], "validation": good}).train()
    assert "20 answers are good and 1 bad" in caplog.text
    assert "desirable_weight" not in caplog.text


@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_a_model_with_an_adapter_is_refused_where_a_reference_is_needed(
    name: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", training={"trainer_type": name})
    model, tokenizer = get_model_and_tokenizer(config)
    with pytest.raises(ConfigError, match="has an adapter already; pass the base model"):
        train(config, preference_rows(4), model=model, tokenizer=tokenizer)


@pytest.mark.parametrize("name", ["dpo", "kto"])
def test_without_an_adapter_the_reference_is_the_model_as_it_was_given(
    name: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    torch = pytest.importorskip("torch")
    keys = {"trainer_type": name, "max_steps": 1}
    config = make_config(tmp_path / "run", lora={"method": "full"}, training=keys, **ROOM)
    model = load_model(config, Precision("cpu", "float32", load_in_4bit=False))
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(1.5)  # no longer what its folder holds
    rows = labelled_rows() if name == "kto" else preference_rows(8)
    _, evaluations = train(config, {"train": rows, "validation": rows}, model=model)
    assert evaluations[0]["eval_rewards/chosen"] == 0.0
    assert evaluations[0]["eval_rewards/rejected"] == 0.0


def test_a_tokenizer_without_a_padding_token_gets_one_or_is_refused(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", training={"trainer_type": "orpo", "max_steps": 1})
    _, tokenizer = get_model_and_tokenizer(config)
    tokenizer.pad_token = tokenizer.eos_token = None
    with pytest.raises(ConfigError, match="no padding or end token; set its pad_token"):
        train(config, preference_rows(4), tokenizer=tokenizer)
    tokenizer.eos_token = "<|im_end|>"
    result, _ = train(config, preference_rows(4), tokenizer=tokenizer)
    assert result.success, result.error
    assert tokenizer.pad_token == "<|im_end|>"


def test_answers_that_have_no_room_in_the_model_are_refused_before_training(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    keys = {"trainer_type": "grpo", "grpo_max_completion_length": 500}
    config = make_config(tmp_path / "run", training=keys)
    with pytest.raises(ConfigError, match=r"the model takes 512; set it to \d+ or less"):
        train(config, [{"prompt": question(n)} for n in range(4)])


def test_a_trainer_that_drops_rows_without_a_word_is_caught() -> None:
    datasets = pytest.importorskip("datasets")

    class Trainer:
        train_dataset = datasets.Dataset.from_dict({"prompt": ["a"] * 3})
        eval_dataset = None

    check_kept(Trainer, {"train": Trainer.train_dataset})
    given = {"train": datasets.Dataset.from_dict({"prompt": ["a"] * 50})}
    with pytest.raises(DataError, match="the Trainer keeps 3 of 50 train rows"):
        check_kept(Trainer, given)


def test_the_table_says_by_what_each_algorithm_is_judged() -> None:
    judged = {name: algorithm.judged_by for name, algorithm in ALGORITHMS.items()}
    assert judged == {
        **dict.fromkeys(("sft", "dpo", "kto", "orpo", "simpo"), "eval_loss"),
        "grpo": "eval_reward",
    }
    assert [name for name, algorithm in ALGORITHMS.items() if algorithm.greater_is_better] == [
        "grpo"
    ]
