"""One pass over the rows: counts, findings and excerpts, and adding them up."""

from __future__ import annotations

from forgelm.data_audit.scan._excerpts import CONTEXT_CHARS, MAX_VALUES, masked_excerpts
from forgelm.data_audit.scan._findings import (
    KINDS,
    PII_KINDS,
    FindingsView,
    UnplacedFindings,
    count_kinds,
    count_kinds_by_column,
)
from forgelm.data_audit.scan._roles import counts_by_role
from forgelm.data_audit.scan._scan import (
    LANGUAGE_SAMPLE,
    MAX_COLUMNS,
    OTHER_COLUMNS,
    ColumnSeen,
    Merger,
    Partial,
    ScanOptions,
    merge,
    scan_range,
)

__all__ = [
    "CONTEXT_CHARS",
    "KINDS",
    "LANGUAGE_SAMPLE",
    "MAX_COLUMNS",
    "MAX_VALUES",
    "OTHER_COLUMNS",
    "PII_KINDS",
    "ColumnSeen",
    "FindingsView",
    "Merger",
    "Partial",
    "ScanOptions",
    "UnplacedFindings",
    "count_kinds",
    "count_kinds_by_column",
    "counts_by_role",
    "masked_excerpts",
    "merge",
    "scan_range",
]
