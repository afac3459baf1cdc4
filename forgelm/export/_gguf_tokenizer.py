"""A tokenizer as GGUF metadata.

llama.cpp does not read a tokenizer's rules: it knows each kind by name. A wrong name gives wrong
tokens and no error, so a kind that is not known here is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forgelm._core import require
from forgelm.errors import DataError
from forgelm.export._folders import read_json

__all__ = ["write_tokenizer"]

_FEATURE = "Exporting to GGUF"
_SPLITS = {
    # The expression a tokenizer splits text with -> llama.cpp's name for it.
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "llama-bpe",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
}
# Marks for training that only transformers' templates know; they print nothing.
_GENERATION = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")


def write_tokenizer(folder: Path, writer: Any, vocabulary: int) -> None:
    """Add the tokenizer in `folder` to `writer`.

    Args:
        folder: The model folder.
        writer: A `gguf.GGUFWriter`.
        vocabulary: Rows of the model's embedding table; tokens are added up to it.

    Raises:
        DataError: There is no tokenizer.json, or llama.cpp has no such kind of tokenizer.
    """
    gguf = require("gguf", extra="export", feature=_FEATURE)
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise DataError(f"{folder}: has no tokenizer.json; save the model's fast tokenizer there")
    document = read_json(path)
    model = document.get("model")
    if not isinstance(model, dict) or model.get("type") != "BPE":
        raise DataError(f"{path}: only byte-pair tokenizers can be exported")
    tokens, kinds = _tokens(gguf, document, vocabulary, path)
    special = gguf.SpecialVocab(folder, load_merges=True, n_vocab=vocabulary)
    if model.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_token_scores(_scores(model, special.merges, tokens, path))
        special.merges = []
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_pre_tokenizer(document, path))
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    special.add_special_token.setdefault("bos", _adds_first(path, special))
    if isinstance(special.chat_template, str):
        special.chat_template = _GENERATION.sub("", special.chat_template)
    special.add_to_gguf(writer, quiet=True)


def _tokens(
    gguf: Any, document: dict[str, Any], vocabulary: int, path: Path
) -> tuple[list[str], list[int]]:
    """Return every token by its number, and its type; numbers without one are marked unused."""
    types = gguf.TokenType
    tokens = [f"[PAD{number}]" for number in range(vocabulary)]
    kinds = [int(types.UNUSED)] * vocabulary
    has_bytes = bool(document["model"].get("byte_fallback"))
    for text, number, kind in _entries(document, types, has_bytes):
        if not isinstance(number, int) or not 0 <= number < vocabulary:
            raise DataError(
                f"{path}: the token {text!r} has number {number!r} and the model has room for "
                f"{vocabulary}"
            )
        tokens[number], kinds[number] = text, int(kind)
    return tokens, kinds


def _entries(document: dict[str, Any], types: Any, has_bytes: bool) -> Iterator[tuple[Any, ...]]:
    for text, number in document["model"]["vocab"].items():
        is_byte = has_bytes and re.fullmatch(r"<0x[0-9A-F]{2}>", text)
        yield text, number, types.BYTE if is_byte else types.NORMAL
    for added in document.get("added_tokens") or []:
        kind = types.CONTROL if added.get("special") else types.USER_DEFINED
        yield added.get("content"), added.get("id"), kind


def _pre_tokenizer(document: dict[str, Any], path: Path) -> str:
    rule = document.get("pre_tokenizer") or {}
    steps = rule.get("pretokenizers", [rule])
    kinds = [step.get("type") for step in steps]
    if kinds == ["ByteLevel"] and steps[0].get("use_regex", True):
        return "gpt-2"
    if kinds == ["Split", "ByteLevel"] and not steps[1].get("use_regex", True):
        pattern = steps[0].get("pattern", {}).get("Regex", "")
        if pattern in _SPLITS:
            return _SPLITS[pattern]
    raise DataError(
        f"{path}: llama.cpp has no name for this way of splitting text "
        f"({', '.join(map(str, kinds))}), and would read it as other tokens"
    )


def _scores(model: dict[str, Any], merges: list[str], tokens: list[str], path: Path) -> list[float]:
    """Return SentencePiece's scores: the earlier a token was merged, the lower its number.

    Source: sentencepiece, bpe_model_trainer.cc; tokens are numbered in the order of their merges.
    """
    vocab = model["vocab"]
    made = [vocab.get("".join(merge.split(" ", 1))) for merge in merges]
    if None in made or made != sorted(made):
        raise DataError(f"{path}: its tokens are not numbered in the order of their merges")
    return [-float(number) for number in range(len(tokens))]


def _adds_first(path: Path, special: Any) -> bool:
    """Say whether the tokenizer begins a text with its first token by itself."""
    tokenizers = require("tokenizers", extra="train", feature=_FEATURE)
    ids = tokenizers.Tokenizer.from_file(str(path)).encode("a").ids
    return bool(ids) and ids[0] == special.special_token_ids.get("bos")
