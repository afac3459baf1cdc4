"""The audit and the trainer read the same splits from the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig, audit_dataset, prepare_dataset

pytest.importorskip("transformers")

# By split, the rows that the files named so hold together.
FILES = {
    "train-00000-of-00002.jsonl": 4,
    "train-00001-of-00002.jsonl": 5,
    "my_dev.jsonl": 2,
    "test_cases.jsonl": 3,
}


@pytest.mark.filterwarnings("default")
def test_the_trainer_and_the_audit_find_the_same_splits(tmp_path: Path, tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    folder = tmp_path / "data"
    folder.mkdir()
    for name, count in FILES.items():
        text = "".join(f'{{"text": "row {n} of {name}"}}\n' for n in range(count))
        (folder / name).write_text(text, encoding="utf-8")
    config = ForgeConfig(
        model={"name_or_path": str(tiny_model), "max_length": 128},
        lora={},
        data={"dataset_name_or_path": str(folder)},
        training={"output_dir": str(tmp_path / "run")},
    )
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_model)

    trained = prepare_dataset(config, tokenizer)
    audited = audit_dataset(folder).splits

    rows = {"train": 9, "validation": 2, "test": 3}
    assert {name: len(split) for name, split in trained.items()} == rows
    assert {name: split["sample_count"] for name, split in audited.items()} == rows
