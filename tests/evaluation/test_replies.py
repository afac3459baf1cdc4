"""Reading what guards and judges reply, whatever it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forgelm.evaluation._guards import parse_guard_answer
from forgelm.evaluation._rubric import judge_question, parse_mark


@given(st.text() | st.from_regex(r'\{"score": .{0,12}\}|score: \d+(\.\d+)?', fullmatch=True))
def test_a_mark_is_from_one_to_ten_or_none(reply: str) -> None:
    mark = parse_mark(reply)
    assert mark is None or 1 <= mark <= 10


@given(st.text(min_size=1).filter(str.strip))
def test_a_mark_with_any_text_beside_it_is_none(text: str) -> None:
    assert parse_mark(text + 'x {"score": 10}') is None
    assert parse_mark('{"score": 10} x' + text) is None


@given(st.text())
def test_what_a_reasoning_judge_quotes_in_its_thoughts_does_not_count(answer: str) -> None:
    thoughts = f"<think>{answer}</think>" + '{"score": 10}</think>'
    assert parse_mark(thoughts + '{"score": 3}') == 3.0


@given(st.text(), st.text())
def test_the_frame_around_an_answer_cannot_be_foreseen(question: str, answer: str) -> None:
    first, second = judge_question(question, answer), judge_question(question, answer)
    assert answer in first
    assert first != second


@given(st.text())
def test_a_guard_says_safe_only_by_that_one_word(text: str) -> None:
    answer = parse_guard_answer(text)
    if answer is not None and not answer[0]:
        assert text.strip().lower() == "safe"


def test_a_guard_may_name_no_hazard_but_no_unknown_one() -> None:
    assert parse_guard_answer("unsafe") == (True, ())
    assert parse_guard_answer("unsafe\nS14, S2,S2") == (True, ("S14", "S2"))
    assert parse_guard_answer("unsafe\nS15") is None
    assert parse_guard_answer("unsafe\nS1\nsafe") is None
    assert parse_guard_answer("safe\nS1") is None
