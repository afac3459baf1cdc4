"""Running the scan of ranges in processes, on a cluster, and again after a kill."""

from __future__ import annotations

from forgelm.data_audit.engines._engines import ENGINES, Engine, is_engine, map_ranges
from forgelm.data_audit.engines._resume import FinishedRanges, dump_partial, load_partial

__all__ = [
    "ENGINES",
    "Engine",
    "FinishedRanges",
    "dump_partial",
    "is_engine",
    "load_partial",
    "map_ranges",
]
