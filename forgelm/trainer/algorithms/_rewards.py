"""Rewards that need nothing but the answer and its row: right, readable, and not too long."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

__all__ = ["format_reward", "gold_answer_reward", "length_reward", "stated_answer"]

_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_TAGGED = re.compile(r"<answer>([^<]{1,2000})</answer>", re.IGNORECASE)
_SAID = re.compile(r"\b(?:final\s+)?answer\s*(?:is|:)\s*([^\n]{1,500})", re.IGNORECASE)
_GRACE = 0.2  # the last fifth of the room for an answer, over which the penalty grows


def gold_answer_reward(
    completions: Sequence[str], gold_answer: Sequence[Any], **_: Any
) -> list[float]:
    r"""Return 1 for each completion whose answer is its row's `gold_answer`, else 0.

    The answer is what the completion states it to be (see `format_reward`); without that, its
    last number where the gold answer is a number, and otherwise all of it. Numbers are equal when
    their values are, texts when their words are, whatever their case. A row without a gold
    answer gives 0 for every completion, which teaches nothing.

    Example:
        >>> gold_answer_reward(["So 6 * 7 = 42.", r"\boxed{41}"], [42, "42"])
        [1.0, 0.0]
        >>> gold_answer_reward(["The answer is Paris."], ["paris"])
        [1.0]
    """
    return [
        float(gold is not None and _agrees(text, str(gold)))
        for text, gold in zip(completions, gold_answer, strict=True)
    ]


def format_reward(completions: Sequence[str], **_: Any) -> list[float]:
    r"""Return 1 for each completion that states its final answer so that a program can read it.

    As `<answer>42</answer>`, `\boxed{42}`, `#### 42`, "Answer: 42" or "the answer is 42".

    Example:
        >>> format_reward(["#### 42", "It may be 42."])
        [1.0, 0.0]
    """
    return [float(stated_answer(text) is not None) for text in completions]


def length_reward(
    completion_ids: Sequence[Sequence[int]], max_completion_length: int, **_: Any
) -> list[float]:
    """Return 0 for answers that leave room, falling to -1 for those that fill all of it.

    Source: the soft overlong punishment of Yu et al., "DAPO", 2025, equation 13, with a fifth of
    the room as the interval over which it grows.

    Example:
        >>> length_reward([[1] * 80, [1] * 90, [1] * 100], max_completion_length=100)
        [0.0, -0.5, -1.0]
    """
    room = max_completion_length * _GRACE
    free = max_completion_length - room
    return [0.0 - min(max(len(ids) - free, 0.0) / room, 1.0) for ids in completion_ids]


def stated_answer(text: str) -> str | None:
    """Return the last answer that `text` marks as its final one, or None."""
    for found in (_TAGGED.findall(text), _boxed(text), _after_hashes(text), _SAID.findall(text)):
        if found and found[-1].strip():
            return str(found[-1].strip())
    return None


def _boxed(text: str) -> list[str]:
    start = text.rfind("\\boxed{")
    if start < 0:
        return []
    inside, depth = text[start + 7 :], 1
    for place, character in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if not depth:
            return [inside[:place]]
    return []


def _after_hashes(text: str) -> list[str]:
    _, mark, answer = text.rpartition("####")
    return [answer.strip().partition("\n")[0]] if mark else []


def _agrees(text: str, gold: str) -> bool:
    gold = stated_answer(gold) or gold
    wanted = _number(gold)
    said = stated_answer(text)
    if wanted is not None:
        numbers = _NUMBER.findall(said if said is not None else text)
        return bool(numbers) and _number(numbers[-1]) == wanted
    return _words(said if said is not None else text) == _words(gold)


def _number(text: str) -> float | None:
    plain = text.strip().strip("$€£%.").strip()
    return float(plain.replace(",", "")) if _NUMBER.fullmatch(plain) else None


def _words(text: str) -> list[str]:
    return unicodedata.normalize("NFKC", text).casefold().strip(" .!\"'").split()
