"""What GGUF wants to know of a model: its shape as metadata, its tensors by other names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm._core import require
from forgelm.errors import DataError
from forgelm.export._folders import read_json
from forgelm.export._weights import ModelWeights

__all__ = ["GgufModel", "TensorPlan"]

_ARCHITECTURES = {"llama": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3"}
_FEATURE = "Exporting to GGUF"


@dataclass(frozen=True)
class TensorPlan:
    """One tensor of the file to write.

    Attributes:
        name: Its name in GGUF.
        source: Its name in the model folder, or None for one that is computed.
        shape: Its shape, as in the model folder.
        heads: Attention heads whose rows are reordered, 0 for none.
    """

    name: str
    source: str | None
    shape: tuple[int, ...]
    heads: int = 0


class GgufModel:
    """A model folder, seen with the eyes of GGUF.

    Attributes:
        architecture: "llama", "qwen2" or "qwen3".
        vocabulary: Rows of the embedding table.
    """

    def __init__(self, folder: Path) -> None:
        """Read the configuration and the tensors' names.

        Raises:
            DataError: The model cannot be written as GGUF, or its configuration is not whole.
        """
        self._gguf = require("gguf", extra="export", feature=_FEATURE)
        self._config = read_json(folder / "config.json")
        kind = self._config.get("model_type")
        if kind not in _ARCHITECTURES:
            raise DataError(
                f"{folder}: a model of type {kind!r} cannot be exported; "
                f"{', '.join(_ARCHITECTURES)} can"
            )
        self._folder = folder
        self._weights = ModelWeights(folder)
        self.architecture: str = kind
        rope = self._config.get("rope_parameters") or self._config.get("rope_scaling") or {}
        if not isinstance(rope, dict):
            raise DataError(f"{folder / 'config.json'}: rope_parameters is not an object")
        self._rope = rope
        self._rope_type = rope.get("rope_type", rope.get("type", "default"))
        if self._rope_type not in {"default", "linear", "yarn", "llama3"}:
            raise DataError(f"{folder}: rope_type {self._rope_type!r} cannot be exported")
        self.vocabulary = self._weights.shape(self._embedding())[0]

    @property
    def is_plain(self) -> bool:
        """Every number of the configuration has a place that transformers reads back."""
        usual = 128 if self.architecture == "qwen3" else self._default_head_size()
        has_biases = self.architecture == "llama" and any(
            name.endswith("_proj.bias") for name in self._weights.names()
        )
        return self._rope_type == "default" and self._head_size() == usual and not has_biases

    def write_metadata(self, writer: Any) -> None:
        """Add the model's shape to `writer`."""
        writer.add_context_length(self._number("max_position_embeddings"))
        writer.add_embedding_length(self._number("hidden_size"))
        writer.add_block_count(self._number("num_hidden_layers"))
        writer.add_feed_forward_length(self._number("intermediate_size"))
        writer.add_head_count(self._number("num_attention_heads"))
        writer.add_head_count_kv(self._key_value_heads())
        writer.add_key_length(self._head_size())
        writer.add_value_length(self._head_size())
        writer.add_layer_norm_rms_eps(float(self._config.get("rms_norm_eps", 1e-6)))
        theta = self._rope.get("rope_theta", self._config.get("rope_theta", 10_000.0))
        writer.add_rope_freq_base(float(theta))
        writer.add_rope_dimension_count(self._head_size())
        writer.add_vocab_size(self.vocabulary)
        self._write_rope_scaling(writer)

    def tensors(self) -> Iterator[TensorPlan]:
        """Yield each tensor to write.

        Raises:
            DataError: The model has a tensor that GGUF has no name for.
        """
        names = self._gguf.get_tensor_name_map(
            getattr(self._gguf.MODEL_ARCH, _ARCHITECTURES[self.architecture]),
            self._number("num_hidden_layers"),
        )
        if self._rope_type == "llama3":
            yield TensorPlan("rope_freqs.weight", None, (self._head_size() // 2,))
        for source in self._weights.names():
            if source.endswith("rotary_emb.inv_freq"):
                continue
            name = names.get_name(source, try_suffixes=(".weight", ".bias"))
            if name is None:
                raise DataError(f"{self._folder}: the tensor {source} has no place in GGUF")
            yield TensorPlan(name, source, self._weights.shape(source), self._permuted(source))

    def values(self, plan: TensorPlan) -> Any:
        """Return a tensor's numbers as a float32 array in the order GGUF has them."""
        if plan.source is None:
            return self._rope_factors()
        tensor = self._weights.tensor(plan.source).float().numpy()
        if not plan.heads:
            return tensor
        # transformers rotates halves of a head, llama.cpp neighbouring pairs.
        half = tensor.shape[0] // plan.heads // 2
        paired = tensor.reshape(plan.heads, 2, half, *tensor.shape[1:]).swapaxes(1, 2)
        return paired.reshape(tensor.shape)

    def _permuted(self, source: str) -> int:
        if self.architecture != "llama":
            return 0
        if ".q_proj." in source:
            return self._number("num_attention_heads")
        return self._key_value_heads() if ".k_proj." in source else 0

    def _write_rope_scaling(self, writer: Any) -> None:
        if self._rope_type not in {"linear", "yarn"}:
            return
        kinds = self._gguf.RopeScalingType
        writer.add_rope_scaling_type(kinds.LINEAR if self._rope_type == "linear" else kinds.YARN)
        writer.add_rope_scaling_factor(float(self._rope["factor"]))
        if self._rope_type == "yarn":
            length = self._rope.get("original_max_position_embeddings")
            writer.add_rope_scaling_orig_ctx_len(length or self._number("max_position_embeddings"))

    def _rope_factors(self) -> Any:
        """Return the divisors of the rotary frequencies, (head size / 2,).

        Source: the scaling of Llama 3.1, as transformers computes it.
        """
        numpy = require("numpy", extra="export", feature=_FEATURE)
        rope = self._rope
        theta = float(rope.get("rope_theta", self._config.get("rope_theta", 10_000.0)))
        exponents = numpy.arange(0, self._head_size(), 2, dtype=numpy.float64) / self._head_size()
        wavelengths = 2 * math.pi * theta**exponents
        low, high, factor = (
            float(rope[key]) for key in ("low_freq_factor", "high_freq_factor", "factor")
        )
        share = (float(rope["original_max_position_embeddings"]) / wavelengths - low) / (high - low)
        share = numpy.clip(share, 0.0, 1.0)
        return (1.0 / ((1 - share) / factor + share)).astype(numpy.float32)

    def _embedding(self) -> str:
        name = "model.embed_tokens.weight"
        if name not in self._weights:
            raise DataError(f"{self._folder}: has no tensor {name}")
        return name

    def _number(self, key: str) -> int:
        value = self._config.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise DataError(f"{self._folder / 'config.json'}: {key} is not a whole number above 0")
        return value

    def _key_value_heads(self) -> int:
        return int(self._config.get("num_key_value_heads") or self._number("num_attention_heads"))

    def _default_head_size(self) -> int:
        return self._number("hidden_size") // self._number("num_attention_heads")

    def _head_size(self) -> int:
        return int(self._config.get("head_dim") or self._default_head_size())
