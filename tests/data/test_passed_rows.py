"""Rows that are handed over instead of read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig, prepare_dataset
from forgelm.data import check_source, prepare_splits
from forgelm.errors import DataError


@pytest.fixture
def config(tmp_path: Path, tiny_model: Path) -> ForgeConfig:
    return ForgeConfig(
        model={"name_or_path": str(tiny_model), "max_length": 128},
        lora={},
        data={"dataset_name_or_path": "unread.jsonl"},
        training={"output_dir": str(tmp_path / "run")},
    )


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(tiny_model)


def test_what_prepare_dataset_returned_is_passed_through(
    config: ForgeConfig, tokenizer: Any
) -> None:
    rows = {"train": [{"text": f"row {n}"} for n in range(20)]}
    first = prepare_splits(config, tokenizer, rows=rows)
    again = prepare_splits(config, tokenizer, rows=first.splits)
    assert again.summary.format == "tokens"
    assert again.summary.split_rows == {"train": 18, "validation": 2}
    assert again.summary.longest_tokens == first.summary.longest_tokens
    assert again.splits["train"] is first.splits["train"]


def test_named_splits_are_taken_and_others_are_said_to_be_unused(
    config: ForgeConfig, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = {name: [{"text": "a"}, {"text": "b"}] for name in ("train", "valid", "private")}
    summary = prepare_splits(config, tokenizer, rows=rows).summary
    assert summary.split_rows == {"train": 2, "validation": 2}
    assert "the split 'private' is not used" in caplog.text


def test_rows_without_a_training_split_or_that_are_no_objects_are_refused(
    config: ForgeConfig, tokenizer: Any
) -> None:
    with pytest.raises(DataError, match="has no split named train"):
        prepare_splits(config, tokenizer, rows={"test": [{"text": "a"}]})
    with pytest.raises(DataError, match=r"dataset\[train\], row 2: a row must be an object"):
        prepare_splits(config, tokenizer, rows={"train": [{"text": "a"}, "b"]})


def test_a_missing_file_is_refused_with_the_place_it_was_looked_for(
    config: ForgeConfig, tokenizer: Any
) -> None:
    with pytest.raises(DataError, match=r"no file or directory 'unread.jsonl' \(seen from /"):
        prepare_dataset(config, tokenizer)


@pytest.mark.parametrize("name", ["x" * 5_000, "~nobody-of-that-name/x", "nul\0byte"])
def test_a_name_that_is_no_path_is_a_problem_and_no_crash(name: str) -> None:
    assert check_source(name) is not None
