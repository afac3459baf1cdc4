"""What each algorithm is given: a row as the columns that its trainer reads, and its size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from forgelm.data._encode import IGNORED, Encoder
from forgelm.data._formats import DataFormat
from forgelm.data._judged import read_labelled, read_pair, read_prompt
from forgelm.data._normalise import normalise_row
from forgelm.data._problems import RowError
from forgelm.data._texts import TextRenderer

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["COUNTED", "ROW_COLUMN", "Example", "Recipe", "recipe_for"]

ROW_COLUMN = "row"
"""The column of a GRPO data set that holds the row as it was, as JSON, for the rewards."""

COUNTED = {"length_tokens": "int32", "trainable_tokens": "int32"}
"""Columns that say how long a prepared row is, where its tokens are not in the row itself."""


@dataclass(frozen=True, slots=True)
class Example:
    """A row as a trainer takes it.

    Attributes:
        values: One value for each of the recipe's columns.
        tokens: Length of its longest sequence before truncation.
        trainable: Tokens that carry loss before truncation.
        left: How many of those are left after it.
        teaches: Whether there is something to learn from what is left.
    """

    values: tuple[Any, ...]
    tokens: int
    trainable: int
    left: int
    teaches: bool


class Recipe(Protocol):
    """How the rows of one algorithm are read and written."""

    columns: ClassVar[Mapping[str, str]]

    def read(self, row: Mapping[str, Any], data_format: DataFormat) -> Any:
        """Return what a row says; RowError when it is not of the format."""

    def make(self, read: Any) -> Example:
        """Return what was read as the trainer takes it; RowError when the template refuses it."""


def recipe_for(config: ForgeConfig, tokenizer: Any) -> Recipe:
    """Return the recipe of the configured algorithm."""
    length, clean = config.model.max_length, config.data.clean_text
    trainer_type = config.training.trainer_type
    if trainer_type == "sft":
        encoder = Encoder(tokenizer, max_length=length, add_eos=config.data.add_eos)
        return _Imitation(encoder, length, clean)
    texts = TextRenderer(tokenizer)
    if trainer_type == "grpo":
        return _Prompts(texts, length, clean)
    return (_Labelled if trainer_type == "kto" else _Pairs)(texts, length, clean)


class _Imitation:
    """Rows to imitate, as token ids and labels."""

    columns: ClassVar[Mapping[str, str]] = {"input_ids": "tokens", "labels": "tokens"}

    def __init__(self, encoder: Encoder, max_length: int, clean: bool) -> None:
        self._encoder = encoder
        self._max_length = max_length
        self._clean = clean

    def read(self, row: Mapping[str, Any], data_format: DataFormat) -> Any:
        return normalise_row(row, data_format, clean=self._clean)

    def make(self, read: Any) -> Example:
        ids, labels = self._encoder.encode(read)
        cut = self._max_length
        # The first label is never predicted: there is nothing before it.
        trainable = len(labels[1:]) - labels[1:].count(IGNORED)
        left = len(labels[1:cut]) - labels[1:cut].count(IGNORED)
        return Example((ids[:cut], labels[:cut]), len(ids), trainable, left, left > 0)


class _Texts:
    """What the recipes share whose trainers tokenise texts themselves."""

    columns: ClassVar[Mapping[str, str]] = {}

    def __init__(self, texts: TextRenderer, max_length: int, clean: bool) -> None:
        self._texts = texts
        self._max_length = max_length
        self._clean = clean

    def _example(
        self, values: tuple[Any, ...], prompt: int, lengths: tuple[int, ...], teaches: bool
    ) -> Example:
        """Return the example of sequences of `lengths` that share their first `prompt` tokens."""
        trainable = sum(length - prompt for length in lengths)
        left = sum(max(min(length, self._max_length) - prompt, 0) for length in lengths)
        longest = max(lengths)
        counts = (min(longest, self._max_length), left)
        return Example((*values, *counts), longest, trainable, left, teaches)


class _Pairs(_Texts):
    """A better and a worse answer, for dpo, simpo and orpo."""

    columns: ClassVar[Mapping[str, str]] = {
        "prompt": "string",
        "chosen": "string",
        "rejected": "string",
        **COUNTED,
    }

    def read(self, row: Mapping[str, Any], data_format: DataFormat) -> Any:  # noqa: ARG002
        return read_pair(row, clean=self._clean)

    def make(self, read: Any) -> Example:
        prompt, (chosen, rejected) = self._texts.split(read.chosen, read.rejected)
        start, (better, worse) = self._texts.token_ids(prompt, chosen, rejected)
        cut = self._max_length
        # Answers that differ beyond the cut alone are the same to the model.
        teaches = start < cut and better[:cut] != worse[:cut]
        return self._example((prompt, chosen, rejected), start, (len(better), len(worse)), teaches)


class _Labelled(_Texts):
    """An answer with a thumb up or down, for kto."""

    columns: ClassVar[Mapping[str, str]] = {
        "prompt": "string",
        "completion": "string",
        "label": "bool",
        **COUNTED,
    }

    def read(self, row: Mapping[str, Any], data_format: DataFormat) -> Any:  # noqa: ARG002
        return read_labelled(row, clean=self._clean)

    def make(self, read: Any) -> Example:
        prompt, (answer,) = self._texts.split(read.answer)
        start, (ids,) = self._texts.token_ids(prompt, answer)
        values = (prompt, answer, read.label)
        return self._example(values, start, (len(ids),), start < self._max_length)


class _Prompts(_Texts):
    """A prompt, for grpo, with its row for the rewards."""

    columns: ClassVar[Mapping[str, str]] = {"prompt": "string", ROW_COLUMN: "string", **COUNTED}

    def read(self, row: Mapping[str, Any], data_format: DataFormat) -> Any:  # noqa: ARG002
        return read_prompt(row, clean=self._clean)

    def make(self, read: Any) -> Example:
        prompt, _ = self._texts.split(read.turns)
        tokens = self._texts.length(prompt)
        # A prompt is never cut: its end is the question.
        try:
            row = json.dumps(read.row, default=str)
        except (ValueError, TypeError, RecursionError):
            raise RowError("it is nested too deep, or has a key that is no text") from None
        values = (prompt, row)
        return self._example(values, tokens, (tokens,), tokens <= self._max_length)
