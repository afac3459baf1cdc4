"""Pairs of near-duplicate signatures, found without comparing each with each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.near_duplicates._arrays import Indices, fold, gather, pieces
from forgelm.data_audit.near_duplicates._candidates import Budget, Pairs, equal_pairs
from forgelm.data_audit.near_duplicates._store import SignatureStore

__all__ = ["Matcher", "MinHashMatcher", "SimHashMatcher"]

U64 = NDArray[np.uint64]
Numbers = NDArray[np.integer[Any]]

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

    def nearness(self, store: SignatureStore, i: Numbers, j: Numbers) -> list[float]:
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
        keys = store.keys
        masks = self._masks(keys, entries)
        budget.bands = len(masks)
        for band, mask in enumerate(masks):
            for i, j in equal_pairs(_mixed(keys, entries, mask), budget):
                differing = keys[entries[i]] ^ keys[entries[j]]
                near = np.flatnonzero(_bit_count(differing) <= self.threshold)
                i, j, differing = i[near], j[near], differing[near]
                agreeing = (differing[:, None] & masks[: band + 1]) == 0
                fresh = agreeing[:, band] & (agreeing.argmax(axis=1) == band)
                yield i[fresh], j[fresh]

    def nearness(self, store: SignatureStore, i: Numbers, j: Numbers) -> list[float]:
        """Return the number of differing bits."""
        return [float(n) for n in _bit_count(store.keys[i] ^ store.keys[j])]

    def _masks(self, keys: U64, entries: Indices) -> U64:
        """Return the bands for the k that promises the least work on these very signatures."""
        sample = keys[entries[:: max(1, entries.size // _COST_SAMPLE)]]
        choices = [k for k in range(7) if math.comb(self.threshold + k, k) <= _MAX_BANDS]
        return min(
            (_band_masks(self.threshold, k) for k in choices),
            key=lambda masks: _cost(sample, entries.size, masks),
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
            found = equal_pairs(
                gather(store.band(band), entries), budget, chunk=1 << 9, block=1 << 12
            )
            for i, j in found:
                equal = self._equal_places(store, entries[i], entries[j])
                near = np.flatnonzero(_count_true(equal) >= self.jaccard * self.num_perm)
                i, j, equal = i[near], j[near], equal[near, : bands * places]
                agreeing = equal[:, ::places].copy()  # (pairs, bands)
                for place in range(1, places):
                    agreeing &= equal[:, place::places]
                fresh = agreeing[:, band] & (agreeing.argmax(axis=1) == band)
                yield i[fresh], j[fresh]

    def nearness(self, store: SignatureStore, i: Numbers, j: Numbers) -> list[float]:
        """Return the estimated Jaccard similarity."""
        shares: list[float] = (
            _count_true(self._equal_places(store, i, j)) / self.num_perm
        ).tolist()
        return shares

    def _equal_places(self, store: SignatureStore, i: Numbers, j: Numbers) -> NDArray[np.bool_]:
        both, place = np.unique(np.concatenate([i, j]), return_inverse=True)
        signatures = store.signatures(both)
        equal: NDArray[np.bool_] = signatures[place[: i.size]] == signatures[place[i.size :]]
        return equal


def _band_masks(threshold: int, chosen: int) -> U64:
    edges = np.linspace(0, 64, threshold + chosen + 1).astype(int).tolist()
    blocks = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return np.array([sum(choice) for choice in combinations(blocks, chosen)], np.uint64)


def _cost(sample: U64, size: int, masks: U64) -> float:
    """Estimate, from a sample and three of the bands, the rows to sort and the pairs to compare."""
    scale = (size / max(sample.size, 1)) ** 2
    some = masks[:: max(1, len(masks) // 3)][:3]
    pairs = 0.0
    for mask in some:
        sizes = np.unique(sample & mask, return_counts=True)[1].astype(np.float64)
        pairs += scale * float((sizes * (sizes - 1)).sum()) / 2
    return len(masks) * (4 * size + pairs / len(some))


def _count_true(rows: NDArray[np.bool_]) -> NDArray[Any]:
    """Count the true values of each row, eight at a time."""
    bits = np.packbits(rows, axis=1)
    counts: NDArray[Any] = _POPCOUNT[bits].sum(axis=1, dtype=np.int64)
    return counts


def _mixed(keys: U64, entries: Indices, mask: np.uint64) -> NDArray[np.uint32]:
    """Hash the bits of each entry's key that are in the mask."""
    hashes = np.empty(entries.size, np.uint32)
    for piece in pieces(entries.size):
        hashes[piece] = fold((keys[entries[piece]] & mask)[:, None]) >> np.uint64(32)
    return hashes


def _bit_count(values: U64) -> NDArray[Any]:
    counts: NDArray[Any]
    if hasattr(np, "bitwise_count"):  # numpy 2
        counts = np.bitwise_count(values)
        return counts
    counts = _POPCOUNT[values.view(np.uint16)].reshape(-1, 4).sum(axis=1)
    return counts
