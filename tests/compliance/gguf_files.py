"""Tiny GGUF files for the tests, written by the `gguf` package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

WIDTH, TOKENS, LAYERS = 16, 48, 2

SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "padding_token_id": 0}


def write_gguf(path: Path, *, without: str = "", **changes: Any) -> Path:
    """Write a Llama-shaped model; `without` leaves one key out, `changes` replace what is named.

    Args:
        path: Where to.
        without: A key of the architecture, such as "context_length".
        changes: `tokens`, `scores`, `types` (how many), `merges` (the list), `rows` (of the
            embedding), `layers` (with tensors), `alignment`, and the names of special tokens.
    """
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    if "alignment" in changes:
        writer.add_custom_alignment(changes["alignment"])
    for key, value in {
        "context_length": 128,
        "embedding_length": WIDTH,
        "block_count": LAYERS,
        "feed_forward_length": 32,
    }.items():
        if key != without:
            getattr(writer, f"add_{key}")(value)
    if without != "attention.head_count":
        writer.add_head_count(2)
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    if without != "tokenizer":
        _add_tokenizer(writer, changes)
    _add_tensors(writer, changes)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any, changes: dict[str, Any]) -> None:
    tokens = changes.get("tokens", TOKENS)
    writer.add_tokenizer_model(changes.get("model", "gpt2"))
    writer.add_token_list([f"t{number}" for number in range(tokens)])
    writer.add_token_scores([-float(number) for number in range(changes.get("scores", tokens))])
    writer.add_token_types([1] * changes.get("types", tokens))
    writer.add_token_merges(changes.get("merges", ["t 1", "t 2", "t1 2"]))
    for name, value in SPECIAL.items():
        writer.add_uint32(f"tokenizer.ggml.{name}", changes.get(name, value))


def _add_tensors(writer: Any, changes: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    rows = changes.get("rows", changes.get("tokens", TOKENS))
    writer.add_tensor("token_embd.weight", random.random((rows, WIDTH), np.float32))
    for layer in range(changes.get("layers", LAYERS)):
        weights = random.random((WIDTH, WIDTH), np.float32)
        writer.add_tensor(f"blk.{layer}.attn_q.weight", weights.astype(np.float16))
    writer.add_tensor("output_norm.weight", random.random(WIDTH, np.float32))
