"""Rows for dpo, simpo, orpo, kto and grpo: their shapes, their texts, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgelm import ForgeConfig
from forgelm.data import ROW_COLUMN, PreparedData, prepare_splits
from forgelm.errors import ConfigError, DataError

Prepare = Callable[..., PreparedData]

PROMPT = "<|im_start|>user\nHow?<|im_end|>\n<|im_start|>assistant\n"
ASK = [{"role": "user", "content": "How?"}]
GOOD = [{"role": "assistant", "content": "Like this."}]
BAD = [{"role": "assistant", "content": "No."}]


@pytest.fixture(scope="session")
def tokenizer(tiny_model: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(tiny_model)


@pytest.fixture
def prepare(tmp_path: Path, tiny_model: Path, tokenizer: Any) -> Prepare:
    def run(trainer_type: str, rows: list[Any], max_length: int = 256, **data: Any) -> PreparedData:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        config = ForgeConfig(
            model={"name_or_path": str(tiny_model), "max_length": max_length},
            lora={},
            data={"dataset_name_or_path": str(path), **data},
            training={"output_dir": str(tmp_path / "run"), "trainer_type": trainer_type},
        )
        return prepare_splits(config, tokenizer)

    return run


PAIRS: dict[str, dict[str, Any]] = {
    "texts": {"prompt": "How?", "chosen": "Like this.", "rejected": "No."},
    "turns": {"prompt": ASK, "chosen": GOOD, "rejected": BAD},
    "text and turns": {"prompt": "How?", "chosen": GOOD, "rejected": BAD},
    "turns and texts": {"prompt": ASK, "chosen": "Like this.", "rejected": "No."},
    "whole conversations": {"chosen": ASK + GOOD, "rejected": ASK + BAD},
    "whole conversations beside their prompt": {
        "prompt": "How?",
        "chosen": ASK + GOOD,
        "rejected": ASK + BAD,
    },
}


@pytest.mark.parametrize("shape", PAIRS)
@pytest.mark.parametrize("trainer_type", ["dpo", "simpo", "orpo"])
def test_every_shape_of_a_preference_row_gives_the_same_three_texts(
    shape: str, trainer_type: str, prepare: Prepare
) -> None:
    row = prepare(trainer_type, [PAIRS[shape]] * 2).splits["train"][0]
    assert row["prompt"] == PROMPT
    assert row["chosen"] == "Like this.<|im_end|>"
    assert row["rejected"] == "No.<|im_end|>"


@pytest.mark.parametrize(
    ("label", "expected"),
    [(True, True), (False, False), (1, True), (0, False), ("True", True), ("false", False)],
)
def test_kto_rows_have_a_prompt_a_completion_and_a_boolean(
    label: Any, expected: bool, prepare: Prepare
) -> None:
    rows = [{"prompt": "How?", "completion": "Like this.", "label": label}] * 2
    row = prepare("kto", rows).splits["train"][0]
    assert (row["prompt"], row["completion"]) == (PROMPT, "Like this.<|im_end|>")
    assert row["label"] is expected


def test_grpo_rows_keep_all_their_columns_for_the_rewards(prepare: Prepare) -> None:
    rows = [
        {"prompt": "How?", "gold_answer": 42, "more": {"a": [1]}},
        {"prompt": ASK, "gold_answer": "forty-two"},
        {"prompt": "How?", "gold_answer": None},
    ]
    prepared = prepare("grpo", rows, shuffle=False)
    split = prepared.splits["train"]
    assert set(split["prompt"]) == {PROMPT}
    kept = [json.loads(row) for part in prepared.splits.values() for row in part[ROW_COLUMN]]
    assert sorted(kept, key=str) == sorted(rows, key=str)
    assert prepared.summary.sources[0].columns == ("prompt", "gold_answer", "more")


def test_every_bad_preference_row_is_named_at_once(prepare: Prepare) -> None:
    rows = [
        PAIRS["texts"],
        {"prompt": "a", "chosen": "same", "rejected": "same  "},
        {"prompt": "a", "chosen": "b", "rejected": " "},
        {"chosen": "b", "rejected": "c"},
        {"prompt": "a", "chosen": "b"},
        {"prompt": "a", "chosen": GOOD + ASK, "rejected": BAD},
        {"prompt": "a", "chosen": GOOD + ASK + GOOD, "rejected": BAD},
        {"chosen": ASK + GOOD, "rejected": [{"role": "user", "content": "Why?"}, *BAD]},
        {"prompt": "a", "chosen": 7, "rejected": "c"},
    ]
    with pytest.raises(DataError) as caught:
        prepare("dpo", rows)
    assert str(caught.value).splitlines() == [
        "8 rows cannot be used; correct or remove them:",
        "  rows.jsonl, row 2: chosen and rejected are the same",
        "  rows.jsonl, row 3: rejected is empty",
        "  rows.jsonl, row 4: no 'prompt', and chosen and rejected hold the answers alone",
        "  rows.jsonl, row 5: no 'rejected', as preference rows must have",
        "  rows.jsonl, row 6: an answer must end with a turn of the assistant",
        "  rows.jsonl, row 7: an answer may have turns of the assistant and of tools only",
        "  rows.jsonl, row 8: chosen and rejected are conversations that begin differently",
        "  rows.jsonl, row 9: chosen must be text, not int",
    ]


def test_every_bad_kto_and_grpo_row_is_named_at_once(prepare: Prepare) -> None:
    good = {"prompt": "a", "completion": "b", "label": True}
    with pytest.raises(DataError) as caught:
        prepare("kto", [good, good | {"label": 3}, good | {"label": "yes"}, good | {"prompt": ""}])
    assert str(caught.value).splitlines()[1:] == [
        "  rows.jsonl, row 2: label must be true or false, and this int is neither",
        "  rows.jsonl, row 3: label must be true or false, and this str is neither",
        "  rows.jsonl, row 4: prompt is empty",
    ]
    with pytest.raises(DataError) as caught:
        prepare("grpo", [{"prompt": "a"}, {"prompt": ASK + GOOD}, {"prompt": "  "}])
    assert str(caught.value).splitlines()[1:] == [
        "  rows.jsonl, row 2: the prompt ends with an answer, and the model is to write that",
        "  rows.jsonl, row 3: prompt is empty",
    ]


def test_labels_that_are_all_ratings_are_a_problem_of_the_label(prepare: Prepare) -> None:
    rows = [{"prompt": "a", "completion": "b", "label": stars} for stars in (2, 3, 4, 5)]
    with pytest.raises(DataError, match="row 1: label must be true or false"):
        prepare("kto", rows)


@pytest.mark.parametrize(
    ("trainer_type", "row", "found", "needed"),
    [
        ("dpo", {"messages": ASK + GOOD}, "messages rows (messages)", '"chosen": "..."'),
        ("kto", PAIRS["texts"], "preference rows (chosen + rejected)", '"label": true'),
        ("grpo", {"text": "a"}, "text rows (text)", '"gold_answer": "..."'),
        ("orpo", {"question": "a"}, "has the columns 'question'", '"rejected": "..."'),
    ],
)
def test_rows_for_another_algorithm_are_refused_with_a_row_that_would_do(
    trainer_type: str, row: dict[str, Any], found: str, needed: str, prepare: Prepare
) -> None:
    with pytest.raises(DataError, match=f"A row for {trainer_type}: {{") as caught:
        prepare(trainer_type, [row])
    assert found in str(caught.value)
    assert needed in str(caught.value)


def test_a_pair_that_differs_beyond_the_cut_alone_teaches_nothing(
    prepare: Prepare, caplog: pytest.LogCaptureFixture
) -> None:
    alike = "the same words again and again " * 8
    rows = [PAIRS["texts"]] * 3 + [{"prompt": "a", "chosen": alike + "x", "rejected": alike + "y"}]
    summary = prepare("dpo", rows, max_length=48).summary
    assert (summary.sources[0].rows, summary.dropped_rows) == (4, 1)
    assert summary.sources[0].longest_tokens <= 48
    assert "drops 1 of 4 rows" in caplog.text


@pytest.mark.parametrize(
    ("trainer_type", "row"),
    [
        ("dpo", {"prompt": "word " * 50, "chosen": "b", "rejected": "c"}),
        ("kto", {"prompt": "word " * 50, "completion": "b", "label": True}),
        ("grpo", {"prompt": "word " * 50}),
    ],
)
def test_prompts_that_fill_max_length_leave_nothing_and_are_refused(
    trainer_type: str, row: dict[str, Any], prepare: Prepare
) -> None:
    with pytest.raises(DataError, match=r"model\.max_length"):
        prepare(trainer_type, [row] * 5, max_length=20)


def test_tools_and_calls_are_rendered_by_the_template(prepare: Prepare, tokenizer: Any) -> None:
    template = tokenizer.chat_template
    tokenizer.chat_template = "{{ tools | tojson if tools else '' }}" + template
    try:
        call = [{"role": "assistant", "content": "", "tool_calls": [{"name": "look"}]}]
        row = {"prompt": ASK, "chosen": call + GOOD, "rejected": BAD, "tools": '[{"name": "look"}]'}
        made = prepare("dpo", [row] * 2).splits["train"][0]
    finally:
        tokenizer.chat_template = template
    assert made["prompt"] == '[{"name": "look"}]' + PROMPT
    assert made["chosen"].endswith("Like this.<|im_end|>")


@pytest.fixture
def with_bos(tokenizer: Any) -> Iterator[Any]:
    """Let the tokenizer put a token before every text, as the one of Llama does."""
    processors = pytest.importorskip("tokenizers").processors
    template, inner = tokenizer.chat_template, tokenizer._tokenizer
    tokenizer.bos_token = "<|im_start|>"
    before = inner.post_processor
    inner.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", tokenizer.bos_token_id)]
    )
    yield tokenizer
    tokenizer.chat_template, tokenizer.bos_token = template, None
    inner.post_processor = before or processors.Sequence([])


def test_a_beginning_token_in_the_template_is_not_put_there_twice(
    with_bos: Any, prepare: Prepare
) -> None:
    row = prepare("dpo", [PAIRS["texts"]] * 2).splits["train"][0]
    ids = with_bos(row["prompt"])["input_ids"]
    assert with_bos.decode(ids) == PROMPT


def test_blanks_behind_the_end_token_are_dropped_so_that_no_second_one_follows(
    tokenizer: Any, prepare: Prepare
) -> None:
    template = tokenizer.chat_template
    tokenizer.chat_template = template.replace("<|im_end|>{% endgen", "<|im_end|>\n{% endgen")
    try:
        row = prepare("orpo", [PAIRS["texts"]] * 2).splits["train"][0]
    finally:
        tokenizer.chat_template = template
    assert row["chosen"] == "Like this.<|im_end|>"


def test_texts_without_a_template_are_joined_and_turns_are_refused(
    tokenizer: Any, prepare: Prepare
) -> None:
    template, tokenizer.chat_template = tokenizer.chat_template, None
    try:
        pair = {"prompt": "Q: ", "chosen": "A", "rejected": "B"}
        row = prepare("dpo", [pair] * 2).splits["train"][0]
        with pytest.raises(ConfigError, match="no chat template"):
            prepare("dpo", [PAIRS["turns"]] * 2)
    finally:
        tokenizer.chat_template = template
    assert (row["prompt"], row["chosen"], row["rejected"]) == ("Q: ", "A", "B")


def test_kto_rows_are_shuffled_once_because_their_batches_keep_their_order(
    prepare: Prepare,
) -> None:
    rows = [{"prompt": f"{n}", "completion": "b", "label": n < 20} for n in range(40)]
    drawn, again = (prepare("kto", rows).splits["train"] for _ in range(2))
    in_order = prepare("kto", rows, shuffle=False).splits["train"]
    assert drawn["prompt"] == again["prompt"]
    assert drawn["prompt"] != in_order["prompt"]
    assert sorted(drawn["prompt"]) == sorted(in_order["prompt"])
    assert in_order["label"] == sorted(in_order["label"], reverse=True)


def test_what_was_prepared_is_passed_through_and_rendered_once(
    prepare: Prepare, tokenizer: Any, tiny_model: Path
) -> None:
    for trainer_type, row in (("dpo", PAIRS["texts"]), ("grpo", {"prompt": "a", "gold": 1})):
        first = prepare(trainer_type, [row] * 20)
        config = ForgeConfig(
            model={"name_or_path": str(tiny_model), "max_length": 256},
            lora={},
            data={"dataset_name_or_path": "unread.jsonl"},
            training={"trainer_type": trainer_type},
        )
        again = prepare_splits(config, tokenizer, rows=first.splits)
        assert again.splits["train"] is first.splits["train"]
        assert again.summary.longest_tokens == first.summary.longest_tokens
        if trainer_type == "grpo":
            assert again.summary.sources[0].columns == ("prompt", "gold")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TURNS = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool"]), "content": st.text(max_size=5)}
    ),
    max_size=3,
)
COLUMNS = st.sampled_from(["prompt", "chosen", "rejected", "completion", "label", "tools"])


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    trainer_type=st.sampled_from(["dpo", "kto", "grpo"]),
    rows=st.lists(
        st.dictionaries(COLUMNS, JSON | TURNS | st.text(min_size=1), max_size=5), min_size=1
    ),
)
def test_any_rows_are_prepared_or_refused_as_data(
    trainer_type: str, rows: list[Any], prepare: Prepare
) -> None:
    try:
        splits = prepare(trainer_type, rows).splits
    except DataError:
        return
    assert len(splits["train"]) > 0
