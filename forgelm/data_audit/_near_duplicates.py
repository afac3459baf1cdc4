"""Pairs of rows that are nearly the same, inside a split and across splits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
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

    def bands(self, signatures: NDArray[np.generic]) -> Iterator[U64]:
        """Yield bands, one number a signature: near duplicates agree in at least one band."""
        ...

    def first_common_band(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> Indices:
        """Return for each pair of rows the first band in which the two agree."""
        ...

    def similar(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> NDArray[np.bool_]:
        """Say for each pair of rows whether they are near duplicates."""
        ...


class SimHashMatcher:
    """Signatures at most `threshold` bits apart.

    Cut into `threshold + k` blocks, such signatures agree in at least k of them: every choice of k
    blocks is a band, so that no pair is missed. Longer bands for more rows keep candidates few.

    Source: G. Manku, A. Jain, A. Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007.
    """

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold

    def keys(self, signatures: NDArray[np.generic]) -> U64:
        """Return the signatures themselves."""
        return signatures.astype(np.uint64, copy=False)

    def bands(self, signatures: NDArray[np.generic]) -> Iterator[U64]:
        """Yield the bits of every choice of blocks."""
        for mask in _band_masks(self.threshold, signatures.shape[0]):
            yield self.keys(signatures) & mask

    def first_common_band(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> Indices:
        """Return the first choice of blocks without a differing bit."""
        values = self.keys(signatures)
        differing = (values[i] ^ values[j])[:, None] & _band_masks(
            self.threshold, signatures.shape[0]
        )
        band: Indices = (differing == 0).argmax(axis=1)
        return band

    def similar(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> NDArray[np.bool_]:
        """Count differing bits."""
        values = self.keys(signatures)
        words = (values[i] ^ values[j]).view(np.uint16).reshape(-1, 4)
        distance: NDArray[np.int64] = _POPCOUNT[words].sum(axis=1, dtype=np.int64)
        return distance <= self.threshold


@lru_cache(maxsize=4)
def _band_masks(threshold: int, rows: int) -> U64:
    """Return the masks of all choices of k blocks, for the k that promises the least work."""

    def cost(k: int) -> float:
        # Rows sorted and pairs compared; signatures of real texts have half as many free bits.
        pairs = rows * rows / 2 ** (32 * k / (threshold + k))
        return math.comb(threshold + k, k) * (4 * rows + pairs)

    chosen = min((k for k in range(1, 5) if math.comb(threshold + k, k) <= _MAX_BANDS), key=cost)
    edges = np.linspace(0, 64, threshold + chosen + 1).astype(int).tolist()
    blocks = [(1 << high) - (1 << low) for low, high in pairwise(edges)]
    return np.array([sum(choice) for choice in combinations(blocks, chosen)], np.uint64)


class MinHashMatcher:
    """Signatures that agree in at least the share `jaccard` of their places.

    Bands are as long as leaves a pair right at the threshold a 1 % chance to be missed.
    """

    def __init__(self, jaccard: float, num_perm: int) -> None:
        self.jaccard = jaccard
        self.num_perm = num_perm
        self.band_rows = max(
            (r for r in range(1, num_perm + 1) if (1 - jaccard**r) ** (num_perm // r) <= 0.01),
            default=1,
        )

    def keys(self, signatures: NDArray[np.generic]) -> U64:
        """Return a hash of the whole signature."""
        return _fold(signatures)

    def bands(self, signatures: NDArray[np.generic]) -> Iterator[U64]:
        """Yield a hash of each run of `band_rows` places."""
        for band in range(self.num_perm // self.band_rows):
            yield _fold(signatures[:, band * self.band_rows : (band + 1) * self.band_rows])

    def first_common_band(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> Indices:
        """Return the first run of places without a difference."""
        count = self.num_perm // self.band_rows
        equal = (signatures[i] == signatures[j])[:, : count * self.band_rows]
        band: Indices = equal.reshape(-1, count, self.band_rows).all(axis=2).argmax(axis=1)
        return band

    def similar(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> NDArray[np.bool_]:
        """Estimate the Jaccard similarity by the share of equal places."""
        agreeing: NDArray[np.int64] = (signatures[i] == signatures[j]).sum(axis=1)
        return agreeing >= self.jaccard * self.num_perm


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
    for i, j in _near_pairs(groups, matcher):
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


def _near_pairs(
    signatures: NDArray[np.generic], matcher: Matcher
) -> Iterator[tuple[Indices, Indices]]:
    """Yield near-duplicate pairs, each once: in the first band where the two agree."""
    for band, keys in enumerate(matcher.bands(signatures)):
        for i, j in _equal_pairs(keys):
            similar = matcher.similar(signatures, i, j)
            i, j = i[similar], j[similar]
            if i.size:
                fresh = matcher.first_common_band(signatures, i, j) == band
                yield i[fresh], j[fresh]


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
