"""Pairs of rows that are nearly the same, inside a split and across splits."""

from __future__ import annotations

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
_BLOCK_PAIRS = 1 << 16


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

    def bands(self, signatures: NDArray[np.generic]) -> U64:
        """Return band keys, shape (bands, rows): near duplicates agree in at least one."""
        ...

    def similar(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> NDArray[np.bool_]:
        """Say for each pair of rows whether they are near duplicates."""
        ...


class SimHashMatcher:
    """Signatures at most `threshold` bits apart.

    Of `threshold + 1` bands at least one has no differing bit, so that none is missed.
    """

    def __init__(self, threshold: int) -> None:
        self.threshold = threshold

    def keys(self, signatures: NDArray[np.generic]) -> U64:
        """Return the signatures themselves."""
        return signatures.astype(np.uint64, copy=False)

    def bands(self, signatures: NDArray[np.generic]) -> U64:
        """Return `threshold + 1` slices of the 64 bits."""
        edges = np.linspace(0, 64, self.threshold + 2).astype(int).tolist()
        values = signatures.astype(np.uint64)
        return np.stack(
            [
                (values >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
                for low, high in pairwise(edges)
            ]
        )

    def similar(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> NDArray[np.bool_]:
        """Count differing bits."""
        values = self.keys(signatures)
        words = (values[i] ^ values[j]).view(np.uint16).reshape(-1, 4)
        distance: NDArray[np.int64] = _POPCOUNT[words].sum(axis=1, dtype=np.int64)
        return distance <= self.threshold


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

    def bands(self, signatures: NDArray[np.generic]) -> U64:
        """Return a hash for each band of the signature."""
        count = self.num_perm // self.band_rows
        return np.stack(
            [
                _fold(signatures[:, band * self.band_rows : (band + 1) * self.band_rows])
                for band in range(count)
            ]
        )

    def similar(self, signatures: NDArray[np.generic], i: Indices, j: Indices) -> NDArray[np.bool_]:
        """Estimate the Jaccard similarity, by blocks."""
        result = np.empty(i.size, np.bool_)
        for start in range(0, i.size, 4096):
            block = slice(start, start + 4096)
            agreeing = (signatures[i[block]] == signatures[j[block]]).sum(axis=1)
            result[block] = agreeing >= self.jaccard * self.num_perm
        return result


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
        self._codes = np.empty(0, np.int64)

    def add(self, i: Indices, j: Indices) -> None:
        codes = [i * self._splits + self._split[j], j * self._splits + self._split[i]]
        self._codes = np.union1d(self._codes, np.concatenate(codes))

    def groups(self, split: int, other: int) -> Indices:
        groups, seen_in = np.divmod(self._codes, self._splits)
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
    bands = matcher.bands(signatures)
    for band, keys in enumerate(bands):
        for i, j in _equal_pairs(keys):
            fresh = (bands[:band, i] != bands[:band, j]).all(axis=0)
            i, j = i[fresh], j[fresh]
            similar = matcher.similar(signatures, i, j)
            if similar.any():
                yield i[similar], j[similar]


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
