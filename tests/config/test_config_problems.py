"""Every problem is reported at once, by path, in words that say the next step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from forgelm.config import ConfigError, ForgeConfig

GOOD: dict[str, Any] = {
    "model": {"name_or_path": "my/model"},
    "lora": {},
    "training": {},
    "data": {"dataset_name_or_path": "train.jsonl"},
}


def issues(payload: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        ForgeConfig.model_validate(payload)
    return list(refused.value.issues)


def test_every_problem_is_reported_at_once() -> None:
    found = issues(
        {
            "model": {"max_length": 0},
            "lora": None,
            "training": {"trainer_type": "sff", "eval_steps": 7, "save_steps": 10},
            "data": {"dataset_name_or_path": "a", "mix_ratio": [1, 2], "shuffle": "yes"},
            "pipeline": {"stages": [{"name": "A"}]},
            "compliance": {"risk_classification": "high-risk"},
        }
    )
    assert found == [
        (
            "model.name_or_path",
            "is missing; add it. The model to start from: a Hub name such as "
            "`TinyLlama/TinyLlama-1.1B-Chat-v1.0`, or a folder on this machine.",
        ),
        ("model.max_length", "must be above 0; it is 0"),
        ("lora", "must be a block of keys, not nothing; write `lora: {}` for defaults"),
        (
            "training.trainer_type",
            "must be one of sft, orpo, dpo, simpo, kto, grpo; did you mean sft?",
        ),
        ("data.shuffle", "must be true or false, not text"),
        ("pipeline.stages[0].name", "must be 1 to 32 lower-case letters, digits and underscores"),
        (
            "training.save_steps",
            "is 10, not a multiple of eval_steps, which is 7; early stopping can only keep a "
            "checkpoint that was evaluated",
        ),
        (
            "data.mix_ratio",
            "has 2 weights for 1 data sets; give one weight for dataset_name_or_path and one for "
            "each of extra_datasets",
        ),
        (
            "evaluation.safety.enabled",
            "must be true, because compliance.risk_classification is high-risk",
        ),
    ]


def test_a_rule_is_not_reported_when_a_key_it_reads_is_wrong_itself() -> None:
    high = {"compliance": {"risk_classification": "high-risk"}}
    for evaluation in ({"safety": {"enabled": "ja"}}, {"safty": {"enabled": True}}, 5):
        found = issues({**GOOD, **high, "evaluation": evaluation})
        assert "evaluation.safety.enabled" not in {
            path for path, text in found if "must be true," in text
        }
    data = {"dataset_name_or_path": "a", "extra_datasets": ["b", 3], "mix_ratio": [1, 2]}
    assert [path for path, _ in issues({**GOOD, "data": data})] == ["data.extra_datasets[1]"]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("training.num_epochs", "did you mean num_train_epochs?"),
        ("training.epochs", "did you mean num_train_epochs?"),
        ("training.batch_size", "did you mean per_device_train_batch_size?"),
        ("training.learning-rate", "did you mean learning_rate?"),
        ("training.lr", "did you mean learning_rate?"),
        ("model.model_name", "did you mean name_or_path?"),
        ("model.max_seq_length", "did you mean max_length?"),
        ("lora.lora_alpha", "did you mean alpha?"),
        ("data.dataset", "did you mean dataset_name_or_path?"),
        ("auth.hf_tokn", "did you mean hf_token?"),
        ("model.r", "unknown key here; r belongs to lora"),
        ("lora.max_length", "unknown key here; max_length belongs to model"),
        ("learning_rate", "unknown key here; learning_rate belongs to training"),
        ("evaluation.enabled", "unknown key here; enabled belongs to model.multimodal, "),
        ("lora.num_epochs", "did you mean training.num_train_epochs?"),
        ("evalution", "did you mean evaluation?"),
        ("lora.zzz", "unknown key; remove it. Keys known here: r, alpha, dropout, bias, method"),
    ],
)
def test_a_mistyped_key_leads_to_the_one_that_was_meant(path: str, meant: str) -> None:
    block, _, key = path.rpartition(".")
    old = GOOD.get(block, {})
    payload = {**GOOD, block: {**old, key: 1}} if block else {**GOOD, key: 1}
    ((found, text),) = issues(payload)
    assert found == path
    assert meant in text


@pytest.mark.parametrize("payload", [None, [], "text", 3, [GOOD], {1: 2}, {None: {}}])
def test_what_is_no_mapping_of_blocks_is_a_config_error(payload: object) -> None:
    assert len(issues(payload)) == 1


def test_a_key_with_hostile_characters_is_shown_escaped() -> None:
    ((path, _),) = issues({**GOOD, "\x1b[2J" + "x" * 500: 1})
    assert path.startswith(r"'\x1b[2J")
    assert len(path) < 100


def test_every_way_in_raises_the_same_error() -> None:
    bad = {**GOOD, "lora": {"r": 0}, "self": 1, "cls": 2}
    for build in (
        lambda: ForgeConfig(**bad),
        lambda: ForgeConfig.model_validate(bad),
        lambda: ForgeConfig.model_validate_json(json.dumps(bad)),
        lambda: TypeAdapter(ForgeConfig).validate_python(bad),
    ):
        with pytest.raises(ConfigError) as refused:
            build()
        paths = [path for path, _ in refused.value.issues]
        assert paths == ["lora.r", "self", "cls"]
        assert refused.value.errors()[0] == {
            "path": "lora.r",
            "problem": "must be at least 1; it is 0",
        }
        cause = refused.value.__cause__
        assert isinstance(cause, ValidationError)
        assert [line["type"] for line in cause.errors()] == [
            "greater_than_equal",
            "extra_forbidden",
            "extra_forbidden",
        ]


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"model": NaN', "\x00"])
def test_json_that_is_no_configuration_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError):
        ForgeConfig.model_validate_json(text)


def test_json_makes_the_same_configuration_as_python() -> None:
    assert ForgeConfig.model_validate_json(json.dumps(GOOD)) == ForgeConfig(**GOOD)
