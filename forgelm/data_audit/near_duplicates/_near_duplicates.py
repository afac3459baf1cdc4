"""Pairs of rows that are nearly the same, inside a split and across splits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

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
Indices = NDArray[np.int64]


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
    leaks: Indices


def find_near_duplicates(
    store: SignatureStore, matcher: Matcher, entries: Indices | None = None
) -> NearDuplicates:
    """Find near duplicates within and between splits.

    Equal signatures are collapsed first: a hundred thousand equal rows cost as much as one.

    Args:
        store: The signatures.
        matcher: What makes two of them near duplicates.
        entries: Those to compare, ascending; all by default.
    """
    names = store.splits
    entries = np.arange(store.keys.size) if entries is None else entries
    split_of = store.split_of[entries]
    first, group_of, size = _collapse(store.keys[entries], split_of)
    split = split_of[first]
    del split_of
    pairs = np.zeros(len(names), np.int64)
    np.add.at(pairs, split, size * (size - 1) // 2)
    clusters, within, leaks = UnionFind(first.size), UnionFind(first.size), _Leaks(split)
    budget = matcher.budget(first.size)
    for i, j in matcher.near_pairs(store, entries[first], budget):
        same = split[i] == split[j]
        clusters.join(i, j)
        within.join(i[same], j[same])
        np.add.at(pairs, split[i[same]], size[i[same]] * size[j[same]])
        leaks.add(i[~same], j[~same])
    leaking = leaks.table()
    in_rows = np.zeros((len(names), len(names)), np.int64)
    np.add.at(in_rows, (split[leaking[:, 0]], leaking[:, 1]), size[leaking[:, 0]])
    return NearDuplicates(
        distinct=dict(zip(names, np.bincount(split, minlength=len(names)).tolist(), strict=True)),
        pairs=dict(zip(names, pairs.tolist(), strict=True)),
        leaked={
            (names[a], names[b]): (int(in_rows[a, b]), int(in_rows[b, a]))
            for a, b in combinations(range(len(names)), 2)
        },
        complete=budget.complete,
        clusters=entries[first[clusters.labels()[group_of]]],
        within=entries[first[within.labels()[group_of]]],
        leaks=_leaks_of_rows(leaking, group_of, entries, first),
    )


def duplicate_views(
    store: SignatureStore, found: NearDuplicates
) -> tuple[ClustersView, LeakedRowsView]:
    """Return the clusters of two rows or more, and the rows that are in two splits."""
    split_of, rows = store.split_of, store.rows
    members = np.flatnonzero(np.bincount(found.clusters)[found.clusters] > 1)
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


class _Leaks:
    """Which groups have a near duplicate in which other split, and the first one there."""

    def __init__(self, split: NDArray[np.uint16]) -> None:
        self._split = split
        self._tables: list[Indices] = [np.empty((0, 3), np.int64)]
        self._waiting = 0

    def add(self, i: Indices, j: Indices) -> None:
        for near, other in ((i, j), (j, i)):
            self._tables.append(np.column_stack([near, self._split[other], other]))
        self._waiting += 2 * i.size
        if self._waiting > 1 << 20:
            self.table()

    def table(self) -> Indices:
        """Return group, other split and first near group there, ascending."""
        rows = np.concatenate(self._tables)
        rows = rows[np.lexsort(rows.T[::-1])]
        fresh = np.ones(rows.shape[0], np.bool_)
        fresh[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
        self._tables, self._waiting = [rows[fresh]], 0
        return self._tables[0]


def _leaks_of_rows(
    leaking: Indices, group_of: Indices, entries: Indices, first: Indices
) -> Indices:
    """Return entry, other split and near entry for each row of each leaking group."""
    is_leaking = np.zeros(first.size, np.bool_)
    is_leaking[leaking[:, 0]] = True
    rows = np.flatnonzero(is_leaking[group_of])
    rows = rows[np.argsort(group_of[rows], kind="stable")]
    low = np.searchsorted(group_of[rows], leaking[:, 0], side="left")
    count = np.searchsorted(group_of[rows], leaking[:, 0], side="right") - low
    line = np.repeat(np.arange(count.size), count)
    place = np.arange(line.size) - np.repeat(np.cumsum(count) - count, count) + low[line]
    return np.column_stack(
        [entries[rows[place]], leaking[line, 1], entries[first[leaking[line, 2]]]]
    )


def _collapse(keys: U64, split_of: NDArray[np.uint16]) -> tuple[Indices, Indices, Indices]:
    """Group equal keys of one split; groups are in order of their first positions.

    Returns:
        The first position of each group, the group of each position, the size of each group.
    """
    order = np.argsort(keys, kind="stable")
    keys, splits = keys[order], split_of[order]
    fresh = np.ones(keys.size, np.bool_)
    fresh[1:] = (keys[1:] != keys[:-1]) | (splits[1:] != splits[:-1])
    del keys, splits
    first = order[fresh]
    rank = np.empty(first.size, np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    group_of = np.empty(order.size, np.int64)
    group_of[order] = rank[np.cumsum(fresh) - 1]
    return np.sort(first), group_of, np.bincount(group_of, minlength=first.size)
