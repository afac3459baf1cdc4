"""What changed from one audit to another."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.data_audit.report._types import REPORT_FILE, AuditReport
from forgelm.data_audit.sources import printable
from forgelm.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AuditDiff", "Change", "audit_diff"]

Number = int | float
_LENGTHS = ("min", "p50", "mean", "p95", "max")
_NEXT_STEP = f"name a {REPORT_FILE}, or the directory that audit_dataset wrote as output_dir"


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and after.

    Attributes:
        section: "rows", "pii", "secrets", "quality", "duplicates", "leaks" or "lengths".
        name: What is counted: a kind, a split, or two splits.
        before: 0 where it was not there.
        after: 0 where it is not there.
    """

    section: str
    name: str
    before: Number
    after: Number

    @property
    def delta(self) -> Number:
        """After less before."""
        return round(self.after - self.before, 2)


@dataclass(frozen=True)
class AuditDiff:
    """The figures of two reports side by side.

    Attributes:
        before: The source of the first report.
        after: The source of the second one.
        changes: Every figure of either, those that stayed the same among them.
    """

    before: str
    after: str
    changes: tuple[Change, ...]

    def section(self, name: str) -> dict[str, Change]:
        """Return the figures of one section by name."""
        return {change.name: change for change in self.changes if change.section == name}

    def to_frame(self) -> pd.DataFrame:
        """Return a table: section, name, before, after, delta.

        Raises:
            OptionalDependencyError: pandas is not installed.
        """
        pandas = require("pandas", extra="notebook", feature="AuditDiff.to_frame()")
        rows = [(c.section, c.name, c.before, c.after, c.delta) for c in self.changes]
        names = ["section", "name", "before", "after", "delta"]
        frame: pd.DataFrame = pandas.DataFrame(rows, columns=names)
        return frame

    def __str__(self) -> str:
        lines = [f"{printable(self.before)} -> {printable(self.after)}"]
        lines += [
            f"  {c.section:<10} {c.name:<28} {c.before:>12,} -> {c.after:>12,}  ({c.delta:+,})"
            for c in self.changes
            if c.delta
        ]
        return "\n".join(lines if len(lines) > 1 else [*lines, "  no figure changed"])


def audit_diff(
    before: AuditReport | str | os.PathLike[str], after: AuditReport | str | os.PathLike[str]
) -> AuditDiff:
    """Compare two audits: rows, findings by kind, duplicates, leaks, quality and lengths.

    Args:
        before: A report, its JSON file, or the directory with it.
        after: The same, later.

    Raises:
        DataError: A file is no audit report.
        OSError: A file cannot be read.

    Example:
        >>> before = AuditReport("", "", "raw", 3, pii_summary={"email": 2})
        >>> after = AuditReport("", "", "masked", 3)
        >>> print(audit_diff(before, after))
        raw -> masked
          pii        email                                   2 ->            0  (-2)
    """
    first, second = _report(before), _report(after)
    old, new = _figures(first), _figures(second)
    return AuditDiff(
        before=first.source_input,
        after=second.source_input,
        changes=tuple(
            Change(section, name, old.get((section, name), 0), new.get((section, name), 0))
            for section, name in sorted(old.keys() | new.keys(), key=_order)
        ),
    )


_SECTIONS = ("rows", "pii", "secrets", "quality", "duplicates", "leaks", "lengths")


def _order(key: tuple[str, str]) -> tuple[int, str]:
    return _SECTIONS.index(key[0]), key[1]


def _figures(report: AuditReport) -> dict[tuple[str, str], Number]:
    by_section: dict[str, dict[str, Any]] = {
        "rows": {"total": report.total_samples},
        "pii": report.pii_summary,
        "secrets": report.secrets_summary,
        "quality": report.quality_summary.get("by_check", {}),
        "duplicates": report.near_duplicate_summary.get("pairs_per_split", {}),
        "leaks": _leaks(report),
        "lengths": {},
    }
    for name, split in report.splits.items():
        by_section["rows"][name] = split.get("sample_count", 0)
        for key in _LENGTHS:
            by_section["lengths"][f"{name} {key}"] = split.get("text_length", {}).get(key, 0)
    return {
        (section, name): value
        for section, values in by_section.items()
        for name, value in values.items()
        if isinstance(value, int | float)
    }


def _leaks(report: AuditReport) -> dict[str, Any]:
    prefix = "leaked_rows_in_"
    return {
        f"{pair}: {key.removeprefix(prefix)}": value
        for pair, counts in report.cross_split_overlap.get("pairs", {}).items()
        for key, value in counts.items()
        if key.startswith(prefix)
    }


def _report(source: AuditReport | str | os.PathLike[str]) -> AuditReport:
    if isinstance(source, AuditReport):
        return source
    path = Path(source)
    path = path / REPORT_FILE if path.is_dir() else path
    name = printable(str(path))
    if not path.is_file():
        raise DataError(f"{name}: no such file; {_NEXT_STEP}.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: not JSON; {_NEXT_STEP}.") from error
    if not isinstance(document, dict) or not _is_report(document):
        raise DataError(f"{name}: no audit report; {_NEXT_STEP}.")
    return AuditReport(**{each.name: document[each.name] for each in fields(AuditReport)})


def _is_report(document: dict[str, Any]) -> bool:
    """Say whether every field is there and is of its type."""
    blank = AuditReport("", "", "", 0)
    of_type = (
        type(document.get(each.name)) is type(getattr(blank, each.name))
        for each in fields(AuditReport)
    )
    splits = document.get("splits")
    return all(of_type) and all(isinstance(split, dict) for split in (splits or {}).values())
