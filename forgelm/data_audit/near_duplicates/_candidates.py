"""Candidates: rows with equal hashes, and a bound on how many of them are compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["Budget", "Pairs", "equal_pairs"]

Indices = NDArray[np.int64]
Pairs = tuple[Indices, Indices]


class Budget:
    """How many candidates may be compared: what one band leaves is for the others.

    Rows that share a band with thousands of others are compared with their neighbours only once
    the budget asks for it, so that no corpus makes the search quadratic.
    """

    def __init__(self, pairs: int, bands: int) -> None:
        self.complete = True
        self.bands = bands
        self._left = pairs

    def reach(self, sizes: Indices) -> int:
        """Return how far apart in a group of equal keys rows may stand to be compared.

        Args:
            sizes: Rows of each group.
        """
        share = self._left // max(self.bands, 1)
        self.bands -= 1
        low, high = 1, max(int(sizes.max(initial=1)) - 1, 1)
        if _pairs_within(sizes, high) > share:
            self.complete = False
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (
                    (middle, high) if _pairs_within(sizes, middle) <= share else (low, middle)
                )
            high = low
        self._left -= min(_pairs_within(sizes, high), self._left)
        return high


def equal_pairs(
    hashes: NDArray[np.uint32], budget: Budget, *, chunk: int = 1 << 15, block: int = 1 << 15
) -> Iterator[Pairs]:
    """Yield pairs of positions with equal hashes, as far as the budget reaches.

    Args:
        hashes: One of each position.
        budget: What may be compared.
        chunk: Positions to go through together: few of them make for few different rows in a block.
        block: Pairs to gather at least before they are yielded.
    """
    packed = hashes.astype(np.uint64) << np.uint64(32)
    packed |= np.arange(hashes.size, dtype=np.uint64)
    packed.sort()
    order = packed.astype(np.uint32)  # the low half
    packed >>= np.uint64(32)
    ordered = packed.astype(np.uint32)
    del packed
    edges = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
    sizes = np.diff(edges) if hashes.size else np.zeros(0, np.int64)
    reach = budget.reach(sizes[sizes > 1])
    del edges, sizes
    repeated = np.flatnonzero(ordered[1:] == ordered[:-1])
    waiting: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]] = []
    pairs = 0
    for start in range(0, repeated.size, chunk):
        place = repeated[start : start + chunk]
        for gap in range(1, reach + 1):
            place = place[place + gap < hashes.size]
            place = place[ordered[place] == ordered[place + gap]]
            if not place.size:
                break
            waiting.append((order[place], order[place + gap]))
            pairs += place.size
            if pairs >= block:
                yield _together(waiting)
                waiting, pairs = [], 0
    if waiting:
        yield _together(waiting)


def _together(pairs: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]]) -> Pairs:
    i, j = zip(*pairs, strict=True)
    return np.concatenate(i, dtype=np.int64), np.concatenate(j, dtype=np.int64)


def _pairs_within(sizes: Indices, gap: int) -> int:
    """Count the pairs at most `gap` apart in groups of these sizes."""
    reach = np.minimum(sizes - 1, gap)
    return int((reach * sizes - reach * (reach + 1) // 2).sum())
