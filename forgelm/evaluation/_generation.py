"""A model's answers to many prompts: greedy, in batches, the model left as it was found."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from tqdm import tqdm

from forgelm._core import require
from forgelm.errors import EvaluationError

__all__ = ["Reply", "chat_text", "context_length", "defused", "generate", "left_as_found"]

_FEATURE = "Evaluating a model"
Message = Mapping[str, Any]


class Reply(NamedTuple):
    """What a model wrote; `probabilities` holds each token's, where they were asked for."""

    text: str
    token_ids: tuple[int, ...]
    prompt_tokens: int
    probabilities: tuple[float, ...] = ()


def generate(
    model: Any,
    tokenizer: Any,
    texts: Sequence[str],
    *,
    batch_size: int,
    max_new_tokens: int,
    label: str,
    probabilities: bool = False,
) -> list[Reply | None]:
    """Return the model's greedy continuation of each text, in their order.

    Args:
        model: A causal language model, with or without an adapter.
        tokenizer: Its tokenizer; not changed.
        texts: Whole inputs, chat template applied (see `chat_text`).
        batch_size: Texts at once.
        max_new_tokens: Where an answer is cut off.
        label: What the progress bar says.
        probabilities: Also keep the probability of each token that was written.

    Returns:
        A reply for each text; None where the text leaves no room in the model's context.

    Raises:
        EvaluationError: Memory ran out.
    """
    if not texts:
        return []
    torch = require("torch", extra="train", feature=_FEATURE)
    # A template writes its own start token.
    encoded = tokenizer(list(texts), add_special_tokens=not tokenizer.chat_template)["input_ids"]
    room = context_length(model, tokenizer) - max_new_tokens
    fitting = sorted(
        (n for n, ids in enumerate(encoded) if 0 < len(ids) <= room), key=lambda n: len(encoded[n])
    )
    replies: list[Reply | None] = [None] * len(encoded)
    settings = _settings(model, tokenizer, max_new_tokens, probabilities)
    bar = tqdm(total=len(fitting), desc=label, unit=" prompts", leave=False, disable=None)
    with bar, left_as_found(model, tokenizer), torch.inference_mode():
        model.eval()
        for start in range(0, len(fitting), batch_size):
            numbers = fitting[start : start + batch_size]
            try:
                made = _generate_batch(model, tokenizer, [encoded[n] for n in numbers], settings)
            except torch.OutOfMemoryError as error:
                raise EvaluationError(
                    f"memory ran out with {len(numbers)} prompts at once; lower batch_size"
                ) from error
            for number, reply in zip(numbers, made, strict=True):
                replies[number] = reply
            bar.update(len(numbers))
    return replies


@contextmanager
def left_as_found(model: Any, tokenizer: Any) -> Iterator[None]:
    """Put back what trying a model out may change.

    That is each module's train or evaluation mode, the device, the tokenizer's padding and the
    state of the random generators.
    """
    torch = require("torch", extra="train", feature=_FEATURE)
    import numpy as np

    modes = [(module, module.training) for module in model.modules()]
    device = model.device
    padding = (tokenizer.padding_side, tokenizer.truncation_side, tokenizer.pad_token)
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            tokenizer.padding_side, tokenizer.truncation_side, tokenizer.pad_token = padding
            if model.device != device:
                model.to(device)
            for module, training in modes:
                module.training = training


def chat_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """Return a conversation as the text that the model continues with its answer.

    A tokenizer without a chat template belongs to a model that continues plain text: it gets the
    messages' contents.
    """
    if not tokenizer.chat_template:
        return "\n\n".join(message["content"] for message in messages)
    text: str = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    return text


def defused(text: str, tokenizer: Any) -> str:
    """Return `text` with the tokenizer's special tokens broken up.

    Left whole, an answer holding `<|im_end|>` would end its own message and begin another.
    """
    tokens = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
    for token in sorted(tokens, key=len, reverse=True):
        if len(token) > 1 and token.strip():
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def context_length(model: Any, tokenizer: Any) -> int:
    """Return how many tokens the model can look at."""
    config = model.config.get_text_config()
    limits = [getattr(config, "max_position_embeddings", None), tokenizer.model_max_length]
    return int(min((limit for limit in limits if limit), default=2048))


def _settings(model: Any, tokenizer: Any, max_new_tokens: int, probabilities: bool) -> Any:
    transformers = require("transformers", extra="train", feature=_FEATURE)
    own = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}
    return transformers.GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=sorted(ends) or None,
        pad_token_id=_padding(tokenizer, ends),
        return_dict_in_generate=True,
        output_logits=probabilities,
    )


def _padding(tokenizer: Any, ends: set[int]) -> int:
    return int(next((n for n in (tokenizer.pad_token_id, *sorted(ends)) if n is not None), 0))


def _generate_batch(
    model: Any, tokenizer: Any, batch: list[list[int]], settings: Any
) -> list[Reply]:
    """Shapes: ids and mask (batch, longest prompt), padded on the left."""
    torch = require("torch", extra="train", feature=_FEATURE)
    width = max(map(len, batch))
    ids = torch.tensor([[settings.pad_token_id] * (width - len(row)) + row for row in batch])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in batch])
    made = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        generation_config=settings,
    )
    written = made.sequences[:, width:].tolist()
    chances = _chances(made.logits, written) if settings.output_logits else [()] * len(batch)
    replies = []
    for row, prompt, tokens in zip(range(len(batch)), batch, written, strict=True):
        length = _length(tokens, settings.eos_token_id)
        text = tokenizer.decode(tokens[:length], skip_special_tokens=True)
        replies.append(Reply(text, tuple(tokens[:length]), len(prompt), chances[row][:length]))
    return replies


def _length(tokens: list[int], ends: list[int] | None) -> int:
    """Return how many tokens were written before the end token."""
    return next((n for n, token in enumerate(tokens) if token in (ends or ())), len(tokens))


def _chances(logits: Any, written: list[list[int]]) -> list[tuple[float, ...]]:
    """Return the probability of each written token. Shapes: logits, a step each (batch, vocab)."""
    steps = [step.float().softmax(-1) for step in logits]
    return [
        tuple(float(step[row, token]) for step, token in zip(steps, tokens, strict=False))
        for row, tokens in enumerate(written)
    ]
