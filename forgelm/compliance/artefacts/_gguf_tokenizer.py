"""Whether the vocabulary in a GGUF file is of one piece and fits the model's tables."""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator
from typing import Any

from forgelm.compliance.artefacts._gguf_checks import is_decoder, is_split
from forgelm.compliance.artefacts._gguf_format import NO_VOCABULARY, SCALARS, STRING
from forgelm.compliance.artefacts._gguf_reader import GgufArray, GgufHead
from forgelm.compliance.audit_log import read_at

__all__ = ["tokenizer_problems"]

_TOKENS = "tokenizer.ggml.tokens"
_SPECIAL = re.compile(r"tokenizer\.ggml\.\w+_token_id")
_KINDS_OF_TOKEN = range(1, 7)  # normal, unknown, control, user defined, unused, byte
_CHUNK_BYTES = 1024 * 1024


def tokenizer_problems(head: GgufHead, descriptor: int, checks: dict[str, Any]) -> Iterator[str]:
    """Yield what is inconsistent, and add `tokenizer_model` and `vocabulary_size` to `checks`."""
    model = head.texts.get("tokenizer.ggml.model")
    tokens = head.arrays.get(_TOKENS)
    checks["tokenizer_model"] = model
    checks["vocabulary_size"] = tokens.length if tokens else None
    if model in NO_VOCABULARY:
        return
    if tokens is None or model is None:
        needed = is_decoder(head) and not is_split(head)
        if needed or tokens is not None or model is not None:
            absent = "tokenizer.ggml.model" if model is None else _TOKENS
            yield f"metadata key {absent!r} is missing, so there is no usable vocabulary"
        return
    if tokens.kind != STRING or not tokens.length:
        yield f"metadata key {_TOKENS!r} is no list of texts"
        return
    yield from _list_problems(head, descriptor, tokens.length)
    yield from _special_problems(head, tokens.length)
    yield from _table_problems(head, tokens.length)
    if model == "gpt2" and "tokenizer.ggml.merges" not in head.arrays:
        yield "metadata key 'tokenizer.ggml.merges' is missing, which a gpt2 vocabulary needs"


def _list_problems(head: GgufHead, descriptor: int, size: int) -> Iterator[str]:
    merges = head.arrays.get("tokenizer.ggml.merges")
    if merges is not None and merges.kind != STRING:
        yield "metadata key 'tokenizer.ggml.merges' is no list of texts"
    for key, codes in (("tokenizer.ggml.scores", "fd"), ("tokenizer.ggml.token_type", "iI")):
        found = head.arrays.get(key)
        if found is None:
            continue
        if found.kind == STRING or SCALARS[found.kind] not in codes:
            yield f"metadata key {key!r} is a list of the wrong type"
        elif found.length != size:
            yield f"metadata key {key!r} has {found.length} items for {size} tokens"
        else:
            yield from _value_problems(key, found, head.order, descriptor)


def _value_problems(key: str, found: GgufArray, order: str, descriptor: int) -> Iterator[str]:
    code = SCALARS[found.kind]
    values: array[int] | array[float] = array(code)
    size = found.length * values.itemsize
    for done in range(0, size, _CHUNK_BYTES):
        values = array(code)
        block = read_at(descriptor, min(_CHUNK_BYTES, size - done), found.offset + done)
        values.frombytes(block[: len(block) // values.itemsize * values.itemsize])
        if (order == "<") != (sys.byteorder == "little"):
            values.byteswap()
        for item, value in enumerate(values, done // values.itemsize):
            if value != value or (code in "iI" and value not in _KINDS_OF_TOKEN):
                yield f"item {item} of metadata key {key!r} is {value}"
                return


def _special_problems(head: GgufHead, size: int) -> Iterator[str]:
    for key, value in head.scalars.items():
        if _SPECIAL.fullmatch(key) and not (isinstance(value, int) and 0 <= value < size):
            yield f"metadata key {key!r} is {value}, and the vocabulary has {size} tokens"


def _table_problems(head: GgufHead, size: int) -> Iterator[str]:
    """Hold the vocabulary against the embedding and the output head, (width, tokens) each."""
    tables = {tensor.name: tensor.shape for tensor in head.tensors}
    embedding = tables.get("token_embd.weight")
    if embedding is None:
        if is_decoder(head) and head.tensors and not is_split(head):
            yield "there is no tensor 'token_embd.weight'"
        return
    for name in ("token_embd.weight", "output.weight"):
        shape = tables.get(name, (*embedding[:1], size))
        if len(shape) != 2 or shape[1] != size:
            yield f"tensor {name!r} has the shape {shape}, and the vocabulary has {size} tokens"
    width = head.scalars.get(f"{head.texts.get('general.architecture')}.embedding_length")
    if width is not None and embedding[0] != width:
        yield f"the embedding is {embedding[0]} wide, and embedding_length is {width}"
