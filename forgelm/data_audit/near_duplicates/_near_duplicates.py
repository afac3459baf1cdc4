"""Pairs of rows that are nearly the same, inside a split and across splits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit.near_duplicates._arrays import Indices, gather, pieces, places_where
from forgelm.data_audit.near_duplicates._clusters import ClustersView, LeakedRowsView, UnionFind
from forgelm.data_audit.near_duplicates._matchers import Matcher, MinHashMatcher, SimHashMatcher
from forgelm.data_audit.near_duplicates._store import SignatureStore

__all__ = [
    "INCOMPLETE",
    "Matcher",
    "MinHashMatcher",
    "NearDuplicates",
    "SimHashMatcher",
    "duplicate_views",
    "find_near_duplicates",
]

INCOMPLETE = (
    "Near duplicates: so many rows are alike that not all pairs of them were compared; pairs and "
    "leaked rows are at least those counted. Lower near_dup_threshold or raise minhash_jaccard "
    "for complete counts."
)

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
Numbers = NDArray[np.integer[Any]]


@dataclass
class NearDuplicates:
    """How rows repeat one another. Entries are the rows that were compared, in order.

    Attributes:
        distinct: Distinct signatures by split.
        pairs: Pairs of near-duplicate rows by split; equal rows are pairs too.
        leaked: By pair of splits, the rows of each that have a near duplicate in the other.
        complete: Every candidate was compared; else the counts are lower bounds.
        clusters: For each entry the first one of its cluster, all splits together.
        within: The same, each split by itself.
        leaks: Entry, the other split and the first near entry there, shape (leaks, 3).
    """

    distinct: dict[str, int]
    pairs: dict[str, int]
    leaked: dict[tuple[str, str], tuple[int, int]]
    complete: bool
    clusters: Indices
    within: Indices
    leaks: I64


def find_near_duplicates(
    store: SignatureStore, matcher: Matcher, among: Numbers | None = None
) -> NearDuplicates:
    """Find near duplicates within and between splits.

    Equal signatures are collapsed first: a hundred thousand equal rows cost as much as one.

    Args:
        store: The signatures.
        matcher: What makes two of them near duplicates.
        among: The entries to compare, ascending; all by default.
    """
    places = _Places(store, among)
    first, copies, originals = _collapse(places)
    clusters, within, leaks = UnionFind(places.size), UnionFind(places.size), _Leaks(places)
    for groups in (clusters, within):
        for piece in pieces(copies.size):
            groups.join(originals[piece], copies[piece])
    sizes = _Sizes(originals)
    pairs = np.zeros(len(store.splits), np.int64)
    np.add.at(pairs, places.splits(sizes.several), sizes.pairs)
    budget = matcher.budget(first.size)
    for left, right in matcher.near_pairs(store, places.entries(first), budget):
        i, j = first[left], first[right]
        same = (split := places.splits(i)) == places.splits(j)
        clusters.join(i, j)
        within.join(i[same], j[same])
        np.add.at(pairs, split[same], sizes.of(i[same]) * sizes.of(j[same]))
        leaks.add(i[~same], j[~same])
    leaking = leaks.table()
    return NearDuplicates(
        distinct=dict(zip(store.splits, places.counts(first), strict=True)),
        pairs=dict(zip(store.splits, pairs.tolist(), strict=True)),
        leaked=_leaked(leaking, places, sizes),
        complete=budget.complete,
        clusters=places.entries(clusters.labels()),
        within=places.entries(within.labels()),
        leaks=_leaks_of_rows(leaking, places, copies, originals),
    )


def duplicate_views(
    store: SignatureStore, found: NearDuplicates
) -> tuple[ClustersView, LeakedRowsView]:
    """Return the clusters of two rows or more, and the rows that are in two splits."""
    split_of, rows = store.split_of, store.rows
    members = _in_company(found.clusters)
    entry, other_split, other = found.leaks.T
    return (
        ClustersView(
            store.splits,
            split_of=split_of[members],
            rows=rows[members],
            labels=found.clusters[members],
        ),
        LeakedRowsView(
            store.splits,
            table=np.column_stack([split_of[entry], rows[entry], other_split, rows[other]]),
        ),
    )


def _in_company(labels: Indices) -> Indices:
    """Return the places of labels that come more than once."""
    seen = np.zeros(int(labels.max(initial=0)) + 1, np.uint8)  # 0, 1 or more
    for piece in pieces(labels.size):
        found, times = np.unique(labels[piece], return_counts=True)
        seen[found] = np.minimum(seen[found] + times, 2)
    return places_where(lambda piece: seen[labels[piece]] > 1, labels.size)


class _Places:
    """The entries that are compared, numbered from 0 in their order.

    Args:
        store: The signatures.
        among: The entries, ascending; None for all.
    """

    def __init__(self, store: SignatureStore, among: Numbers | None) -> None:
        self._store = store
        self._among = None if among is None else among.astype(np.uint32)
        self.size = store.keys.size if among is None else among.size

    def entries(self, places: Indices) -> Indices:
        """Return the numbers of entries in the store."""
        return places if self._among is None else gather(self._among, places)

    def keys(self) -> U64:
        """Return the key of each."""
        keys = self._store.keys
        return keys if self._among is None else gather(keys, self._among)

    def splits(self, places: Numbers) -> I64:
        """Return their splits, as positions among the store's."""
        return self._store.splits_of(places if self._among is None else self._among[places])

    def counts(self, places: Indices) -> list[int]:
        """Return how many of the places are in each split."""
        counts = np.zeros(len(self._store.splits), np.int64)
        for piece in pieces(places.size):
            counts += np.bincount(self.splits(places[piece]), minlength=counts.size)
        return counts.tolist()

    def pairs_of_splits(self) -> list[tuple[tuple[str, int], tuple[str, int]]]:
        """Return every two splits, each with its position."""
        named = [(name, place) for place, name in enumerate(self._store.splits)]
        return list(combinations(named, 2))


