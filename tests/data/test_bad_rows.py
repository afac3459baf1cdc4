"""What happens to files and rows that cannot be used."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgelm import ForgeConfig, prepare_dataset
from forgelm.data import check_source
from forgelm.errors import DataError

Prepare = Callable[[str | Path], dict[str, Any]]


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(tiny_model)


@pytest.fixture
def prepare(tmp_path: Path, tiny_model: Path, tokenizer: Any) -> Prepare:
    def run(data: str | Path, trainer_type: str = "sft") -> dict[str, Any]:
        config = ForgeConfig(
            model={"name_or_path": str(tiny_model), "max_length": 128, "offline": True},
            lora={},
            data={"dataset_name_or_path": str(data)},
            training={"output_dir": str(tmp_path / "run"), "trainer_type": trainer_type},
        )
        return prepare_dataset(config, tokenizer)

    return run


def test_every_malformed_row_is_named_by_file_and_row_at_once(
    tmp_path: Path, prepare: Prepare
) -> None:
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    lines = [
        json.dumps(good),
        '{"messages": [',
        "",
        "[1, 2]",
        json.dumps({"messages": "hello"}),
        json.dumps({"messages": [{"role": "user", "content": "a"}]}),
        json.dumps({"messages": [{"role": "wizard", "content": "a"}]}),
        json.dumps({"messages": [{"role": "assistant", "content": " "}]}),
        json.dumps({"messages": [{"role": "assistant", "content": 7}]}),
        json.dumps({"text": "of another shape"}),
        json.dumps({"messages": [{"role": "assistant", "content": "\ud800"}]}),
    ]
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        prepare(path)
    assert str(caught.value).splitlines() == [
        "9 rows cannot be used; correct or remove them:",
        "  bad.jsonl, row 2: not JSON at column 15: Expecting value",
        "  bad.jsonl, row 4: a row must be an object, not a list",
        "  bad.jsonl, row 5: messages must be a non-empty list of turns",
        "  bad.jsonl, row 6: no assistant turn to learn from",
        "  bad.jsonl, row 7: turn 1 has the unknown role 'wizard'; known roles: assistant, "
        "developer, function_response, gpt, human, observation, system, tool, user",
        "  bad.jsonl, row 8: the assistant's turn 1 is empty",
        "  bad.jsonl, row 9: content of turn 1 must be text, not int",
        "  bad.jsonl, row 10: no 'messages', as messages rows must have",
        "  bad.jsonl, row 11: content of turn 1 has half of a surrogate pair, which is no "
        "character",
    ]


def test_the_first_twenty_problems_are_shown_and_all_are_counted(
    tmp_path: Path, prepare: Prepare
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": "a", "completion": ""}] * 1_000
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError, match="1000 rows cannot be used") as caught:
        prepare(path)
    assert str(caught.value).count("completion is empty") == 20
    assert str(caught.value).endswith("... and 980 more")


def test_an_error_never_repeats_what_a_row_says(tmp_path: Path, prepare: Prepare) -> None:
    path = tmp_path / "rows.jsonl"
    private = "alice" + "@example.com"
    rows = [{"prompt": private, "completion": " "}, {"prompt": [private], "completion": "x"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        prepare(path)
    assert private not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "dpo or simpo or orpo"),
        ({"prompt": "a", "completion": "b", "label": True}, "kto"),
        ({"prompt": "a", "gold_answer": "4"}, "grpo"),
    ],
)
def test_rows_for_another_algorithm_are_recognised_and_refused(
    row: dict[str, Any], advice: str, tmp_path: Path, prepare: Prepare
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"'sft' cannot learn from. Set trainer_type to {advice}"):
        prepare(path)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("empty.jsonl", b"", "is empty"),
        ("blank.jsonl", b"\n\n", "has no rows"),
        ("rows.txt", b"hello", "is not one of .jsonl"),
        ("array.json", b'[{"text": "a"},', "array.json is not valid JSON: line 1, column 16"),
        ("latin.csv", "text\nn\xe4chste\n".encode("latin-1"), "is not UTF-8"),
        ("fake.parquet", b"PAR1 but not really", "is not a readable Parquet file"),
        ("deep.jsonl", b"[" * 100_000 + b"\n", "nesting too big"),
        ("digits.jsonl", b'{"text": ' + b"9" * 5_000 + b"}\n", "a number or nesting too big"),
        ("bytes.jsonl", b'{"text": "\xff"}\n', "row 1: not UTF-8 at byte 11"),
        ("short.csv", b"prompt,response\na,b\nc\n", "row 2: fewer fields than the header"),
        ("wide.csv", b"text\na,b\n", "row 1: more fields than the header"),
        ("wrong.jsonl", b'{"question": "a", "answer": "b"}\n', "columns 'question', 'answer'"),
    ],
)
def test_a_file_that_cannot_be_read_gives_one_clear_error(
    name: str, content: bytes, problem: str, tmp_path: Path, prepare: Prepare
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=problem):
        prepare(tmp_path / name)


def test_a_missing_file_an_empty_folder_and_a_pipe_are_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    problems = [
        check_source(str(tmp_path / name)) for name in ("none.jsonl", "folder", "pipe.jsonl")
    ]
    assert [str(problem).split(" '")[0] for problem in problems] == [
        "there is no file or directory",
        "the directory",
        f"'{tmp_path}/pipe.jsonl' is not a regular file",
    ]


def test_a_hub_name_offline_and_not_cached_is_one_clear_error(prepare: Prepare) -> None:
    with pytest.raises(DataError, match=r"'nobody/nothing' cannot be loaded from the local cache"):
        prepare("nobody/nothing")


def test_a_directory_without_a_training_split_is_refused(tmp_path: Path, prepare: Prepare) -> None:
    (tmp_path / "test.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="has no training split, only test"):
        prepare(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
COLUMNS = st.sampled_from(
    ["text", "messages", "conversations", "prompt", "completion", "response", "instruction",
     "input", "output", "User", "Assistant", "System", "tools", "label"]
)  # fmt: skip


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.dictionaries(COLUMNS, JSON, max_size=5) | JSON, min_size=1, max_size=4))
def test_any_json_rows_are_prepared_or_refused_as_data(
    rows: list[Any], tmp_path: Path, prepare: Prepare
) -> None:
    path = tmp_path / "any.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    try:
        splits = prepare(path)
    except DataError:
        return
    assert len(splits["train"]) > 0
