"""The tiny model is a whole model: it loads, chats in its template, and has learned to write."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from transformers import AutoModelForCausalLM, AutoTokenizer

from forgelm.quickstart import build_tiny_model


def test_it_loads_offline_and_fits_in_a_megabyte(tiny_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)

    assert model.config.model_type == "llama"
    assert model.config.num_hidden_layers == 2
    assert len(tokenizer) == model.config.vocab_size == 512
    assert sum(path.stat().st_size for path in tiny_model.iterdir()) < 1_000_000


def test_the_tokenizer_survives_saving_with_its_template_and_special_tokens(
    tiny_model: Path,
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    text = "Grüße, 12 apples & a 🍎!"

    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|pad|>")


def test_a_rendered_conversation_ends_exactly_with_the_end_token(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    rows = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

    assert tokenizer.apply_chat_template(rows, tokenize=False) == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>"
    )


def test_the_template_marks_what_the_assistant_wrote(tiny_model: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    rows = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]

    encoded: Any = tokenizer.apply_chat_template(
        rows, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = [
        token
        for token, mark in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True)
        if mark
    ]

    assert tokenizer.decode(marked) == "Hello<|im_end|>"


def test_the_base_has_learned_to_write(tiny_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    encoded = tokenizer(
        "There is no hurry, the museum does not close before May.", return_tensors="pt"
    )

    loss = model(**encoded, labels=encoded["input_ids"]).loss.item()

    assert loss < math.log(512) / 2  # half of what guessing among 512 tokens costs


def test_the_same_seed_builds_the_same_files(tiny_model: Path, tmp_path: Path) -> None:
    again = build_tiny_model(tmp_path / "again")

    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (again / name).read_bytes() == (tiny_model / name).read_bytes(), name
