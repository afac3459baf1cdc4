"""Pairs of rows that are nearly the same, inside a split and across splits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["MinHashMatcher", "NearDuplicates", "SimHashMatcher", "count_near_duplicates"]

U64 = NDArray[np.uint64]
Indices = NDArray[np.int64]

_POPCOUNT = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)
_BLOCK_PAIRS = 1 << 14
_MAX_BANDS = 500


@dataclass
class NearDuplicates:
    """How many rows repeat one another.

    Attributes:
        distinct: Distinct signatures by split.
        pairs: Pairs of near-duplicate rows by split; equal rows are pairs too.
        leaked: By pair of splits, the rows of each that have a near duplicate in the other.
    """

    distinct: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    leaked: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


class Matcher(Protocol):
    """What makes two signatures near duplicates."""

    def keys(self, signatures: NDArray[np.generic]) -> U64:
        """Return one number a signature: equal for equal signatures."""
        ...

    def near_pairs(self, signatures: NDArray[np.generic]) -> Iterator[tuple[Indices, Indices]]:
        """Yield the pairs of near-duplicate rows, in blocks, each pair once."""
        ...


class SimHashMatcher:
    """Signatures at most `threshold` bits apart.

    Cut into `threshold + k` blocks, such signatures agree in at least k of them: every choice of k
    blocks is a band, so that no pair is missed. Longer bands leave fewer pairs to compare.

    Source: G. Manku, A. Jain, A. Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007.
    """

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold

    def keys(self, signatures: NDArray[np.generic]) -> U64:
        """Return the signatures themselves."""
        return signatures.astype(np.uint64, copy=False)

    def near_pairs(self, signatures: NDArray[np.generic]) -> Iterator[tuple[Indices, Indices]]:
        """Yield the pairs of rows with few differing bits, in the first band where they agree."""
        values = self.keys(signatures)
        masks = self._masks(values)
        for band, mask in enumerate(masks):
            for i, j in _equal_pairs(values & mask):
                differing = values[i] ^ values[j]
                near = _POPCOUNT[differing.view(np.uint16)].reshape(-1, 4).sum(axis=1)
                near = near <= self.threshold
                i, j, differing = i[near], j[near], differing[near]
                fresh = ((differing[:, None] & masks[:band]) != 0).all(axis=1)
                yield i[fresh], j[fresh]

    def _masks(self, values: U64) -> U64:
        """Return the bands for the k that promises the least work on these very signatures."""
        choices = [k for k in range(1, 7) if math.comb(self.threshold + k, k) <= _MAX_BANDS]
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
        self._band_rows = max(
            (r for r in range(1, num_perm + 1) if (1 - jaccard**r) ** (num_perm // r) <= 0.01),
            default=1,
        )

    def keys(self, signatures: NDArray[np.generic]) -> U64:
        """Return a hash of the whole signature."""
        return _fold(signatures)

    def near_pairs(self, signatures: NDArray[np.generic]) -> Iterator[tuple[Indices, Indices]]:
        """Yield the pairs of rows with enough equal places, in the first band where they agree."""
        rows, bands = self._band_rows, self.num_perm // self._band_rows
        for band in range(bands):
            for i, j in _equal_pairs(_fold(signatures[:, band * rows : (band + 1) * rows])):
                equal = signatures[i] == signatures[j]
                near = equal.sum(axis=1) >= self.jaccard * self.num_perm
                i, j, equal = i[near], j[near], equal[near, : bands * rows]
                agreeing = equal.reshape(-1, bands, rows).all(axis=2)
                fresh = agreeing[:, band] & ~agreeing[:, :band].any(axis=1)
                yield i[fresh], j[fresh]


def _band_masks(threshold: int, chosen: int) -> U64:
    edges = np.linspace(0, 64, threshold + chosen + 1).astype(int).tolist()
    blocks = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return np.array([sum(choice) for choice in combinations(blocks, chosen)], np.uint64)


def _cost(values: U64, masks: U64) -> float:
    """Estimate, from three of the bands, the rows to sort and the pairs to compare."""
    sample = masks[:: max(1, len(masks) // 3)][:3]
    pairs = 0.0
    for mask in sample:
        sizes = np.unique(values & mask, return_counts=True)[1].astype(np.float64)
        pairs += float((sizes * (sizes - 1)).sum()) / 2
    return len(masks) * (4 * values.size + pairs / len(sample))


def count_near_duplicates(
    signatures: dict[str, NDArray[np.generic]], matcher: Matcher
) -> NearDuplicates:
    """Count near duplicates within and between splits.

    Equal signatures are collapsed first: a hundred thousand equal rows cost as much as one.

    Args:
        signatures: Those of each split's rows that have any words, in order of the splits.
        matcher: What makes two signatures near duplicates.
    """
    names = list(signatures)
    result = NearDuplicates(
        dict.fromkeys(names, 0),
        dict.fromkeys(names, 0),
        dict.fromkeys(combinations(names, 2), (0, 0)),
    )
    filled = [values for values in signatures.values() if values.shape[0]]
    if not filled:
        return result
    stacked = np.concatenate(filled)
    sizes = [signatures[name].shape[0] for name in names]
    group_split, group_size, first = _collapse(
        matcher.keys(stacked), np.repeat(np.arange(len(names)), sizes)
    )
    pairs = np.zeros(len(names), np.int64)
    np.add.at(pairs, group_split, group_size * (group_size - 1) // 2)
    leaks = _Leaks(group_split, len(names))
    groups = stacked[first]
    for i, j in matcher.near_pairs(groups):
        same = group_split[i] == group_split[j]
        np.add.at(pairs, group_split[i[same]], group_size[i[same]] * group_size[j[same]])
        leaks.add(i[~same], j[~same])
    distinct = np.bincount(group_split, minlength=len(names))
    result.distinct = dict(zip(names, distinct.tolist(), strict=True))
    result.pairs = dict(zip(names, pairs.tolist(), strict=True))
    for a, b in combinations(range(len(names)), 2):
        rows = (int(group_size[leaks.groups(x, y)].sum()) for x, y in ((a, b), (b, a)))
        result.leaked[names[a], names[b]] = (next(rows), next(rows))
    return result


class _Leaks:
    """Which groups have a near duplicate in which other split."""

    def __init__(self, group_split: Indices, splits: int) -> None:
        self._split = group_split
        self._splits = splits
        self._codes: list[Indices] = [np.empty(0, np.int64)]

    def add(self, i: Indices, j: Indices) -> None:
        self._codes.append(np.unique(i * self._splits + self._split[j]))
        self._codes.append(np.unique(j * self._splits + self._split[i]))

    def groups(self, split: int, other: int) -> Indices:
        self._codes = [np.unique(np.concatenate(self._codes))]
        groups, seen_in = np.divmod(self._codes[0], self._splits)
        matching: Indices = groups[(self._split[groups] == split) & (seen_in == other)]
        return matching


def _collapse(keys: U64, splits: Indices) -> tuple[Indices, Indices, Indices]:
    """Return split, size and first row of each group of equal rows in one split."""
    order = np.lexsort((splits, keys))
    keys, splits = keys[order], splits[order]
    fresh = np.concatenate([[True], (keys[1:] != keys[:-1]) | (splits[1:] != splits[:-1])])
    starts = np.flatnonzero(fresh)
    sizes = np.diff(np.concatenate([starts, [keys.size]]))
    return splits[starts], sizes, order[starts]


def _equal_pairs(keys: U64) -> Iterator[tuple[Indices, Indices]]:
    """Yield all pairs of positions with equal keys, in blocks."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    place = np.arange(keys.size)
    gap = 0
    while place.size:
        gap += 1
        place = place[place + gap < keys.size]
        place = place[ordered[place] == ordered[place + gap]]
        for start in range(0, place.size, _BLOCK_PAIRS):
            block = place[start : start + _BLOCK_PAIRS]
            yield order[block], order[block + gap]


def _fold(columns: NDArray[np.generic]) -> U64:
    """Hash each row of `columns` to 64 bits."""
    result = np.zeros(columns.shape[0], np.uint64)
    for column in columns.T:
        result = (result ^ column.astype(np.uint64)) * np.uint64(0x100000001B3)
        result ^= result >> np.uint64(29)
    return result
