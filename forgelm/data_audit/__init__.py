"""What is in a training corpus: personal data, credentials, duplicates, leaks between splits."""

from forgelm.data_audit._audit import audit_dataset
from forgelm.data_audit._clusters import Cluster, LeakedRow
from forgelm.data_audit._deduplicate import DedupSummary, deduplicate_dataset
from forgelm.data_audit._diff import AuditDiff, audit_diff
from forgelm.data_audit._findings_file import FindingsFile, read_findings
from forgelm.data_audit._mask import MaskSummary, mask_dataset
from forgelm.data_audit._pii import detect_pii, find_pii, mask_pii
from forgelm.data_audit._quality import (
    QualityCheck,
    QualityFlag,
    list_quality_checks,
    quality_flags,
)
from forgelm.data_audit._secrets import detect_secrets, find_secrets, mask_secrets
from forgelm.data_audit._signatures import compute_minhash, compute_simhash
from forgelm.data_audit._spans import Finding
from forgelm.data_audit._split import SplitSummary, split_dataset
from forgelm.data_audit._types import AuditReport

__all__ = [
    "AuditDiff",
    "AuditReport",
    "Cluster",
    "DedupSummary",
    "Finding",
    "FindingsFile",
    "LeakedRow",
    "MaskSummary",
    "QualityCheck",
    "QualityFlag",
    "SplitSummary",
    "audit_dataset",
    "audit_diff",
    "compute_minhash",
    "compute_simhash",
    "deduplicate_dataset",
    "detect_pii",
    "detect_secrets",
    "find_pii",
    "find_secrets",
    "list_quality_checks",
    "mask_dataset",
    "mask_pii",
    "mask_secrets",
    "quality_flags",
    "read_findings",
    "split_dataset",
]
