"""The report of an audit: plain data, as it stands in `data_audit_report.json`, and views of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.data_audit.detectors import SECRET_KINDS
from forgelm.data_audit.near_duplicates import ClustersView, LeakedRowsView
from forgelm.data_audit.scan import PII_KINDS, FindingsView, UnplacedFindings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]
    from numpy.typing import NDArray

__all__ = ["REPORT_FILE", "AuditReport"]

REPORT_FILE = "data_audit_report.json"


@dataclass(repr=False)
class AuditReport:
    """What `audit_dataset` found.

    The fields hold counts and places, never a value from the corpus.

    Attributes:
        generated_at: UTC time, ISO 8601.
        source_path: The source, absolute.
        source_input: The source as the caller named it.
        total_samples: Rows of all splits.
        splits: By split: rows, columns, text lengths (characters), faults, counts by kind.
        cross_split_overlap: By pair of splits, under "pairs": rows with a near duplicate in the
            other split.
        pii_summary: Personal data by kind.
        pii_severity: The same by tier.
        near_duplicate_summary: Pairs of near-duplicate rows by split, under "pairs_per_split".
        secrets_summary: Credentials by kind.
        quality_summary: Rows flagged by check; empty when the checks were off.
        croissant: The Croissant card; empty when none was asked for.
        notes: What a reader should know, such as lines that could not be read.
    """

    generated_at: str
    source_path: str
    source_input: str
    total_samples: int
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    cross_split_overlap: dict[str, Any] = field(default_factory=dict)
    pii_summary: dict[str, int] = field(default_factory=dict)
    pii_severity: dict[str, Any] = field(default_factory=dict)
    near_duplicate_summary: dict[str, Any] = field(default_factory=dict)
    secrets_summary: dict[str, int] = field(default_factory=dict)
    quality_summary: dict[str, Any] = field(default_factory=dict)
    croissant: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pii_findings: FindingsView = UnplacedFindings(
            (name, split.get("pii_counts", {})) for name, split in self.splits.items()
        )
        self._secrets_findings: FindingsView = UnplacedFindings(
            (name, split.get("secrets_counts", {})) for name, split in self.splits.items()
        )

        self._clusters, self._leaked_rows = ClustersView(), LeakedRowsView()
        self._findings_path: Path | None = None

    def _place_duplicates(self, clusters: ClustersView, leaked_rows: LeakedRowsView) -> None:
        self._clusters, self._leaked_rows = clusters, leaked_rows

    def _place_findings(self, parts: Mapping[str, tuple[NDArray[np.void], Sequence[str]]]) -> None:
        self._pii_findings = FindingsView(parts, PII_KINDS)
        self._secrets_findings = FindingsView(parts, SECRET_KINDS)

    def _place_findings_file(self, path: Path) -> None:
        self._findings_path = path

    @property
    def findings_path(self) -> Path | None:
        """The findings file that was written beside the report, for `read_findings`."""
        return self._findings_path

    @property
    def duplicate_count(self) -> int:
        """Pairs of near-duplicate rows, all splits together."""
        return sum(self.near_duplicate_summary.get("pairs_per_split", {}).values())

    @property
    def pii_findings(self) -> FindingsView:
        """Every piece of personal data: kind, split, row, column and span."""
        return self._pii_findings

    @property
    def secrets_findings(self) -> FindingsView:
        """Every credential: kind, split, row, column and span."""
        return self._secrets_findings

    @property
    def near_duplicate_clusters(self) -> ClustersView:
        """Rows that repeat one another, grouped; empty for a report rebuilt from its JSON."""
        return self._clusters

    @property
    def leaked_rows(self) -> LeakedRowsView:
        """Rows that are near one in another split; empty for a report rebuilt from its JSON."""
        return self._leaked_rows

    def to_dict(self) -> dict[str, Any]:
        """Return the 13 fields, as they stand in `data_audit_report.json`."""
        return asdict(self)

    def to_frames(self) -> dict[str, pd.DataFrame]:
        """Return tables.

        They are: splits, pii, secrets, overlap, near_duplicates, findings, clusters, leaked_rows.

        Raises:
            OptionalDependencyError: pandas is not installed.
        """
        from forgelm.data_audit.report._views import report_frames

        return report_frames(self)

    def figures(self) -> dict[str, go.Figure]:
        """Return charts: pii, secrets, lengths, duplicates, leaks.

        Raises:
            OptionalDependencyError: plotly is not installed.
        """
        from forgelm.data_audit.report._views import report_figures

        return report_figures(self)

    def __repr__(self) -> str:
        return (
            f"<AuditReport: {self.total_samples} rows, {sum(self.pii_summary.values())} pii, "
            f"{sum(self.secrets_summary.values())} secrets, {self.duplicate_count} duplicate pairs>"
        )

    def __str__(self) -> str:
        from forgelm.data_audit.report._views import report_text

        return report_text(self)
