"""Candidates: rows with equal hashes, and a bound on how many of them are compared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.near_duplicates._arrays import pieces, places_where

__all__ = ["Budget", "Pairs", "equal_pairs"]

Sizes = NDArray[np.int64]
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


class Budget:
    """How many candidates may be compared: what one band leaves is for the others.

    Rows that share a band with thousands of others are compared with their neighbours only once
    the budget asks for it, so that no corpus makes the search quadratic.
    """

    def __init__(self, pairs: int, bands: int) -> None:
        self.complete = True
        self.bands = bands
        self._left = pairs

    def reach(self, sizes: Sizes) -> int:
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
        hashes: One of each position; let go of here if the caller keeps none of it.
        budget: What may be compared.
        chunk: Positions to go through together: few of them make for few different rows in a block.
        block: Pairs to gather at least before they are yielded.
    """
    size = hashes.size
    ordered, order = _sorted(hashes)
    del hashes
    after = ordered[1:]
    repeated = places_where(lambda piece: after[piece] == ordered[:-1][piece], size - 1)
    reach = budget.reach(_group_sizes(repeated))
    waiting: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]] = []
    pairs = 0
    for start in range(0, repeated.size, chunk):
        place = repeated[start : start + chunk].astype(np.int64)
        for gap in range(1, reach + 1):
            place = place[place + gap < size]
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


def _sorted(hashes: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the hashes in order, and the position of each: halves of the same eight bytes."""
    packed = np.empty(hashes.size, np.uint64)
    for piece in pieces(hashes.size):
        packed[piece] = hashes[piece]
        packed[piece] <<= np.uint64(32)
        packed[piece] |= np.arange(*piece.indices(hashes.size), dtype=np.uint64)
    packed.sort()
    halves = packed.astype("<u8", copy=False).view("<u4")
    return halves[1::2], halves[::2]


def _group_sizes(repeated: NDArray[np.uint32]) -> Sizes:
    """Return the sizes of groups of equal values, given the places whose next one is equal."""
    lasts = np.flatnonzero(np.diff(repeated) != 1)
    edges = np.concatenate([[-1], lasts, [repeated.size - 1]]).astype(np.int64)
    sizes: Sizes = np.diff(edges) + 1
    return sizes if repeated.size else sizes[:0]


def _together(pairs: list[tuple[NDArray[np.uint32], NDArray[np.uint32]]]) -> Pairs:
    i, j = zip(*pairs, strict=True)
    return np.concatenate(i, dtype=np.int64), np.concatenate(j, dtype=np.int64)


def _pairs_within(sizes: Sizes, gap: int) -> int:
    """Count the pairs at most `gap` apart in groups of these sizes."""
    reach = np.minimum(sizes - 1, gap)
    return int((reach * sizes - reach * (reach + 1) // 2).sum())
