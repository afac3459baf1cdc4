"""The arithmetic of merging: several versions of one tensor become one.

TIES and DARE are PEFT's own functions, given differences of whole weights. PEFT's
`add_weighted_adapter` gives them the two factors of each adapter instead, and the product of two
merged factors is not the merged product.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from forgelm._core import require

if TYPE_CHECKING:
    from forgelm.config import MergeConfig

__all__ = ["combination", "slerp"]

_FEATURE = "Merging models"
# Below this angle the two directions are one, and the formula would divide by zero.
_PARALLEL = 0.9995

Combine = Callable[[str, Any, Sequence[Any]], Any]


def combination(block: MergeConfig, weights: Sequence[float]) -> Combine:
    """Return the function `(name, base tensor, versions) -> merged tensor` of a merge.

    Weights count as shares: they are scaled to a sum of 1.
    """
    total = sum(weights)
    shares = [weight / total for weight in weights]
    if block.method == "slerp":
        return lambda _name, _base, parts: slerp(parts[0], parts[1], shares[1])
    if block.method == "linear":
        return lambda _name, _base, parts: _linear(parts, shares)
    if block.method == "ties":
        kept = 1.0 - block.ties_trim_fraction
        return lambda _name, base, parts: _ties(base, parts, shares, kept)
    kept = 1.0 - block.dare_drop_rate
    return lambda name, base, parts: _dare(base, parts, shares, kept, block.dare_seed, name)


def slerp(first: Any, second: Any, t: float) -> Any:
    """Return the tensor at share `t` of the way from `first` to `second`, along the arc.

    Directions and lengths are both interpolated, each tensor as one long vector; nearly parallel
    ones in a straight line.

    Source: Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """
    torch = require("torch", extra="train", feature=_FEATURE)
    start, end = first.double(), second.double()
    lengths = start.norm() * end.norm()
    cosine = float((start * end).sum() / lengths) if lengths > 0 else 1.0
    if abs(cosine) > _PARALLEL:
        return ((1 - t) * start + t * end).float()
    angle = torch.arccos(torch.tensor(cosine, dtype=torch.float64))
    parts = torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end
    return (parts / torch.sin(angle)).float()


def _linear(parts: Sequence[Any], shares: Sequence[float]) -> Any:
    return sum(part.float() * share for part, share in zip(parts, shares, strict=True))


def _ties(base: Any, parts: Sequence[Any], shares: Sequence[float], kept: float) -> Any:
    """Source: Yadav et al., "TIES-Merging", NeurIPS 2023."""
    torch = require("torch", extra="train", feature=_FEATURE)
    ties = require("peft.utils.merge_utils", extra="train", feature=_FEATURE).ties
    # The mean over the models that agree is taken inside, so equal shares have to count as 1.
    weights = torch.tensor(shares) * len(shares)
    with _all_kept_is_fine():
        return base.float() + ties(_differences(base, parts), weights, kept)


def _dare(
    base: Any, parts: Sequence[Any], shares: Sequence[float], kept: float, seed: int, name: str
) -> Any:
    """Source: Yu et al., "Language Models are Super Mario", ICML 2024."""
    torch = require("torch", extra="train", feature=_FEATURE)
    if kept == 0:
        return base.float()
    dare = require("peft.utils.merge_utils", extra="train", feature=_FEATURE).dare_linear
    with torch.random.fork_rng(devices=[]), _all_kept_is_fine():
        torch.manual_seed(seed ^ zlib.crc32(name.encode()))  # whatever order tensors come in
        merged = dare(_differences(base, parts), torch.tensor(shares), kept)
    return base.float() + merged


def _differences(base: Any, parts: Sequence[Any]) -> list[Any]:
    return [part.float() - base.float() for part in parts]


@contextmanager
def _all_kept_is_fine() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The density 1.0 is greater than or equal to 1")
        yield
