"""The block `distributed`: what it means to the Trainer, and what it cannot mean here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import is_installed, require
from forgelm.trainer.backend._precision import Precision

if TYPE_CHECKING:
    from forgelm.config import DistributedConfig, ForgeConfig

__all__ = ["asks_for_processes", "distributed_arguments", "distributed_issues"]

# FSDP 2 has a switch where FSDP 1 had four strategies.
_RESHARDS = {"full_shard": True, "shard_grad_op": False}
_GATHERS = "stage3_gather_16bit_weights_on_model_save"
_ZERO: dict[str, Any] = {
    "zero_optimization": {"stage": 2},
    "bf16": {"enabled": "auto"},
    "fp16": {"enabled": "auto"},
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
}


def asks_for_processes(config: ForgeConfig) -> bool:
    """Say whether the training is to be spread over processes of its own."""
    return config.distributed is not None and config.distributed.strategy is not None


def distributed_arguments(config: ForgeConfig, precision: Precision) -> dict[str, Any]:
    """Return the Trainer's arguments for the strategy, empty for a single process."""
    block = config.distributed
    if block is None or block.strategy is None:
        return {}
    if block.strategy == "ddp":
        return {
            "ddp_backend": "nccl" if precision.device == "cuda" else "gloo",
            # Looking for them costs time at every step; experts are what may go unused.
            "ddp_find_unused_parameters": config.model.moe is not None,
        }
    if block.strategy == "deepspeed":
        return {"deepspeed": block.deepspeed_config or _ZERO}
    return {"fsdp": True, "fsdp_config": _fsdp(block), "activation_checkpointing": False}


def distributed_issues(config: ForgeConfig) -> Iterator[tuple[str, str]]:
    """Yield what of the block cannot be honoured on this machine: key and problem."""
    block = config.distributed
    if block is None or block.strategy is None or not is_installed("torch"):
        return
    cuda = require("torch", extra="train", feature="Training").cuda
    gpus = cuda.device_count() if cuda.is_available() else 0
    if block.processes is None and not gpus:
        yield "distributed.processes", "there is no GPU to count; say how many processes"
    if gpus and (block.processes or 1) > gpus:
        yield "distributed.processes", f"is {block.processes}, and there are {gpus} GPUs"
    if config.training.oom_recovery:
        told = "works in one process only: the others would wait for the one that ran out of memory"
        yield "training.oom_recovery", f"{told}; lower the batch size instead"
    if block.strategy != "ddp" and not gpus:
        told = f"{block.strategy} needs GPUs, and without one it would be plain ddp; write ddp"
        yield "distributed.strategy", told
    if block.strategy != "ddp" and config.lora.method == "pissa":
        told = f"pissa changes the base, and with {block.strategy} its adapter cannot be gathered"
        yield "lora.method", f"{told}; take lora, rslora or dora"
    if block.strategy == "fsdp":
        yield from _fsdp_issues(block)
    if block.strategy == "deepspeed":
        yield from _deepspeed_issues(block)


def _fsdp(block: DistributedConfig) -> dict[str, Any]:
    return {
        "version": 2,
        "reshard_after_forward": _RESHARDS[block.fsdp_strategy],
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP" if block.fsdp_auto_wrap else "NO_WRAP",
        "cpu_offload": block.fsdp_offload,
        "state_dict_type": block.fsdp_state_dict_type,
        "activation_checkpointing": True,
    }


def _fsdp_issues(block: DistributedConfig) -> Iterator[tuple[str, str]]:
    if block.fsdp_strategy not in _RESHARDS:
        told = "is a strategy of FSDP 1, which transformers gave up; take full_shard, shard_grad_op"
        yield "distributed.fsdp_strategy", f"{told}, or strategy: ddp"
    if block.fsdp_backward_prefetch != "backward_pre":
        told = "FSDP 2 prefetches by itself; leave it out"
        yield "distributed.fsdp_backward_prefetch", told
    if block.fsdp_state_dict_type != "FULL_STATE_DICT":
        told = "the final model could not be gathered from pieces; take FULL_STATE_DICT"
        yield "distributed.fsdp_state_dict_type", told


def _deepspeed_issues(block: DistributedConfig) -> Iterator[tuple[str, str]]:
    if not is_installed("deepspeed"):
        told = "needs the package deepspeed; run pip install 'forgelm[distributed]'"
        yield "distributed.strategy", told
    path = block.deepspeed_config
    if path is not None and not Path(path).is_file():
        yield "distributed.deepspeed_config", f"there is no file {path!r}; correct the path"
    elif path is not None:
        try:
            settings = json.loads(Path(path).read_bytes())
            zero = settings.get("zero_optimization") or {}
            keeps_pieces = zero.get("stage") == 3 and not zero.get(_GATHERS)
        except (OSError, ValueError, AttributeError, RecursionError) as error:
            yield "distributed.deepspeed_config", f"{path!r} cannot be read as JSON: {error}"
            return
        if keeps_pieces:
            told = f"stage 3 needs zero_optimization.{_GATHERS}: true, or nobody gathers the model"
            yield "distributed.deepspeed_config", told
