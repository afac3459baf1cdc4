"""Recognising the shape of rows."""

from __future__ import annotations

import pytest

from forgelm.data import detect_format
from forgelm.errors import DataError


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["text"], "text"),
        (["messages"], "messages"),
        (["conversations", "id"], "conversations"),
        (["prompt", "completion"], "prompt_completion"),
        (["prompt", "response"], "prompt_response"),
        (["instruction", "input", "output"], "instruction"),
        (["System", "User", "Assistant"], "user_assistant"),
        (["prompt", "chosen", "rejected"], "preference"),
        (["prompt", "completion", "label"], "kto"),
        (["prompt", "gold_answer"], "grpo"),
    ],
)
def test_each_documented_shape_is_recognised_by_its_columns(
    columns: list[str], expected: str
) -> None:
    assert detect_format(columns) == expected


def test_the_rendered_text_column_of_alpaca_does_not_hide_the_instruction() -> None:
    assert detect_format(["instruction", "input", "output", "text"]) == "instruction"


def test_preference_rows_that_also_carry_messages_are_preference_rows() -> None:
    assert detect_format(["prompt", "chosen", "rejected", "messages"]) == "preference"


def test_a_column_filled_with_none_counts_as_absent() -> None:
    row = {"text": "hello", "messages": None, "prompt": None}
    assert detect_format(row) == "text"


def test_a_label_that_is_no_yes_or_no_does_not_make_a_row_kto() -> None:
    row = {"prompt": "a", "completion": "b", "label": "billing"}
    assert detect_format(row) == "prompt_completion"
    assert detect_format(row | {"label": True}) == "kto"


def test_unknown_columns_are_listed_beside_the_known_shapes() -> None:
    with pytest.raises(DataError, match=r"columns 'question', 'answer'.*prompt \+ response"):
        detect_format(["question", "answer"])
