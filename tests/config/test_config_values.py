"""What a configuration accepts, refuses and turns into what."""

from __future__ import annotations

import copy
import pickle
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr, ValidationError

from forgelm.config import (
    AuthConfig,
    ConfigError,
    DataConfig,
    ForgeConfig,
    LoraConfigModel,
    ModelConfig,
    TrainingConfig,
    parse_config,
)

HUGE = 10**5000  # more digits than Python turns into text
TOKEN = "hf" + "_" + "plantedTokenOfTheTest"


def config(**blocks: Any) -> ForgeConfig:
    """Build the smallest configuration with `blocks` put over it."""
    smallest: dict[str, Any] = {
        "model": {"name_or_path": "my/model"},
        "lora": {},
        "training": {},
        "data": {"dataset_name_or_path": "train.jsonl"},
    }
    return ForgeConfig(**(smallest | blocks))


def name_of(value: object) -> str:
    return "huge" if value is HUGE else repr(value)


def problems(**blocks: Any) -> dict[str, str]:
    """Return the problems of a configuration that must be refused, by path."""
    with pytest.raises(ConfigError) as refused:
        config(**blocks)
    return dict(refused.value.issues)


def test_the_smallest_configuration_takes_every_default() -> None:
    built = config()
    assert built.lora.target_modules == ["q_proj", "v_proj"]
    assert built.training.learning_rate == 2e-5
    assert built.model.model_fields_set == {"name_or_path"}
    assert built.evaluation is None


@pytest.mark.parametrize(
    "rank", [True, 8.0, 8.5, "8", None, [8], HUGE, 2**63, -(2**63), 0], ids=name_of
)
def test_a_rank_that_is_no_sane_whole_number_is_refused(rank: object) -> None:
    assert list(problems(lora={"r": rank})) == ["lora.r"]


@pytest.mark.parametrize(
    "rate", [True, "2e-5", float("inf"), float("nan"), HUGE, 0, -1], ids=name_of
)
def test_a_learning_rate_that_is_no_positive_finite_number_is_refused(rate: object) -> None:
    assert list(problems(training={"learning_rate": rate})) == ["training.learning_rate"]


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "a\nb", "a\x1b[31m", "\ud800", "a\u2028b", 5])
def test_a_blank_or_unprintable_name_is_refused(name: object) -> None:
    found = problems(model={"name_or_path": name}, training={"output_dir": name})
    assert list(found) == ["model.name_or_path", "training.output_dir"]


@pytest.mark.parametrize("text", ["a\0b", "\x1b[2J", "\udfff"])
def test_prose_may_have_lines_but_no_control_characters(text: str) -> None:
    assert list(problems(compliance={"intended_purpose": text})) == ["compliance.intended_purpose"]
    kept = config(compliance={"intended_purpose": "first\n\tsecond ünï ☃"}).compliance
    assert kept is not None
    assert kept.intended_purpose == "first\n\tsecond ünï ☃"


def test_free_mappings_hold_only_what_yaml_can_hold() -> None:
    for odd in (object(), float("nan"), 2**64, {1: 2}, "\0", (1,), {"a": {1}}):
        assert list(problems(training={"rope_scaling": {"x": odd}})) == ["training.rope_scaling"]
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"x": deep}
    assert "levels deep" in problems(training={"rope_scaling": deep})["training.rope_scaling"]


def test_a_free_mapping_is_not_shared_with_the_caller() -> None:
    given = {"rope_type": "linear", "factor": 2.0}
    built = config(training={"rope_scaling": given})
    given["factor"] = float("nan")
    assert built.training.rope_scaling == {"rope_type": "linear", "factor": 2.0}


def test_paths_and_numpy_numbers_of_a_notebook_are_accepted() -> None:
    built = config(
        lora={"r": np.int64(4), "dropout": np.float32(0.5)},
        training={"output_dir": Path("a") / "b"},
    )
    assert (built.lora.r, type(built.lora.r)) == (4, int)
    assert (built.lora.dropout, type(built.lora.dropout)) == (0.5, float)
    assert built.training.output_dir == str(Path("a") / "b")
    free = config(training={"rope_scaling": {"factor": np.float64(2)}}).training.rope_scaling
    assert free is not None
    assert type(free["factor"]) is float
    data = {"dataset_name_or_path": Path("a"), "extra_datasets": [Path("b")]}
    assert config(data=data).data.extra_datasets == ["b"]


def test_a_word_of_an_enumeration_becomes_plain_text() -> None:
    class Method(StrEnum):
        SFT = "sft"

    built = config(training={"trainer_type": Method.SFT, "rope_scaling": {"x": Method.SFT}})
    assert "trainer_type: sft" in built.to_yaml()
    assert parse_config(built.to_yaml()) == built


