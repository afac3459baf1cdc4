"""Small models of every kind that can be exported, and adapters for one of them."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ModelMaker = Callable[..., Path]
AdapterMaker = Callable[[int], Path]

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@pytest.fixture(scope="session")
def make_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelMaker:
    """Give a function that saves a random model of a type, with the tiny model's tokenizer."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    def make(kind: str, **settings: Any) -> Path:
        common = {
            "vocab_size": 520,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "initializer_range": 0.2,
        }
        config = transformers.AutoConfig.for_model(kind, **(common | settings))
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name.endswith("bias") or "norm" in name:
                    weight.add_(torch.randn_like(weight) * 0.2)
        folder = tmp_path_factory.mktemp(kind) / kind
        model.save_pretrained(folder)
        for name in TOKENIZER:
            shutil.copy(tiny_model / name, folder / name)
        return folder

    return make


@pytest.fixture(scope="session")
def make_adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> AdapterMaker:
    """Give a function that saves a random adapter for the tiny model, by its seed."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    peft = pytest.importorskip("peft")

    def adapted(base: Any, config: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft's, of transformers
            return peft.get_peft_model(base, config)

    def make(seed: int) -> Path:
        torch.manual_seed(seed)
        base = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
        config = peft.LoraConfig(
            r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False
        )
        folder = tmp_path_factory.mktemp("adapter") / f"adapter-{seed}"
        adapted(base, config).save_pretrained(folder)
        return folder

    return make
