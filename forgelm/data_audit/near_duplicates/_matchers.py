"""Pairs of near-duplicate signatures, found without comparing each with each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.near_duplicates._candidates import Budget, Pairs, equal_pairs
from forgelm.data_audit.near_duplicates._store import SignatureStore, fold

__all__ = ["Matcher", "MinHashMatcher", "SimHashMatcher"]

U64 = NDArray[np.uint64]
Indices = NDArray[np.int64]

_POPCOUNT = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)
_MAX_BANDS = 500
_COST_SAMPLE = 1 << 16


class Matcher(Protocol):
    """What makes two signatures near duplicates."""

    def store(self, splits: list[str]) -> SignatureStore:
        """Return an empty store for such signatures."""
        ...

    def budget(self, count: int) -> Budget:
        """Return how much may be compared among so many signatures."""
        ...

    def near_pairs(
        self, store: SignatureStore, entries: Indices, budget: Budget
    ) -> Iterator[Pairs]:
        """Yield the pairs of near-duplicate positions in `entries`, in blocks, each pair once."""
        ...

    def nearness(self, store: SignatureStore, i: Indices, j: Indices) -> list[float]:
        """Return how near entries i[n] and j[n] are, as the record of a removal states it."""
        ...


class SimHashMatcher:
    """Signatures at most `threshold` bits apart.

    Cut into `threshold + k` blocks, such signatures agree in at least k of them: every choice of k
    blocks is a band, so that no pair is missed. Longer bands leave fewer pairs to compare.

    Source: G. Manku, A. Jain, A. Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007.
    """

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold

    def store(self, splits: list[str]) -> SignatureStore:
        """Return a store that keeps signatures in memory."""
        return SignatureStore(splits)

    def budget(self, count: int) -> Budget:
        """Return about ten seconds, or a millisecond for each hundred signatures."""
        return Budget(max(1 << 28, count << 9), _MAX_BANDS)

    def near_pairs(
        self, store: SignatureStore, entries: Indices, budget: Budget
    ) -> Iterator[Pairs]:
        """Yield the pairs of rows with few differing bits, in the first band where they agree."""
        values = store.keys[entries]
        masks = self._masks(values)
        budget.bands = len(masks)
        for band, mask in enumerate(masks):
            hashes = _mixed(values & mask)
            for i, j in equal_pairs(hashes, budget):
                differing = values[i] ^ values[j]
                near = np.flatnonzero(_bit_count(differing) <= self.threshold)
                i, j, differing = i[near], j[near], differing[near]
                agreeing = (differing[:, None] & masks[: band + 1]) == 0
                fresh = agreeing[:, band] & (agreeing.argmax(axis=1) == band)
                yield i[fresh], j[fresh]

    def nearness(self, store: SignatureStore, i: Indices, j: Indices) -> list[float]:
        """Return the number of differing bits."""
        return [float(n) for n in _bit_count(store.keys[i] ^ store.keys[j])]

    def _masks(self, values: U64) -> U64:
        """Return the bands for the k that promises the least work on these very signatures."""
        choices = [k for k in range(7) if math.comb(self.threshold + k, k) <= _MAX_BANDS]
        return min(
            (_band_masks(self.threshold, k) for k in choices), key=lambda m: _cost(values, m)
        )


class MinHashMatcher:
    """Signatures that agree in at least the share `jaccard` of their places.

    Bands are as long as leaves a pair right at the threshold a 1 % chance to be missed.
    """

    def __init__(self, jaccard: float, num_perm: int) -> None:
        self.jaccard = jaccard
        self.num_perm = num_perm
        self._places = max(
            (r for r in range(1, num_perm + 1) if (1 - jaccard**r) ** (num_perm // r) <= 0.01),
            default=1,
        )
        self._bands = num_perm // self._places

    def store(self, splits: list[str]) -> SignatureStore:
        """Return a store that keeps signatures in a temporary file."""
        return SignatureStore(splits, (self._bands, self._places))

    def budget(self, count: int) -> Budget:
        """Return about ten seconds, or a millisecond for each twenty signatures."""
        return Budget(max(1 << 23, count << 6), self._bands)

    def near_pairs(
        self, store: SignatureStore, entries: Indices, budget: Budget
    ) -> Iterator[Pairs]:
        """Yield the pairs of rows with enough equal places, in the first band where they agree."""
        bands, places = self._bands, self._places
        for band in range(bands):
            hashes = store.band(band)[entries]
            for i, j in equal_pairs(hashes, budget, chunk=1 << 9, block=1 << 12):
                equal = self._equal_places(store, entries[i], entries[j])
                near = np.flatnonzero(_count_true(equal) >= self.jaccard * self.num_perm)
                i, j, equal = i[near], j[near], equal[near, : bands * places]
                agreeing = equal[:, ::places].copy()  # (pairs, bands)
                for place in range(1, places):
                    agreeing &= equal[:, place::places]
                fresh = agreeing[:, band] & (agreeing.argmax(axis=1) == band)
                yield i[fresh], j[fresh]

    def nearness(self, store: SignatureStore, i: Indices, j: Indices) -> list[float]:
        """Return the estimated Jaccard similarity."""
        shares: list[float] = (
            _count_true(self._equal_places(store, i, j)) / self.num_perm
        ).tolist()
        return shares

    def _equal_places(self, store: SignatureStore, i: Indices, j: Indices) -> NDArray[np.bool_]:
        both, place = np.unique(np.concatenate([i, j]), return_inverse=True)
        signatures = store.signatures(both)
        equal: NDArray[np.bool_] = signatures[place[: i.size]] == signatures[place[i.size :]]
        return equal


def _band_masks(threshold: int, chosen: int) -> U64:
    edges = np.linspace(0, 64, threshold + chosen + 1).astype(int).tolist()
    blocks = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return np.array([sum(choice) for choice in combinations(blocks, chosen)], np.uint64)


def _cost(values: U64, masks: U64) -> float:
    """Estimate, from a sample and three of the bands, the rows to sort and the pairs to compare."""
    thinned = values[:: max(1, values.size // _COST_SAMPLE)]
    scale = (values.size / max(thinned.size, 1)) ** 2
    sample = masks[:: max(1, len(masks) // 3)][:3]
    pairs = 0.0
    for mask in sample:
        sizes = np.unique(thinned & mask, return_counts=True)[1].astype(np.float64)
        pairs += scale * float((sizes * (sizes - 1)).sum()) / 2
    return len(masks) * (4 * values.size + pairs / len(sample))


def _count_true(rows: NDArray[np.bool_]) -> NDArray[Any]:
    """Count the true values of each row, eight at a time."""
    bits = np.packbits(rows, axis=1)
    counts: NDArray[Any] = _POPCOUNT[bits].sum(axis=1, dtype=np.int64)
    return counts


def _mixed(values: U64) -> NDArray[np.uint32]:
    return fold(values[:, None]) >> np.uint64(32)


def _bit_count(values: U64) -> NDArray[Any]:
    counts: NDArray[Any]
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts = np.bitwise_count(values)
        return counts
    counts = _POPCOUNT[values.view(np.uint16)].reshape(-1, 4).sum(axis=1)
    return counts
