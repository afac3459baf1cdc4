"""The report, its views and the files written beside it."""

from __future__ import annotations

from forgelm.data_audit.report._croissant import CARD_KEYS, croissant_card
from forgelm.data_audit.report._diff import AuditDiff, audit_diff
from forgelm.data_audit.report._findings_file import (
    FindingsFile,
    findings_file_name,
    open_findings_file,
    read_findings,
)
from forgelm.data_audit.report._report import build_report
from forgelm.data_audit.report._types import REPORT_FILE, AuditReport

__all__ = [
    "CARD_KEYS",
    "REPORT_FILE",
    "AuditDiff",
    "AuditReport",
    "FindingsFile",
    "audit_diff",
    "build_report",
    "croissant_card",
    "findings_file_name",
    "open_findings_file",
    "read_findings",
]