def test_blocks_that_were_built_before_are_accepted() -> None:
    model, data = ModelConfig(name_or_path="m"), DataConfig(dataset_name_or_path="d")
    built = ForgeConfig(
        model=model, data=data, lora=LoraConfigModel(r=2), training=TrainingConfig()
    )
    assert (built.model.name_or_path, built.lora.r) == ("m", 2)
    with pytest.raises(ConfigError) as refused:
        ForgeConfig(model=model, lora={"r": 0}, training={}, data=data, evaluation={"safty": {}})
    assert [path for path, _ in refused.value.issues] == ["lora.r", "evaluation.safty"]


def test_target_modules_may_be_the_word_all_linear() -> None:
    assert config(lora={"target_modules": "all-linear"}).lora.target_modules == "all-linear"
    word = problems(lora={"target_modules": "all"})["lora.target_modules"]
    assert word == "must be a list of names, or the word all-linear"
    assert "lora.target_modules[1]" in problems(lora={"target_modules": ["q_proj", 3]})
    assert "lora.target_modules" in problems(lora={"target_modules": []})


def test_the_other_name_of_a_key_is_accepted_once() -> None:
    built = config(training={"grpo_max_new_tokens": 7})
    assert built.training.grpo_max_completion_length == 7
    both = problems(training={"grpo_max_new_tokens": 7, "grpo_max_completion_length": 7})
    assert both == {
        "training.grpo_max_new_tokens": "is another name for grpo_max_completion_length, which is "
        "also given; keep one of them"
    }


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("lora.use_dora", "method", "dora"),
        ("lora.use_rslora", "method", "rslora"),
        ("training.sample_packing", "packing", True),
    ],
)
def test_an_old_spelling_warns_and_takes_effect(old: str, new: str, value: object) -> None:
    block, _, key = old.partition(".")
    with pytest.warns(DeprecationWarning, match=f"{key} is deprecated; write `{new}: "):
        built = getattr(config(**{block: {key: True}}), block)
    assert getattr(built, new) == value
    assert built.model_fields_set == {new}
    off = getattr(config(**{block: {key: False}}), block)
    assert getattr(off, new) != value


def test_the_warning_points_at_the_callers_line() -> None:
    for build in (lambda: LoraConfigModel(use_dora=True), lambda: config(lora={"use_dora": True})):
        with pytest.warns(DeprecationWarning, match="use_dora") as caught:
            build()
        assert {Path(warning.filename).name for warning in caught} == {Path(__file__).name}


def test_an_old_spelling_against_the_new_one_is_refused() -> None:
    assert problems(lora={"use_dora": True, "method": "pissa"}) == {
        "lora.use_dora": "contradicts method; keep method alone"
    }
    assert list(problems(lora={"use_dora": True, "use_rslora": True})) == ["lora.use_dora"]
    assert list(problems(training={"sample_packing": True, "packing": False})) == [
        "training.sample_packing"
    ]


def test_there_is_one_weight_for_each_data_set() -> None:
    data = {"dataset_name_or_path": "a", "extra_datasets": ["b"], "mix_ratio": [1.0]}
    assert "has 1 weights for 2 data sets" in problems(data=data)["data.mix_ratio"]
    assert "starts with 0" in problems(data=data | {"mix_ratio": [0, 1]})["data.mix_ratio"]
    assert list(problems(data=data | {"mix_ratio": [1, -1]})) == ["data.mix_ratio[1]"]
    assert config(data=data | {"mix_ratio": [2, 1]}).data.mix_ratio == [2.0, 1.0]


def test_layer_wise_galore_and_unsloth_run_on_one_gpu_only() -> None:
    training = {"galore_enabled": True, "galore_optim": "galore_adamw_layerwise"}
    model = {"name_or_path": "m", "backend": "unsloth"}
    found = problems(training=training, model=model, distributed={"strategy": "fsdp"})
    assert set(found) == {"training.galore_optim", "model.backend"}
    stages = [{"name": "one"}, {"name": "two", "training": training}]
    staged = problems(pipeline={"stages": stages}, distributed={"strategy": "deepspeed"})
    assert list(staged) == ["pipeline.stages[1].training.galore_optim"]
    config(training=training, model=model, distributed={})
    config(training=training | {"galore_enabled": False}, distributed={"strategy": "fsdp"})


@pytest.mark.parametrize("tier", ["high-risk", "unacceptable"])
def test_a_high_risk_tier_needs_the_safety_check(tier: str) -> None:
    wanted = {
        "evaluation.safety.enabled": "must be true, because compliance.risk_classification is "
        + tier
    }
    assert problems(compliance={"risk_classification": tier}) == wanted
    off = {"safety": {"enabled": False}}
    assert problems(compliance={"risk_classification": tier}, evaluation=off) == wanted
    assert list(problems(risk_assessment={"risk_category": tier})) == ["evaluation.safety.enabled"]
    config(compliance={"risk_classification": tier}, evaluation={"safety": {"enabled": True}})


