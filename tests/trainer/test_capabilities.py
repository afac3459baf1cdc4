"""A model setting that cannot be honoured is named before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ConfigError, ForgeTrainer

if TYPE_CHECKING:
    from conftest import ConfigMaker

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

FULL = {"method": "full"}
REFUSED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "an adapter's keys without an adapter": (
        {
            "lora": FULL | {"r": 8, "dropout": 0.1},
            "training": {"merge_adapters": True},
        },
        {"lora.r", "lora.dropout", "training.merge_adapters"},
    ),
    "pissa where the base is the reference": (
        {"lora": {"method": "pissa"}, "training": {"trainer_type": "dpo"}},
        {"lora.method"},
    ),
    "few bits for weights that are trained": (
        {"lora": FULL, "model": {"load_in_4bit": True}},
        {"model.load_in_4bit"},
    ),
    "few bits for weights that are taken apart": (
        {"lora": {"method": "pissa"}, "model": {"load_in_4bit": False, "load_in_8bit": True}},
        {"model.load_in_8bit"},
    ),
    "another task": ({"lora": {"task_type": "SEQ_CLS"}}, {"lora.task_type"}),
    "galore on an adapter, gathering batches by layer": (
        {"training": {"galore_enabled": True, "galore_optim": "galore_adamw_layerwise"}},
        {"training.galore_enabled", "training.galore_optim"},
    ),
    "experts": (
        {
            "model": {"moe": {"experts_to_train": "0,x", "quantize_experts": True}},
            "lora": {"method": "dora", "dropout": 0.05},
        },
        {
            "model.moe.experts_to_train",
            "model.moe.quantize_experts",
            "lora.method",
            "lora.dropout",
        },
    ),
    "positions": (
        {"training": {"rope_scaling": {"rope_type": "dynamic", "factor": 0.5}}},
        {"training.rope_scaling"},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_honoured_is_refused_by_key(
    name: str, make_config: ConfigMaker, tmp_path: Path
) -> None:
    blocks, keys = REFUSED[name]
    with pytest.raises(ConfigError) as caught:
        ForgeTrainer(make_config(tmp_path / "run", **blocks)).train()
    assert {path for path, _ in caught.value.issues} >= keys
    others = {path for path, _ in caught.value.issues} - keys
    assert others <= {"training.trainer_type", "data.dataset_name_or_path"}
    assert not (tmp_path / "run/final_model").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_what_needs_a_gpu_says_so_without_one(make_config: ConfigMaker, tmp_path: Path) -> None:
    asked = {"load_in_4bit": False, "load_in_8bit": True}
    with pytest.raises(ConfigError, match=r"load_in_8bit: 8-bit loading needs an NVIDIA GPU"):
        ForgeTrainer(make_config(tmp_path / "a", model=asked)).train()
    config = make_config(
        tmp_path / "b",
        model={"backend": "unsloth"},
        lora=FULL,
        training={"galore_enabled": True, "galore_optim": "galore_adamw_8bit"},
    )
    with pytest.raises(ConfigError) as caught:
        ForgeTrainer(config).train()
    text = str(caught.value)
    assert "unsloth needs an NVIDIA GPU" in text
    assert "unsloth trains lora and rslora; lora.method is full" in text
    assert (
        "galore_adamw_8bit needs an NVIDIA GPU, and there is none here; take galore_adamw" in text
    )


def test_settings_of_loading_are_refused_for_a_model_handed_in(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    training = {"rope_scaling": {"type": "linear", "factor": 2.0}, "sliding_window_attention": 8}
    config = make_config(tmp_path, model={"load_in_4bit": True}, training=training)
    with pytest.raises(ConfigError) as caught:
        ForgeTrainer(config, model=object()).train()
    assert {path for path, _ in caught.value.issues} == {
        "model.load_in_4bit",
        "training.rope_scaling",
        "training.sliding_window_attention",
    }


@pytest.mark.parametrize("asked", [True, False])
def test_eight_bits_take_the_place_of_four_that_were_only_the_default(asked: bool) -> None:
    from forgelm.config import ModelConfig

    if asked:
        with pytest.raises(ValueError, match="cannot be combined with load_in_4bit; keep one"):
            ModelConfig(name_or_path="m", load_in_4bit=True, load_in_8bit=True)
    else:
        made = ModelConfig(name_or_path="m", load_in_8bit=True)
        assert (made.load_in_8bit, made.load_in_4bit) == (True, False)
