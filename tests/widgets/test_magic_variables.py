"""`{name}` in YAML stays one value, whatever the variable holds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from forgelm_widgets._variables import expand_words, expand_yaml, shown_by_name

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inside: st.lists(inside) | st.dictionaries(st.text("abc"), inside),
    max_leaves=8,
)


@given(_JSON)
def test_a_value_that_stands_alone_is_read_back_equal(value: Any) -> None:
    text, _ = expand_yaml("a:\n  b: {v}  # why\n  c: 1\nd:\n  - {v}", {"v": value})
    assert yaml.safe_load(text) == {"a": {"b": value, "c": 1}, "d": [value]}


@given(st.text(st.characters(codec="utf-8")))
def test_a_value_within_a_longer_one_adds_no_structure(value: str) -> None:
    try:
        text, _ = expand_yaml("a: runs/{v}/x\nb: 2", {"v": value})
    except ValueError:
        return
    assert yaml.safe_load(text) == {"a": f"runs/{value}/x", "b": 2}


def test_braces_and_comments_and_mappings_stay() -> None:
    text = "lora: {r: 16, a: {b: 1}}\n# not {this}\nempty: {}\nprompt: 'Say {{word}}'"
    assert expand_yaml(text, {}) == (text.replace("{{word}}", "{word}"), {})
    assert expand_yaml("a: {b: {c: {n}}}", {"n": 3})[0] == "a: {b: {c: 3}}"


def test_attributes_are_looked_up_and_nothing_is_evaluated() -> None:
    names = {"paths": SimpleNamespace(data=Path("d.jsonl"), _inner="no"), "n": 2}
    assert expand_words(["{paths.data}", "{n}-{n}"], names) == ["d.jsonl", "2-2"]
    for word in ("{n+1}", "{paths._inner}", "{print(1)}", "{n!r}", "$n"):
        assert expand_words([word], names) == [word]


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, b"x"])
def test_what_yaml_cannot_say_is_refused_by_name(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^\{v\} is a "):
        expand_yaml("a: {v}", {"v": value})


def test_a_message_names_variables_in_place_of_their_values() -> None:
    inserted = {"token": "open sesame", "deep": "open sesame street", "r": "8"}
    message = "'open sesame street' and 'open sesame' are no numbers, 8 is"
    assert shown_by_name(message, inserted) == "'{deep}' and '{token}' are no numbers, 8 is"
