"""From files to token ids and labels, with a real tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig, prepare_dataset
from forgelm.data import prepare_splits
from forgelm.errors import ConfigError, DataError

MakeConfig = Callable[..., ForgeConfig]

ANSWER = "Open the page."
USER = [{"role": "user", "content": "How?"}]
ASSISTANT = [{"role": "assistant", "content": ANSWER}]
RENDERED = "<|im_start|>user\nHow?<|im_end|>\n<|im_start|>assistant\nOpen the page.<|im_end|>"


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(tiny_model)


@pytest.fixture
def make_config(tmp_path: Path, tiny_model: Path) -> MakeConfig:
    def make(data: str | Path, *, model: dict[str, Any] | None = None, **keys: Any) -> ForgeConfig:
        return ForgeConfig(
            model={"name_or_path": str(tiny_model), "max_length": 256, **(model or {})},
            lora={},
            data={"dataset_name_or_path": str(data), **keys},
            training={"output_dir": str(tmp_path / "run")},
        )

    return make


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def trained_text(tokenizer: Any, row: dict[str, list[int]]) -> str:
    return str(tokenizer.decode([token for token in row["labels"] if token != -100]))


CHAT_ROWS: dict[str, dict[str, Any]] = {
    "messages": {"messages": USER + ASSISTANT},
    "conversations": {"conversations": USER + ASSISTANT},
    "sharegpt": {
        "conversations": [{"from": "human", "value": "How?"}, {"from": "gpt", "value": ANSWER}]
    },
    "prompt and completion": {"prompt": "How?", "completion": ANSWER},
    "turns as prompt and completion": {"prompt": USER, "completion": ASSISTANT},
    "prompt and response": {"prompt": "How?", "response": ANSWER},
    "instruction": {"instruction": "How?", "input": "", "output": ANSWER},
    "user and assistant": {"User": "How?", "Assistant": ANSWER},
}


@pytest.mark.parametrize("shape", CHAT_ROWS)
def test_every_chat_shape_becomes_the_same_conversation(
    shape: str, tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [CHAT_ROWS[shape]] * 2)
    row = prepare_dataset(make_config(path), tokenizer)["train"][0]
    assert tokenizer.decode(row["input_ids"]) == RENDERED
    assert trained_text(tokenizer, row) == f"{ANSWER}<|im_end|>"


def test_the_input_of_alpaca_rows_and_the_system_turn_are_used(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    alpaca = {"instruction": "Sum up.", "input": "A long text.", "output": "Short."}
    system = {"System": "Be kind.", "User": "Hi", "Assistant": "Hello."}
    for name, row, expected in (
        ("a", alpaca, "user\nSum up.\n\nA long text.<|im_end|>"),
        ("b", system, "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi"),
    ):
        path = write_jsonl(tmp_path / f"{name}.jsonl", [row] * 2)
        prepared = prepare_dataset(make_config(path), tokenizer)["train"][0]
        assert expected in tokenizer.decode(prepared["input_ids"])


def test_only_the_answers_of_a_long_conversation_carry_loss(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    turns = [*USER, *ASSISTANT, {"role": "user", "content": "And then?"}]
    turns += [{"role": "assistant", "content": "Press send."}]
    path = write_jsonl(tmp_path / "rows.jsonl", [{"messages": turns}] * 2)
    row = prepare_dataset(make_config(path), tokenizer)["train"][0]
    assert trained_text(tokenizer, row) == "Open the page.<|im_end|>Press send.<|im_end|>"


def test_answers_inside_a_prompt_of_turns_are_context(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    prompt = [*USER, *ASSISTANT, {"role": "user", "content": "And then?"}]
    completion = [{"role": "assistant", "content": "Press send."}]
    path = write_jsonl(tmp_path / "r.jsonl", [{"prompt": prompt, "completion": completion}] * 2)
    row = prepare_dataset(make_config(path), tokenizer)["train"][0]
    assert trained_text(tokenizer, row) == "Press send.<|im_end|>"


@pytest.fixture
def unmarked(tokenizer: Any) -> Iterator[Any]:
    """Give the tokenizer a template without generation markers for one test."""
    marked = tokenizer.chat_template
    tokenizer.chat_template = marked.replace("{% generation %}", "").replace(
        "{% endgeneration %}", ""
    )
    yield tokenizer
    tokenizer.chat_template = marked


def test_a_template_without_generation_markers_gives_the_same_labels(
    unmarked: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    turns = [*USER, *ASSISTANT, {"role": "user", "content": "And then?"}, *ASSISTANT]
    path = write_jsonl(tmp_path / "rows.jsonl", [{"messages": turns}] * 2)
    row = prepare_dataset(make_config(path), unmarked)["train"][0]
    assert trained_text(unmarked, row) == f"{ANSWER}<|im_end|>{ANSWER}<|im_end|>"


@pytest.fixture
def untemplated(tokenizer: Any) -> Iterator[Any]:
    """Take the chat template away for one test."""
    template, tokenizer.chat_template = tokenizer.chat_template, None
    yield tokenizer
    tokenizer.chat_template = template


def test_conversations_without_a_chat_template_are_refused_with_the_next_step(
    untemplated: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"messages": USER + ASSISTANT}] * 2)
    with pytest.raises(ConfigError, match=r"no chat template\. Use the instruct or chat"):
        prepare_dataset(make_config(path), untemplated)


def test_prompt_and_completion_without_a_template_are_one_plain_text(
    untemplated: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "r.jsonl", [{"prompt": "Q: How?\nA:", "completion": " So."}] * 2)
    row = prepare_dataset(make_config(path), untemplated)["train"][0]
    assert untemplated.decode(row["input_ids"]) == "Q: How?\nA: So.<|im_end|>"
    assert trained_text(untemplated, row) == " So.<|im_end|>"


@pytest.mark.parametrize("text", ["hello", "hello<|im_end|>", "hello<|im_end|>\n", "hello \n"])
@pytest.mark.parametrize("clean", [True, False])
def test_text_ends_with_exactly_one_end_token(
    text: str, clean: bool, tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"text": text}] * 2)
    row = prepare_dataset(make_config(path, clean_text=clean), tokenizer)["train"][0]
    assert row["input_ids"].count(tokenizer.eos_token_id) == 1
    assert row["input_ids"][-1] == tokenizer.eos_token_id
    assert row["labels"] == row["input_ids"]


def test_add_eos_false_leaves_text_as_it_is(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"text": "hello"}] * 2)
    row = prepare_dataset(make_config(path, add_eos=False), tokenizer)["train"][0]
    assert tokenizer.decode(row["input_ids"]) == "hello"


@pytest.mark.parametrize(("rows", "train", "validation"), [(2, 1, 1), (30, 27, 3), (300, 270, 30)])
def test_a_tenth_of_a_small_data_set_is_held_out(
    rows: int, train: int, validation: int, tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"text": f"row {n}"} for n in range(rows)])
    splits = prepare_dataset(make_config(path), tokenizer)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": train,
        "validation": validation,
    }


def test_the_hold_out_is_the_same_every_time_and_shares_no_row_with_training(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"text": f"row {n}"} for n in range(40)])
    first, second = (prepare_dataset(make_config(path), tokenizer) for _ in range(2))
    texts = [{tuple(ids) for ids in first[name]["input_ids"]} for name in ("train", "validation")]
    assert first["validation"]["input_ids"] == second["validation"]["input_ids"]
    assert not texts[0] & texts[1]
    assert len(texts[0] | texts[1]) == 40


def test_one_row_trains_without_validation_and_says_so(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [{"text": "alone"}])
    assert list(prepare_dataset(make_config(path), tokenizer)) == ["train"]
    assert "no evaluation loss" in caplog.text


def test_csv_json_and_parquet_hold_the_same_rows_as_jsonl(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    rows = [{"prompt": f"How {n}?", "response": 'Say "yes",\nthen go.'} for n in range(4)]
    write_jsonl(tmp_path / "a.jsonl", rows)
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    (tmp_path / "a.csv").write_text(
        "prompt,response\n" + "".join(f'How {n}?,"Say ""yes"",\nthen go."\n' for n in range(4)),
        encoding="utf-8-sig",
    )
    pyarrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    seen = [
        prepare_dataset(make_config(tmp_path / name, shuffle=False), tokenizer)["train"][
            "input_ids"
        ]
        for name in ("a.jsonl", "a.json", "a.csv", "a.parquet")
    ]
    assert all(list(ids) == list(seen[0]) for ids in seen)


def test_a_directory_gives_its_splits_by_file_name(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, count in (("train-00000", 5), ("train-00001", 4), ("dev", 3), ("holdout", 2)):
        write_jsonl(folder / f"{name}.jsonl", [{"text": f"{name} {n}"} for n in range(count)])
    (folder / "README.md").write_text("about", encoding="utf-8")
    splits = prepare_dataset(make_config(folder), tokenizer)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 9,
        "validation": 3,
        "test": 2,
    }


def test_rows_with_different_extra_columns_are_read_together(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = [{"text": "one", "meta": 1}, {"text": "two", "meta": {"a": []}}]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    prepared = prepare_splits(make_config(path), tokenizer)
    assert prepared.summary.sources[0].columns == ("text", "meta")
    assert prepared.summary.split_rows == {"train": 1, "validation": 1}


def test_truncation_is_counted_in_rows_and_in_trainable_tokens(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long_prompt = {"prompt": "word " * 100, "response": "lost"}
    path = write_jsonl(tmp_path / "r.jsonl", [{"prompt": "a", "response": "b"}] * 3 + [long_prompt])
    config = make_config(path, model={"max_length": 40})
    summary = prepare_splits(config, tokenizer).summary
    source = summary.sources[0]
    assert (source.rows, source.dropped_rows, source.truncated_rows) == (4, 1, 1)
    assert source.longest_tokens <= 40
    assert sum(summary.split_rows.values()) == 3
    assert "drops 1 of 4 rows" in caplog.text


def test_a_max_length_that_leaves_nothing_to_learn_is_refused(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    row = {"prompt": "word " * 50, "response": "gone"}
    path = write_jsonl(tmp_path / "rows.jsonl", [row] * 50)
    with pytest.raises(DataError, match=r"no row keeps a trainable token within model\.max_"):
        prepare_dataset(make_config(path, model={"max_length": 16}), tokenizer)


def test_extra_data_sets_are_added_whole_without_a_ratio(
    tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    first = write_jsonl(tmp_path / "first.jsonl", [{"text": f"a {n}"} for n in range(20)])
    second = write_jsonl(tmp_path / "second.jsonl", [{"prompt": "b", "response": "c"}] * 10)
    summary = prepare_splits(make_config(first, extra_datasets=[str(second)]), tokenizer).summary
    assert [source.format for source in summary.sources] == ["text", "prompt_response"]
    assert sum(summary.split_rows.values()) == 30


@pytest.mark.parametrize(
    ("ratio", "expected"), [([1.0, 1.0], 30), ([4.0, 1.0], 25), ([1.0, 0.0], 20), ([0.1, 1.0], 30)]
)
def test_a_mix_ratio_draws_from_the_extra_and_keeps_every_primary_row(
    ratio: list[float], expected: int, tokenizer: Any, make_config: MakeConfig, tmp_path: Path
) -> None:
    first = write_jsonl(tmp_path / "first.jsonl", [{"text": f"a {n}"} for n in range(20)])
    second = write_jsonl(tmp_path / "second.jsonl", [{"text": f"b {n}"} for n in range(10)])
    config = make_config(first, extra_datasets=[str(second)], mix_ratio=ratio)
    splits = prepare_dataset(config, tokenizer)
    ids = [tuple(row) for split in splits.values() for row in split["input_ids"]]
    texts = {tokenizer.decode(row) for row in ids}
    assert {f"a {n}<|im_end|>" for n in range(20)} <= texts
    assert len(ids) == len(texts) == expected
