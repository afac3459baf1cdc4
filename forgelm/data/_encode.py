"""Text and conversations as token ids and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from forgelm.data._normalise import Conversation, PlainText
from forgelm.data._problems import RowError
from forgelm.errors import ConfigError

__all__ = ["IGNORED", "Encoder", "common_prefix", "render_turns", "template_of", "without_template"]

IGNORED = -100  # the label that carries no loss in torch
_TEMPLATE_TAIL = 3  # tokens after the last answer in which a stop token is looked for


class Encoder:
    """Turns rows into `(input_ids, labels)` with one tokenizer.

    Conversations go through the tokenizer's chat template. The assistant's tokens carry loss: the
    template's `{% generation %}` markers say which they are, or else renderings of the conversation
    cut before and after each answer are compared.
    """

    def __init__(self, tokenizer: Any, *, max_length: int, add_eos: bool) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._eos = tokenizer.eos_token_id if add_eos else None
        self._eos_text = tokenizer.eos_token if add_eos else None
        self._stops = set(getattr(tokenizer, "added_tokens_decoder", {})) | {self._eos}
        self._template = template_of(tokenizer)
        self._marked = bool(
            self._template and re.search(r"\{%-?\s*generation\s*-?%\}", self._template)
        )

    def encode(self, row: PlainText | Conversation) -> tuple[list[int], list[int]]:
        """Return the row's token ids and labels, untruncated.

        Raises:
            RowError: The chat template does not take this conversation.
            ConfigError: The row needs a chat template and the tokenizer has none.
        """
        if isinstance(row, PlainText):
            ids = self._ids(self._without_tail(row.text))
            return self._ended(ids, list(ids))
        if self._template is None:
            return self._plain_pair(row)
        ids, mask = self._conversation(row)
        labels = [token if trained else IGNORED for token, trained in zip(ids, mask, strict=True)]
        if not self._stops.isdisjoint(ids[-_TEMPLATE_TAIL:]):
            return ids, labels
        return self._ended(ids, labels)

    def _plain_pair(self, row: Conversation) -> tuple[list[int], list[int]]:
        if row.separator is None:
            raise without_template()
        prompt = row.messages[0]["content"] + row.separator
        ids = self._ids(prompt + self._without_tail(row.messages[1]["content"]))
        start = common_prefix(self._ids(prompt), ids)
        return self._ended(ids, [IGNORED] * start + ids[start:])

    def _conversation(self, row: Conversation) -> tuple[list[int], list[int]]:
        if not self._marked:
            ids = self._rendered(row.messages, row)
            return ids, self._compared_mask(row, ids)
        ids, mask = self._rendered_with_mask(row)
        if row.context:
            context = self._rendered(row.messages[: row.context], row, open_turn=True)
            start = common_prefix(context, ids)
            mask = [0] * start + mask[start:]
        return ids, mask

    def _compared_mask(self, row: Conversation, ids: list[int]) -> list[int]:
        mask = [0] * len(ids)
        for index, message in enumerate(row.messages):
            if index < row.context or message["role"] != "assistant":
                continue
            before = self._rendered(row.messages[:index], row, open_turn=True) if index else []
            start = common_prefix(before, ids)
            if start >= self._max_length:
                break
            end = common_prefix(self._rendered(row.messages[: index + 1], row), ids)
            mask[start:end] = [1] * (end - start)
        return mask

    def _rendered(
        self, messages: list[dict[str, Any]], row: Conversation, *, open_turn: bool = False
    ) -> list[int]:
        return self._apply(messages, row, add_generation_prompt=open_turn)["input_ids"]

    def _rendered_with_mask(self, row: Conversation) -> tuple[list[int], list[int]]:
        encoded = self._apply(row.messages, row, return_assistant_tokens_mask=True)
        return encoded["input_ids"], encoded["assistant_masks"]

    def _apply(
        self, messages: list[dict[str, Any]], row: Conversation, **options: Any
    ) -> dict[str, list[int]]:
        return dict(
            render_turns(
                self._tokenizer, messages, row.tools, tokenize=True, return_dict=True, **options
            )
        )

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text)["input_ids"]
        bos = self._tokenizer.bos_token_id
        return ids[1:] if bos is not None and ids[:2] == [bos, bos] else ids

    def _without_tail(self, text: str) -> str:
        """Drop blanks behind an end-of-sequence token that the text already spells out."""
        trimmed = text.rstrip()
        return trimmed if self._eos_text and trimmed.endswith(self._eos_text) else text

    def _ended(self, ids: list[int], labels: list[int]) -> tuple[list[int], list[int]]:
        if self._eos is None or ids[-1:] == [self._eos]:
            return ids, labels
        return [*ids, self._eos], [*labels, self._eos]


def render_turns(
    tokenizer: Any, messages: list[dict[str, Any]], tools: list[Any] | None, **options: Any
) -> Any:
    """Return what the chat template makes of `messages`; RowError when it refuses them."""
    try:
        return tokenizer.apply_chat_template(messages, tools=tools, **options)
    except Exception as error:  # a template raises what its author likes
        reason = " ".join(str(error).split())[:120]
        raise RowError(f"the chat template refuses the conversation: {reason}") from error


def without_template() -> ConfigError:
    """Return the error for conversations and a tokenizer that has no chat template."""
    return ConfigError(
        issues=[
            (
                "model.name_or_path",
                "the data has conversations and this tokenizer has no chat template. Use the "
                "instruct or chat variant of the model, or set tokenizer.chat_template and "
                "pass the tokenizer to ForgeTrainer.",
            )
        ]
    )


def template_of(tokenizer: Any) -> str | None:
    """Return the tokenizer's chat template, or None."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default") or next(iter(template.values()), None)
    return template or None


def common_prefix(left: Sequence[Any], right: Sequence[Any]) -> int:
    """Return how many leading items (tokens, characters) two sequences share."""
    return sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    )