def test_checkpoints_fall_on_evaluations_when_both_were_chosen() -> None:
    assert list(problems(training={"eval_steps": 7, "save_steps": 10})) == ["training.save_steps"]
    for steps in ({"eval_steps": 150}, {"save_steps": 300}, {"eval_steps": 5, "save_steps": 15}):
        built = config(training=steps)
        assert ForgeConfig(**built.model_dump()) == built


def test_the_smallest_batch_of_a_recovery_is_not_above_the_batch() -> None:
    sizes = {"oom_recovery_min_batch_size": 8, "per_device_train_batch_size": 4}
    assert list(problems(training=sizes | {"oom_recovery": True})) == [
        "training.oom_recovery_min_batch_size"
    ]
    config(training=sizes)


def test_stages_have_different_names() -> None:
    found = problems(pipeline={"stages": [{"name": "a"}, {"name": "a"}]})
    assert found == {"pipeline.stages": "two stages are called a; give each its own name"}
    assert list(problems(pipeline={"stages": []})) == ["pipeline.stages"]
    assert list(problems(pipeline={"stages": [{"name": "A b"}]})) == ["pipeline.stages[0].name"]


def test_a_secret_is_shown_nowhere() -> None:
    address = "https://hooks.example.com/" + TOKEN
    built = config(auth={"hf_token": TOKEN}, synthetic={"api_key": TOKEN}, webhook={"url": address})
    shown = [repr(built), str(built), repr(built.model_dump()), built.model_dump_json()]
    assert not any(TOKEN in text for text in [*shown, built.to_yaml(), repr(built.auth)])
    assert built.auth is not None
    assert built.auth.hf_token == SecretStr(TOKEN)


def test_a_secret_is_in_no_error() -> None:
    blocks = [
        {"auth": {"hf_tokn": TOKEN}},
        {"auth": {"hf_token": [TOKEN]}},
        {"auth": {"hf_token": TOKEN + "\n"}},
        {"hf_token": TOKEN},
        {"webhook": {"url": "ftp://" + TOKEN}},
        {"synthetic": {"api_base": f"https://user:{TOKEN}@host/v1"}},
        {"monitoring": {"endpoint": f"https://{TOKEN}@host"}},
        {"evaluation": {"llm_judge": {"judge_api_base": f"https://u:{TOKEN}@host"}}},
        {"training": {"report_to": TOKEN}},
    ]
    for block in blocks:
        with pytest.raises(ConfigError) as refused:
            config(**block)
        error, cause = refused.value, refused.value.__cause__
        assert isinstance(cause, ValidationError)
        shown = [str(error), repr(error.issues), str(cause), repr(cause.errors()), cause.json()]
        assert not any(TOKEN in text for text in shown)
        assert error.__context__ is None
    with pytest.raises(ValidationError) as direct:
        AuthConfig(hf_token=TOKEN + " ")  # type: ignore[arg-type]
    assert TOKEN not in str(direct.value)


@pytest.mark.parametrize("secret", ["", "  ", "**********", "a b"])
def test_a_masked_or_blank_secret_is_refused(secret: str) -> None:
    assert list(problems(auth={"hf_token": secret})) == ["auth.hf_token"]


@pytest.mark.parametrize(
    "address", ["host/path", "ftp://host", "https://", "https://h:99999", "a b"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    found = problems(monitoring={"endpoint": address}, webhook={"url": address})
    assert set(found) == {"monitoring.endpoint", "webhook.url"}


def test_an_assignment_is_checked_and_a_refused_one_changes_nothing() -> None:
    built = config(training={"eval_steps": 7, "save_steps": 14})
    before = copy.deepcopy(built)
    built.training.num_train_epochs = 1
    assert "num_train_epochs" in built.training.model_fields_set
    for block, key, value in [
        ("lora", "r", 0),
        ("training", "save_steps", 10),
        ("training", "unknown", 1),
    ]:
        with pytest.raises(ValidationError):
            setattr(getattr(built, block), key, value)
    with pytest.raises(ConfigError):
        built.data = {"mix_ratio": []}  # type: ignore[assignment]
    built.training = before.training
    assert built == before


def test_configurations_can_be_copied_and_pickled() -> None:
    built = config(auth={"hf_token": TOKEN}, training={"num_train_epochs": 1})
    for twin in (copy.deepcopy(built), pickle.loads(pickle.dumps(built)), built.model_copy()):
        assert twin == built
        assert twin.training.model_fields_set == {"num_train_epochs"}
