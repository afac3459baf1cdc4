"""Signatures, near-duplicate pairs, clusters and leaked rows."""

from __future__ import annotations

from forgelm.data_audit.near_duplicates._candidates import Budget, equal_pairs
from forgelm.data_audit.near_duplicates._clusters import (
    Cluster,
    ClustersView,
    LeakedRow,
    LeakedRowsView,
    UnionFind,
)
from forgelm.data_audit.near_duplicates._near_duplicates import (
    INCOMPLETE,
    MinHashMatcher,
    NearDuplicates,
    SimHashMatcher,
    duplicate_views,
    find_near_duplicates,
)
from forgelm.data_audit.near_duplicates._signatures import (
    MinHasher,
    compute_minhash,
    compute_simhash,
    simhash_batch,
    token_hashes,
)
from forgelm.data_audit.near_duplicates._store import SignatureStore

__all__ = [
    "INCOMPLETE",
    "Budget",
    "Cluster",
    "ClustersView",
    "LeakedRow",
    "LeakedRowsView",
    "MinHashMatcher",
    "MinHasher",
    "NearDuplicates",
    "SignatureStore",
    "SimHashMatcher",
    "UnionFind",
    "compute_minhash",
    "compute_simhash",
    "duplicate_views",
    "equal_pairs",
    "find_near_duplicates",
    "simhash_batch",
    "token_hashes",
]
