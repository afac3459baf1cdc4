"""Prompts from files, answers from files, and a model that runs here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from forgelm import ConfigError, ForgeConfig
from forgelm.errors import DataError
from forgelm.synthetic import SyntheticDataGenerator

Maker = Callable[..., ForgeConfig]


def rows_of(path: str) -> list[Any]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def test_answers_from_a_file_of_every_shape_become_rows(make_config: Maker, tmp_path: Path) -> None:
    rows = [
        {"prompt": "One", "response": "1"},
        {"instruction": "Add", "input": "1 and 1", "output": "2"},
        {"User": "Three", "Assistant": "3"},
        {"prompt": "One", "response": "a second answer"},
        {
            "messages": [
                {"role": "system", "content": "x"},
                {"role": "user", "content": "Four"},
                {"role": "assistant", "content": "4"},
            ]
        },
    ]
    file = tmp_path / "answers.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    config = make_config(
        teacher_backend="file",
        seed_prompts=[],
        seed_file=str(file),
        output_format="prompt_response",
    )
    result = SyntheticDataGenerator(config).generate()
    assert rows_of(result.output_file) == [
        {"prompt": "One", "response": "1"},
        {"prompt": "Add\n\n1 and 1", "response": "2"},
        {"prompt": "Three", "response": "3"},
        {"prompt": "Four", "response": "4"},
    ]


def test_odd_rows_of_a_seed_file_are_all_named(make_config: Maker, tmp_path: Path) -> None:
    file = tmp_path / "seeds.jsonl"
    half = b'{"prompt": "\\ud800", "response": "x"}\n'
    file.write_bytes(
        b'{"prompt": "ok", "response": "fine"}\n[1]\n{"prompt": 3}\nnot json\n\n\xff\n'
        b'{"prompt": " ", "response": "x"}\n{"prompt": "no answer"}\n'
        + half
        + b'{"prompt": '
        + b"[" * 50_000
        + b"\n"
    )
    config = make_config(teacher_backend="file", seed_prompts=[], seed_file=str(file))
    with pytest.raises(DataError) as raised:
        SyntheticDataGenerator(config).generate()
    message = str(raised.value)
    assert message.startswith("8 prompts cannot be used:")
    for line in (2, 3, 4, 6, 7, 8, 9, 10):
        assert f"seeds.jsonl, line {line}: " in message
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_plain_seed_file_has_one_prompt_a_line(make_config: Maker, tmp_path: Path) -> None:
    file = tmp_path / "seeds.txt"
    file.write_bytes(b"\xef\xbb\xbfFirst\r\n\r\n  Second  \nFirst\n")
    config = make_config(seed_prompts=["Third"], seed_file=str(file))
    result = SyntheticDataGenerator(config).generate(workers=1)
    asked = [row["messages"][0]["content"] for row in rows_of(result.output_file)]
    assert asked == ["First", "Second", "Third"]


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "empty"])
def test_a_seed_file_that_cannot_be_read_is_a_clear_error(
    make_config: Maker, tmp_path: Path, kind: str
) -> None:
    file = tmp_path / "seeds.txt"
    if kind == "folder":
        file.mkdir()
    elif kind == "empty":
        file.touch()
    elif kind == "fifo":
        if not hasattr(os, "mkfifo"):
            pytest.skip("needs named pipes")
        os.mkfifo(file)
    with pytest.raises(DataError, match=r"seeds\.txt"):
        SyntheticDataGenerator(make_config(seed_prompts=[], seed_file=str(file))).generate()


def test_the_file_backend_needs_answers_for_all_its_prompts(make_config: Maker) -> None:
    with pytest.raises(ConfigError) as raised:
        SyntheticDataGenerator(make_config(teacher_backend="file"))
    assert [path for path, _ in raised.value.issues] == [
        "synthetic.seed_file",
        "synthetic.seed_prompts",
    ]


def test_a_local_teacher_answers_in_batches(make_config: Maker, tiny_model: Path) -> None:
    pytest.importorskip("transformers")
    prompts = ["How are you?", "What is the weather like?", "hello " * 600, "Who are you?"]
    config = make_config(
        teacher_backend="local",
        teacher_model=str(tiny_model),
        seed_prompts=prompts,
        temperature=0.0,
        max_new_tokens=64,
        sanity_failure_rate=1.0,
    )
    result = SyntheticDataGenerator(config).generate(batch_size=2)
    assert result.rows >= 1
    assert result.unanswered == 1
    assert any("the teacher has room for 448" in each.reason for each in result.failures)
    assert result.prompt_tokens > 0
    for row in rows_of(result.output_file):
        assert "<|im_end|>" not in row["messages"][1]["content"]


def test_a_local_teacher_that_is_not_there_is_a_configuration_error(
    make_config: Maker, tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    config = make_config(teacher_backend="local", teacher_model=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"synthetic\.teacher_model"):
        SyntheticDataGenerator(config).generate()
    assert not (tmp_path / "rows.jsonl.provenance").exists()


def test_a_local_teacher_without_room_for_a_prompt_is_a_configuration_error(
    make_config: Maker, tiny_model: Path
) -> None:
    pytest.importorskip("transformers")
    config = make_config(teacher_backend="local", teacher_model=str(tiny_model), max_new_tokens=512)
    with pytest.raises(ConfigError, match=r"synthetic\.max_new_tokens: leaves no room"):
        SyntheticDataGenerator(config).generate()


def test_the_files_beside_the_rows_are_not_taken_for_data(
    make_config: Maker, tmp_path: Path
) -> None:
    from forgelm import audit_dataset

    folder = tmp_path / "data"
    SyntheticDataGenerator(make_config(output_file=str(folder / "train.jsonl"))).generate()
    assert len(list(folder.iterdir())) == 3
    splits = audit_dataset(str(folder)).splits
    assert {name: split["sample_count"] for name, split in splits.items()} == {"train": 3}
