"""Rows that say more than one good answer: pairs, thumbs up or down, and bare prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from forgelm.data._normalise import (
    Clean,
    Conversation,
    Message,
    clean_text,
    filled_text,
    offered_tools,
    read_turns,
    require_columns,
)
from forgelm.data._problems import RowError

__all__ = [
    "LabelledAnswer",
    "PreferencePair",
    "Prompt",
    "one_sided",
    "read_labelled",
    "read_pair",
    "read_prompt",
]

_LABELS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """A better and a worse answer to the same prompt."""

    chosen: Conversation
    rejected: Conversation


@dataclass(frozen=True, slots=True)
class LabelledAnswer:
    """An answer, and whether it is a good one."""

    answer: Conversation
    label: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that the model answers itself; `row` is what the rewards get to see."""

    turns: Conversation
    row: Mapping[str, Any]


def read_pair(row: Mapping[str, Any], *, clean: bool) -> PreferencePair:
    """Return a preference row: `chosen` and `rejected` as texts or turns, after a `prompt`.

    Without a prompt, or with one in words, lists of turns may hold the whole conversation: what
    they begin with alike is the prompt.

    Raises:
        RowError: An answer is missing or empty, or the two are the same.
    """
    require_columns(row, "preference")
    cleaner = clean_text if clean else str
    answers = [_answer(row, name, cleaner) for name in ("chosen", "rejected")]
    if answers[0] == answers[1]:
        raise RowError("chosen and rejected are the same")
    if answers[0][0]["role"] != "assistant" and answers[1][0]["role"] != "assistant":
        prompt, answers = _shared_beginning(*answers)
        separator = None
    elif row.get("prompt") is None:
        raise RowError("no 'prompt', and chosen and rejected hold the answers alone")
    else:
        prompt, separator = _prompt(row, cleaner)
    chosen, rejected = (_exchange(row, prompt, answer, separator) for answer in answers)
    return PreferencePair(chosen, rejected)


def read_labelled(row: Mapping[str, Any], *, clean: bool) -> LabelledAnswer:
    """Return a KTO row: a prompt, a completion and a yes or no.

    Raises:
        RowError: A part is missing or empty, or the label is neither.
    """
    require_columns(row, "kto")
    label = row["label"]
    known = _LABELS.get(str(label).strip().lower()) if isinstance(label, bool | int | str) else None
    if isinstance(label, float) and label in (0.0, 1.0):
        known = label == 1.0
    if known is None:
        raise RowError(f"label must be true or false, and this {type(label).__name__} is neither")
    cleaner = clean_text if clean else str
    prompt, separator = _prompt(row, cleaner)
    answer = _answer(row, "completion", cleaner)
    return LabelledAnswer(_exchange(row, prompt, answer, separator), known)


def read_prompt(row: Mapping[str, Any], *, clean: bool) -> Prompt:
    """Return a GRPO row.

    Raises:
        RowError: The prompt is missing, empty, or ends with an answer.
    """
    require_columns(row, "grpo")
    prompt, separator = _prompt(row, clean_text if clean else str)
    if prompt[-1]["role"] == "assistant":
        raise RowError("the prompt ends with an answer, and the model is to write that")
    turns = Conversation(prompt, len(prompt), separator, offered_tools(row.get("tools")))
    return Prompt(turns, row)


def _prompt(row: Mapping[str, Any], clean: Clean) -> tuple[list[Message], str | None]:
    """Return the prompt's turns, and what joins them to an answer without a chat template."""
    if isinstance(row["prompt"], list):
        return read_turns(row["prompt"], clean, "prompt"), None
    # A blank at the end of a prompt in words is part of a plain continuation.
    return [{"role": "user", "content": filled_text(row, "prompt", str)}], ""


def _answer(row: Mapping[str, Any], column: str, clean: Clean) -> list[Message]:
    if isinstance(row[column], list):
        return read_turns(row[column], clean, column)
    return [{"role": "assistant", "content": filled_text(row, column, clean)}]


def _shared_beginning(
    chosen: list[Message], rejected: list[Message]
) -> tuple[list[Message], list[list[Message]]]:
    pairs = zip(chosen, rejected, strict=False)
    count = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    if not count:
        raise RowError("chosen and rejected are conversations that begin differently")
    return chosen[:count], [chosen[count:], rejected[count:]]


def _exchange(
    row: Mapping[str, Any], prompt: list[Message], answer: list[Message], separator: str | None
) -> Conversation:
    if not answer or answer[-1]["role"] != "assistant":
        raise RowError("an answer must end with a turn of the assistant")
    if not {turn["role"] for turn in answer} <= {"assistant", "tool"}:
        raise RowError("an answer may have turns of the assistant and of tools only")
    if len(answer) > 1:
        separator = None
    return Conversation([*prompt, *answer], len(prompt), separator, offered_tools(row.get("tools")))


def one_sided(good: int, bad: int) -> str | None:
    """Say what is wrong with answers that are all good or all bad, or None."""
    if not good + bad or (good and bad):
        return None
    side = "true" if good else "false"
    learned = "kto learns from good and bad answers"
    return f"{learned}, and every label to train on is {side}; add rows of the other"
