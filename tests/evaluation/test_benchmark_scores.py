"""Which of lm-eval's figures stands for a task."""

from __future__ import annotations

import math
from typing import Any

import pytest

from forgelm.evaluation._benchmark_scores import average_of, pick_score


@pytest.mark.parametrize(
    ("row", "better", "expected"),
    [
        ({"acc,none": 0.5, "acc_norm,none": 0.6}, {}, ("acc_norm,none", 0.6, True)),
        ({"acc_stderr,none": 0.1, "acc,none": 0.5}, {}, ("acc,none", 0.5, True)),
        ({"acc_norm": 0.4, "acc": 0.5}, {}, ("acc_norm", 0.4, True)),
        ({"exact_match,a": 0.2, "exact_match,b": 0.3}, {}, ("exact_match,a", 0.2, True)),
        ({"pass@1,create_test": 0.25}, {}, ("pass@1,create_test", 0.25, True)),
        ({"prompt_level_strict_acc,none": 0.7}, {}, ("prompt_level_strict_acc,none", 0.7, True)),
        ({"word_perplexity,none": 12.0}, {}, ("word_perplexity,none", 12.0, False)),
        ({"acc,none": 0.1}, {"acc": False}, ("acc,none", 0.1, False)),
        ({"acc,none": math.nan}, {}, None),
        ({"f1,none": 37.5}, {}, ("f1,none", 37.5, False)),
        ({"alias": "x", "sample_len": 3, "acc_stderr,none": "N/A"}, {}, None),
        ({}, {}, None),
    ],
)  # fmt: skip
def test_the_first_accuracy_stands_for_a_task(
    row: dict[str, Any], better: dict[str, bool | None], expected: Any
) -> None:
    assert pick_score(row, better) == expected


def test_only_accuracies_are_averaged() -> None:
    scores = {
        "a": pick_score({"acc,none": 0.5}),
        "b": pick_score({"acc,none": 1.0}),
        "p": pick_score({"word_perplexity,none": 30.0}),
    }
    known = {name: score for name, score in scores.items() if score}
    assert average_of(known, ["a", "b", "p", "absent"]) == 0.75
    assert math.isnan(average_of(known, ["p"]))
