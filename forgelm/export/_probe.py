"""Whether two copies of a model compute the same: their logits on the same made-up tokens."""

from __future__ import annotations

import contextlib
import gc
from typing import Any

from forgelm._core import require

__all__ = ["free_weights", "largest_difference", "probe_logits"]

_ROWS, _TOKENS = 2, 24
_STRIDE, _START = 7919, 13  # a prime: tokens from all over the vocabulary


def probe_logits(model: Any, *, autocast: str | None = None, device: Any = None) -> Any:
    """Return the logits of `model` on the probe: float32 on the CPU, (row, token, vocabulary).

    Args:
        model: A causal language model, with or without an adapter; its mode is left as it was.
        autocast: Name of the number format of the forward pass, where that is not the weights'.
        device: Where it computes, if that is not where the weights lie.
    """
    torch = require("torch", extra="train", feature="Checking a model")
    weight = model.get_input_embeddings().weight
    # DeepSpeed keeps the shape of a weight that is elsewhere under a name of its own.
    vocabulary = getattr(weight, "ds_shape", weight.shape)[0]
    ids = (torch.arange(_ROWS * _TOKENS) * _STRIDE + _START) % vocabulary
    rows = ids.reshape(_ROWS, _TOKENS).to(device if device is not None else weight.device)
    cast: Any = contextlib.nullcontext()
    if autocast is not None:
        cast = torch.autocast(weight.device.type, dtype=getattr(torch, autocast))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), cast:
            logits = model(input_ids=rows, use_cache=False).logits
    finally:
        model.train(was_training)
    return logits.float().cpu()


def largest_difference(expected: Any, found: Any) -> float:
    """Return the largest difference of two sets of logits, as a share of the largest logit.

    Infinity where one of them is not finite, or they have different shapes.
    """
    if expected.shape != found.shape:
        return float("inf")
    difference = float((expected - found).abs().max())
    scale = max(1.0, float(expected.abs().max()))
    return difference / scale if difference - difference == 0 else float("inf")


def free_weights(model: Any) -> None:
    """Give back the memory of a model that is of no more use, whoever still holds it."""
    torch = require("torch", extra="train", feature="Checking a model")
    for weight in model.parameters():
        weight.grad = None
        weight.data = torch.empty(0, dtype=weight.dtype, device=weight.device)
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
