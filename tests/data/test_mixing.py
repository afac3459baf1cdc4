"""What a mix of data sets keeps, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig
from forgelm.data import DataSummary, prepare_splits


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(tiny_model)


def mixed(
    folder: Path, tokenizer: Any, counts: tuple[int, ...], ratio: list[float] | None, method: str
) -> tuple[DataSummary, set[str]]:
    paths = []
    for source, count in enumerate(counts):
        paths.append(folder / f"{source}.jsonl")
        rows = [{"prompt": f"{source}-{n}", "chosen": "b", "rejected": "c"} for n in range(count)]
        if method == "grpo":
            rows = [{"prompt": row["prompt"], f"column_{source}": source} for row in rows]
        paths[-1].write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = ForgeConfig(
        model={"name_or_path": "unread", "max_length": 128},
        lora={},
        data={
            "dataset_name_or_path": str(paths[0]),
            "extra_datasets": [str(path) for path in paths[1:]],
            "mix_ratio": ratio,
        },
        training={"trainer_type": method},
    )
    prepared = prepare_splits(config, tokenizer)
    prompts = [row for split in prepared.splits.values() for row in split["prompt"]]
    assert len(prompts) == len(set(prompts)), "no row is used twice"
    return prepared.summary, set(prompts)


@pytest.mark.parametrize(
    ("ratio", "used"),
    [
        (None, [20, 10, 30]),
        ([1.0, 1.0, 1.0], [20, 10, 20]),  # the second has no more than 10
        ([4.0, 1.0, 2.0], [20, 5, 10]),
        ([0.5, 0.0, 5.0], [20, 0, 30]),
    ],
)
@pytest.mark.parametrize("method", ["dpo", "grpo"])
def test_the_first_data_set_keeps_every_row_and_the_summary_says_what_each_gave(
    ratio: list[float] | None, used: list[int], method: str, tmp_path: Path, tokenizer: Any
) -> None:
    summary, prompts = mixed(tmp_path, tokenizer, (20, 10, 30), ratio, method)
    assert [source["used_rows"] for source in summary.mix()] == used
    assert [source["rows"] for source in summary.mix()] == [20, 10, 30]
    assert [source["weight"] for source in summary.mix()] == (ratio or [None] * 3)
    assert sum(f"user\n0-{n}<" in prompt for prompt in prompts for n in range(20)) == 20
    assert len(prompts) == sum(used) == sum(summary.split_rows.values())


def test_a_data_set_that_is_too_small_for_its_weight_is_said_to_be(
    tmp_path: Path, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mixed(tmp_path, tokenizer, (20, 10), [1.0, 1.0], "dpo")
    assert "has 10 rows where mix_ratio asks for 20; all are used, none twice" in caplog.text
