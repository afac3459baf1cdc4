"""The split that the name of a file tells."""

from __future__ import annotations

import pytest

from forgelm._core import split_in_name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Train-00000-of-00002", "train"),
        ("train_v2.1", "train"),
        ("en.training", "train"),
        ("squad_dev", "validation"),
        ("val2", "validation"),
        ("validation-matched", "validation"),
        ("test_cases", "test"),
        ("2026 eval", "test"),
        ("holdout.old", "test"),
        ("test-eval", "test"),
    ],
)
def test_one_word_of_a_split_anywhere_in_a_name_tells_it(name: str, split: str) -> None:
    assert split_in_name(name) == split


@pytest.mark.parametrize("name", ["", "rows", "latest", "trained", "devices", "train_test", "Ünit"])
def test_part_of_a_word_and_words_of_two_splits_tell_none(name: str) -> None:
    assert split_in_name(name) is None