class _Sizes:
    """How many equal rows a place stands for."""

    def __init__(self, originals: Indices) -> None:
        self.several, copies = np.unique(originals, return_counts=True)
        self._sizes = copies.astype(np.int64) + 1
        self.pairs = self._sizes * (self._sizes - 1) // 2

    def of(self, places: Numbers) -> I64:
        if not self.several.size:
            return np.ones(places.size, np.int64)
        line = np.minimum(np.searchsorted(self.several, places), self.several.size - 1)
        return np.where(self.several[line] == places, self._sizes[line], 1)


class _Leaks:
    """Which places have a near duplicate in which other split, and the first one there."""

    def __init__(self, places: _Places) -> None:
        self._places = places
        self._tables: list[I64] = [np.empty((0, 3), np.int64)]
        self._waiting = 0

    def add(self, i: Indices, j: Indices) -> None:
        for near, other in ((i, j), (j, i)):
            self._tables.append(np.column_stack([near, self._places.splits(other), other]))
        self._waiting += 2 * i.size
        if self._waiting > 1 << 20:
            self.table()

    def table(self) -> I64:
        """Return place, other split and first near place there, ascending."""
        rows = np.concatenate(self._tables)
        rows = rows[np.lexsort(rows.T[::-1])]
        fresh = np.ones(rows.shape[0], np.bool_)
        fresh[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
        self._tables, self._waiting = [rows[fresh]], 0
        return self._tables[0]


def _leaked(leaking: I64, places: _Places, sizes: _Sizes) -> dict[tuple[str, str], tuple[int, int]]:
    """Return, by pair of splits, the rows of each that have a near duplicate in the other."""
    pairs = places.pairs_of_splits()
    rows: Counter[tuple[int, int]] = Counter()
    for split, other, size in zip(
        places.splits(leaking[:, 0]).tolist(),
        leaking[:, 1].tolist(),
        sizes.of(leaking[:, 0]).tolist(),
        strict=True,
    ):
        rows[split, other] += size
    return {(a, b): (rows[m, n], rows[n, m]) for (a, m), (b, n) in pairs}


def _leaks_of_rows(leaking: I64, places: _Places, copies: Indices, originals: Indices) -> I64:
    """Return entry, other split and near entry for each leaking row, equal rows included."""
    groups = np.unique(leaking[:, 0]).astype(np.uint32)
    repeat = np.flatnonzero(np.isin(originals, groups))
    rows = np.concatenate([groups, copies[repeat]])
    groups = np.concatenate([groups, originals[repeat]])
    order = np.argsort(groups, kind="stable")
    rows, groups = rows[order], groups[order].astype(np.int64)
    low = np.searchsorted(groups, leaking[:, 0], side="left")
    count = np.searchsorted(groups, leaking[:, 0], side="right") - low
    line = np.repeat(np.arange(count.size), count)
    place = np.arange(line.size) - np.repeat(np.cumsum(count) - count, count) + low[line]
    near = leaking[line, 2].astype(np.uint32)
    return np.column_stack([places.entries(rows[place]), leaking[line, 1], places.entries(near)])


def _collapse(places: _Places) -> tuple[Indices, Indices, Indices]:
    """Tell apart the first of several equal rows of a split and the others.

    Returns:
        The places of the first ones; those of the others, ascending; the first one of each other.
    """
    keys = places.keys()
    order = np.argsort(keys, kind="stable").astype(np.uint32)

    def repeats(piece: slice) -> NDArray[np.bool_]:
        one, next_one = order[:-1][piece], order[1:][piece]
        equal: NDArray[np.bool_] = keys[one] == keys[next_one]
        equal[equal] = places.splits(one[equal]) == places.splits(next_one[equal])
        return equal

    again = places_where(repeats, order.size - 1)  # the place before a copy
    begins = np.flatnonzero(np.diff(again, prepend=again[:1]) != 1)
    lengths = np.diff(begins, append=again.size)
    copies, originals = order[1:][again], np.repeat(order[again[begins]], lengths)
    ascending = np.argsort(copies)
    is_first = np.ones(order.size, np.bool_)
    is_first[copies] = False
    first = places_where(lambda piece: is_first[piece], order.size)
    return first, copies[ascending], originals[ascending]
