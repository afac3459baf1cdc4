"""Prompts and answers as the texts that a trainer tokenises itself."""

from __future__ import annotations

from typing import Any

from forgelm.data._encode import common_prefix, render_turns, template_of, without_template
from forgelm.data._normalise import SURROGATE, Conversation
from forgelm.data._problems import RowError

__all__ = ["TextRenderer"]


class TextRenderer:
    """Renders conversations with the tokenizer's chat template, split where the answer begins.

    The texts are such that TRL's own handling adds nothing twice: it puts the end-of-sequence token
    behind an answer that does not end exactly with it, and the tokenizer puts its
    beginning-of-sequence token before a prompt whether or not the template wrote one.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._template = template_of(tokenizer)
        self._eos = tokenizer.eos_token or ""
        bos = tokenizer.bos_token_id
        adds_bos = bos is not None and tokenizer("a")["input_ids"][:1] == [bos]
        self._written_bos = tokenizer.bos_token if adds_bos else ""

    def split(self, *sides: Conversation) -> tuple[str, list[str]]:
        """Return the prompt that `sides` share, and the answer of each.

        Raises:
            RowError: The chat template does not take a conversation.
            ConfigError: The row needs a chat template and the tokenizer has none.
        """
        first = sides[0]
        turns = first.messages[: first.context]
        if self._template is None:
            if any(side.separator is None for side in sides):
                raise without_template()
            prompt = turns[0]["content"] + (first.separator or "")
            return prompt, [self._ended(_after(side)) for side in sides]
        prompt = self._render(first, turns, add_generation_prompt=True)
        if all(side.context == len(side.messages) for side in sides):
            return prompt.removeprefix(self._written_bos), []
        whole = [self._render(side, side.messages) for side in sides]
        start = min(common_prefix(prompt, text) for text in whole)
        answers = [self._ended(text[start:]) for text in whole]
        return prompt[:start].removeprefix(self._written_bos), answers

    def token_ids(self, prompt: str, *answers: str) -> tuple[int, list[list[int]]]:
        """Return how many tokens the sequences share as their prompt, and the sequences."""
        alone = self._ids(prompt)
        whole = [self._ids(prompt + self._closed(answer)) for answer in answers]
        return min(common_prefix(alone, ids) for ids in whole), whole

    def length(self, text: str) -> int:
        """Return how many tokens `text` has."""
        return len(self._ids(text))

    def _render(self, side: Conversation, turns: list[dict[str, Any]], **options: Any) -> str:
        text = str(render_turns(self._tokenizer, turns, side.tools, tokenize=False, **options))
        if not text.isascii() and SURROGATE.search(text):
            raise RowError("the row has half of a surrogate pair, which is no character")
        return text

    def _ended(self, answer: str) -> str:
        """Drop the blanks behind an end-of-sequence token that the text already spells out."""
        trimmed = answer.rstrip()
        return trimmed if self._eos and trimmed.endswith(self._eos) else answer

    def _closed(self, answer: str) -> str:
        return answer if answer.endswith(self._eos) else answer + self._eos

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text)["input_ids"]
        return ids


def _after(side: Conversation) -> str:
    return str(side.messages[side.context]["content"])
