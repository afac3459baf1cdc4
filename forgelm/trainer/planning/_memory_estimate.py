"""How much memory a training would need, estimated from the model's files alone."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from forgelm.trainer.backend import Machine
from forgelm.trainer.planning._model_files import ModelFiles

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["MemoryEstimate", "estimate_memory"]

Outlook = Literal["fits", "tight", "will not fit", "unknown"]

# Above this share of the free memory, what the estimate leaves out may tip the balance.
_COMFORTABLE_SHARE = 0.85
_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_NF4_BYTES = 0.5 + 4 / 64  # a scale in float32 for every 64 weights
_NF4_DOUBLE_BYTES = 0.5 + 0.127 / 8  # Source: Dettmers et al., "QLoRA", 2023: 0.127 bits
# Interpreter and libraries on a CPU, context and workspaces on a GPU.
_RUNTIME_BYTES = {"cpu": 550 << 20, "mps": 550 << 20, "cuda": 900 << 20}
# TRL's fused head works on tiles of the logits; without Triton, which a CPU lacks, its folding
# keeps about nine copies of a tile. Measured by tests/benchmarks/bench_memory_estimate.py.
_FUSED_HEAD = ("sft", "dpo", "kto", "grpo")
_TILE_TOKENS, _TILE_WIDTH = 4096, 32768
_TILE_COPIES = {"cpu": 9, "mps": 9, "cuda": 1}
# Without it: the logits, their float32 softmax, its gradient, and the logits' own gradient.
_LOGIT_COPIES = 4
# glibc gives freed tensors under 32 MB back late: measured by the same script as up to 0.8 of what
# the layers keep, and as nothing with MALLOC_MMAP_THRESHOLD_=65536.
_HEAP_SLACK_QUARTERS = {"cpu": 7, "mps": 4, "cuda": 4}
_ADAM_BYTES = 8  # two moments in float32
_IN_A_LAYER = re.compile(r"(^|\.)(layers|h|blocks)\.\d+\.")


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that a training needs on its device, by part, against what is free there.

    Attributes:
        outlook: "fits", "tight", "will not fit", or "unknown" where the model cannot be described.
        parts: `weights`, `adapter`, `gradients`, `optimizer`, `activations`, `kv_cache` and
            `runtime`, in bytes. The last one stands for the libraries themselves.
        free_bytes: Memory that is free on the device now.
        trainable_parameters: Numbers that are trained.
        tokens: Length of the rows it is calculated for: the longest seen, or `model.max_length`.
        reason: Why it is unknown, or None.
    """

    outlook: Outlook
    parts: dict[str, int] = field(default_factory=dict)
    free_bytes: int | None = None
    trainable_parameters: int = 0
    tokens: int = 0
    reason: str | None = None

    @property
    def total_bytes(self) -> int:
        """The sum of the parts."""
        return sum(self.parts.values())

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate in plain types, with its total."""
        return {**self.__dict__, "parts": dict(self.parts), "total_bytes": self.total_bytes}


def estimate_memory(
    config: ForgeConfig, files: ModelFiles, machine: Machine, *, tokens: int | None = None
) -> MemoryEstimate:
    """Return what a training would need at its peak.

    Exact for weights, adapter, gradients and optimizer; activations are counted from what
    PyTorch keeps of a Llama-like layer, and are rough for other architectures.

    Args:
        config: The configuration.
        files: The model, as its files describe it.
        machine: The device and what is free on it.
        tokens: Length of the longest row where it is known.
    """
    if not files.shapes or files.problem:
        return MemoryEstimate("unknown", free_bytes=machine.free_bytes, reason=files.problem)
    length = min(tokens or config.model.max_length, config.model.max_length)
    trained = _trainable(config, files)
    is_full = config.lora.method == "full"
    parts = {
        "weights": _weight_bytes(config, files, machine),
        "adapter": 0 if is_full else 4 * trained,
        "gradients": 4 * trained,
        "optimizer": _optimizer_bytes(config, files, trained),
        "activations": _activation_bytes(config, files, machine, length),
        "kv_cache": _cache_bytes(config, files, machine, length),
        "runtime": _RUNTIME_BYTES[machine.device],
    }
    needed = sum(parts.values())
    return MemoryEstimate(
        _outlook(needed, machine.free_bytes),
        parts,
        free_bytes=machine.free_bytes,
        trainable_parameters=trained,
        tokens=length,
        reason=None if machine.free_bytes else "the free memory of the device is not known",
    )


def _outlook(needed: int, free: int | None) -> Outlook:
    if free is None:
        return "unknown"
    if needed > free:
        return "will not fit"
    return "fits" if needed <= _COMFORTABLE_SHARE * free else "tight"


def _weight_bytes(config: ForgeConfig, files: ModelFiles, machine: Machine) -> int:
    each = 4 if _keeps_float32(config) else _BYTES[machine.dtype]
    on_gpu = machine.device == "cuda" and config.lora.method not in {"full", "pissa"}
    if not on_gpu or not (config.model.load_in_4bit or config.model.load_in_8bit):
        return each * files.parameters
    layers = sum(math.prod(shape) for shape in _linear_layers(files).values())
    small = 1.0 if config.model.load_in_8bit else _NF4_BYTES
    if config.model.load_in_4bit and config.model.bnb_4bit_use_double_quant:
        small = _NF4_DOUBLE_BYTES
    return round(small * layers) + each * (files.parameters - layers)


def _keeps_float32(config: ForgeConfig) -> bool:
    return config.lora.method == "full" and not config.training.galore_enabled


def _linear_layers(files: ModelFiles) -> dict[str, tuple[int, ...]]:
    """Return the matrices inside the layers, by module: neither embeddings nor the head."""
    return {
        name.removesuffix(".weight"): shape
        for name, shape in files.shapes.items()
        if len(shape) == 2 and name.endswith(".weight") and _IN_A_LAYER.search(name)
    }


def _targets(config: ForgeConfig, files: ModelFiles) -> dict[str, tuple[int, ...]]:
    wanted = config.lora.target_modules
    layers = _linear_layers(files)
    if wanted in ("all-linear", ["all-linear"]):
        return layers
    names = [wanted] if isinstance(wanted, str) else wanted
    return {
        name: shape
        for name, shape in layers.items()
        if any(name == one or name.endswith(f".{one}") for one in names)
    }


def _trainable(config: ForgeConfig, files: ModelFiles) -> int:
    if config.lora.method == "full":
        return files.parameters
    count = 0
    for shape in _targets(config, files).values():
        count += config.lora.r * sum(shape)
        count += max(shape) if config.lora.method == "dora" else 0
    return count


def _optimizer_bytes(config: ForgeConfig, files: ModelFiles, trained: int) -> int:
    if not config.training.galore_enabled:
        return _ADAM_BYTES * trained
    each = 2 if "8bit" in config.training.galore_optim else _ADAM_BYTES
    layers = list(_linear_layers(files).values())
    rank = config.training.galore_rank
    projected = sum(min(rank, min(shape)) * max(shape) for shape in layers)
    return each * (projected + trained - sum(math.prod(shape) for shape in layers)) + 4 * sum(
        min(rank, min(shape)) * min(shape) for shape in layers
    )


def _activation_bytes(config: ForgeConfig, files: ModelFiles, machine: Machine, length: int) -> int:
    tokens = length * _sequences(config)
    each = _BYTES[machine.dtype]
    hidden, layers = files.size("hidden_size"), files.size("num_hidden_layers")
    kept = _kept_of_a_layer(config, files, machine)
    checkpointing = config.training.gradient_checkpointing
    if checkpointing is None:
        checkpointing = machine.device == "cuda"
    body = layers * hidden * each + kept if checkpointing else layers * kept
    body = tokens * body * _HEAP_SLACK_QUARTERS[machine.device] // 4
    return body + _head_bytes(config, files, machine, tokens)


def _head_bytes(config: ForgeConfig, files: ModelFiles, machine: Machine, tokens: int) -> int:
    """Return the bytes of the logits, and of what is calculated from them, at their peak."""
    vocabulary = files.size("vocab_size")
    if config.training.trainer_type not in _FUSED_HEAD:
        return tokens * vocabulary * 4 * _LOGIT_COPIES
    tile = min(tokens, _TILE_TOKENS) * min(vocabulary, _TILE_WIDTH)
    return 4 * tile * _TILE_COPIES[machine.device]


def _kept_of_a_layer(config: ForgeConfig, files: ModelFiles, machine: Machine) -> int:
    """Return the bytes that one layer keeps of one token for the backward pass.

    Counted from a Llama layer: the input of both norms (in float32), queries, keys, values and
    the result of attention, three tensors of the feed-forward part; and what enters the layers
    that are trained, with dropout's copy and mask.
    """
    each = _BYTES[machine.dtype]
    hidden, inner = files.size("hidden_size"), files.size("intermediate_size")
    heads = files.size("num_attention_heads", 1)
    size = files.size("head_dim", hidden // heads)
    shared = files.size("num_key_value_heads", heads)
    kept = 2 * hidden * 4 + (2 * heads + 2 * shared) * size * each + 3 * inner * each
    if each < 4:
        kept += 2 * hidden * each  # the norms' float32 copies stand beside the originals
    if config.lora.method == "full":
        return kept + (2 * hidden + inner) * each + 2 * hidden * each
    inputs = _targets(config, files)
    count = max(files.size("num_hidden_layers"), 1)
    entering = sum(shape[-1] for shape in inputs.values()) / count
    mask = (1 if machine.device == "cuda" else each) if config.lora.dropout else 0
    return kept + round(entering * (each + mask))


def _sequences(config: ForgeConfig) -> int:
    """Return how many sequences are in the model at once: two for a pair."""
    pairs = config.training.trainer_type in {"dpo", "simpo", "orpo"}
    return config.training.per_device_train_batch_size * (2 if pairs else 1)


def _cache_bytes(config: ForgeConfig, files: ModelFiles, machine: Machine, length: int) -> int:
    """Return the keys and values of the answers that GRPO writes, all at once."""
    training = config.training
    if training.trainer_type != "grpo":
        return 0
    hidden, heads = files.size("hidden_size"), files.size("num_attention_heads", 1)
    size = files.size("head_dim", hidden // heads)
    width = 2 * files.size("num_key_value_heads", heads) * size * files.size("num_hidden_layers")
    rows = training.per_device_train_batch_size * training.gradient_accumulation_steps
    return rows * (length + training.grpo_max_completion_length) * width * _BYTES[machine.dtype]
