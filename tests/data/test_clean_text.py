"""Cleaning text without changing what it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgelm.data import clean_text


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("\ufeffhello", "hello"),
        ("a\u200bb\u2060c", "abc"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("bell\x07 and null\x00", "bell and null"),
        ("trailing  \n\n", "trailing"),
        ("def f():\n    return 1\n\n\nx  =  2", "def f():\n    return 1\n\n\nx  =  2"),
        ("  indented\n\tfirst line", "  indented\n\tfirst line"),
        ("line with two blanks  \nbreak", "line with two blanks  \nbreak"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_only_what_cannot_be_seen_goes(dirty: str, expected: str) -> None:
    assert clean_text(dirty) == expected


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean_text(clean_text(text)) == clean_text(text)


@given(st.text(alphabet="ab \t\n"))
def test_newlines_and_indentation_survive(text: str) -> None:
    assert clean_text(text) == text.rstrip()
