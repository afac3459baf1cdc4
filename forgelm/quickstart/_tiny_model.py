"""A language model small enough to train while you watch: built on the spot, with no network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from forgelm._core import require
from forgelm.quickstart._base_text import Conversation, everyday_conversations

__all__ = ["build_tiny_model", "single_threaded"]

_VOCABULARY = 512
_CONTEXT = 512
_START, _END, _PAD = "<|im_start|>", "<|im_end|>", "<|pad|>"

# A row ends exactly with the end-of-turn token, so that no trainer appends a second one.
_CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '' if loop.first else '\n' }}<|im_start|>{{ message['role'] }}\n"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|im_end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n<|im_start|>assistant\n' }}{% endif %}"
)

# 300 steps of 16 x 96 tokens: the base then writes English-like text, and an adapter on top of it
# has something to steer. On random weights LoRA barely learns: embeddings and head are frozen.
_STEPS, _BATCH, _BLOCK = 300, 16, 96
_FEATURE = "Building the tiny model"


def build_tiny_model(folder: str | Path, *, seed: int = 0) -> Path:
    """Return `folder`, now holding a small Llama-style chat model and its tokenizer.

    Two layers of 64 units, 115,000 parameters, a byte-level BPE vocabulary of 512 and a chat
    template: every part of a real model, half a megabyte in all. It is first trained for a few
    seconds on everyday conversations, so that fine-tuning it visibly teaches something new.

    Args:
        folder: Where `from_pretrained` will find it. Made if it is not there.
        seed: Same seed and same machine, same weights.

    Raises:
        OptionalDependencyError: The `train` extra is not installed.
        OSError: The folder cannot be written.
    """
    torch = require("torch", extra="train", feature=_FEATURE)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    conversations = everyday_conversations(1500, seed=seed)
    tokenizer = _build_tokenizer(conversations)
    with single_threaded(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _build_network(tokenizer)
        _pretrain(model, _token_stream(tokenizer, conversations))
    with _no_progress_bar():
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
    return target


@contextmanager
def single_threaded() -> Iterator[None]:
    """Run torch on one thread: on a model this small, more threads only wait for each other."""
    torch = require("torch", extra="train", feature=_FEATURE)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    bars = require("transformers.utils.logging", extra="train", feature=_FEATURE)
    enabled = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if enabled:
            bars.enable_progress_bar()


def _build_tokenizer(conversations: list[Conversation]) -> Any:
    tokenizers = require("tokenizers", extra="train", feature=_FEATURE)
    transformers = require("transformers", extra="train", feature=_FEATURE)
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[_PAD, _START, _END],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (message["content"] for rows in conversations for message in rows)
    bpe.train_from_iterator(texts, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=_END,
        pad_token=_PAD,
        additional_special_tokens=[_START],
        chat_template=_CHAT_TEMPLATE,
        model_max_length=_CONTEXT,
    )


def _build_network(tokenizer: Any) -> Any:
    transformers = require("transformers", extra="train", feature=_FEATURE)
    config = transformers.LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=_CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.LlamaForCausalLM(config)


def _token_stream(tokenizer: Any, conversations: list[Conversation]) -> Any:
    """Return every conversation, one after the other, as one tensor of token ids."""
    torch = require("torch", extra="train", feature=_FEATURE)
    texts = [tokenizer.apply_chat_template(rows, tokenize=False) for rows in conversations]
    return torch.tensor([token for ids in tokenizer(texts)["input_ids"] for token in ids])


def _pretrain(model: Any, stream: Any) -> None:
    torch = require("torch", extra="train", feature=_FEATURE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=_STEPS)
    model.train()
    for _ in tqdm(range(_STEPS), desc="training the tiny base", leave=False, disable=None):
        starts = torch.randint(len(stream) - _BLOCK, (_BATCH,)).tolist()
        batch = torch.stack([stream[start : start + _BLOCK] for start in starts])
        loss = model(input_ids=batch, labels=batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    model.eval()
