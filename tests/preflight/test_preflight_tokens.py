"""Tokens counted with a real tokenizer, as training itself would cut them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgelm.data import prepare_splits
from forgelm.trainer import TokenLengths, preflight

pytest.importorskip("trl")


def test_tokens_are_those_that_training_would_see(tiny_model: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    rows = [
        {"prompt": f"Where is parcel {n}?", "response": "On its way. " * (1 + n % 9)}
        for n in range(30)
    ]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    blocks = {
        "model": {"name_or_path": str(tiny_model), "max_length": 40, "load_in_4bit": False},
        "lora": {},
        "data": {"dataset_name_or_path": str(data)},
        "training": {"output_dir": str(tmp_path / "run"), "max_steps": 4},
    }
    report = preflight(blocks)
    (look,) = report.data
    from forgelm import ForgeConfig

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_model)
    (source,) = prepare_splits(ForgeConfig(**blocks), tokenizer).summary.sources
    assert look.tokens is not None
    assert look.tokens.rows == source.rows == 30
    assert (look.trainable_tokens, look.lost_tokens) == (
        source.trainable_tokens,
        source.lost_tokens,
    )
    assert (look.truncated_rows, look.dropped_rows) == (
        source.truncated_rows,
        source.dropped_rows,
    )
    assert look.truncated_rows > 0
    (warning,) = [one for one in report.findings if one.path == "model.max_length"]
    assert warning.severity == "warning"
    assert report.planned_steps == 4
    assert report.memory is not None
    assert report.memory.tokens == 40  # the longest row is cut


def test_lengths_are_counted_in_bins_that_double() -> None:
    lengths = TokenLengths.of([16, 17, 32, 33, 100])
    assert lengths.histogram == ((16, 1), (32, 2), (64, 1), (128, 1))
    assert (lengths.p50, lengths.longest) == (32, 100)


def test_one_row_is_its_own_median() -> None:
    assert TokenLengths.of([5]) == TokenLengths(1, 5, 5, 5, ((16, 1),))
