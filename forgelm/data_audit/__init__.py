"""What is in a training corpus: personal data, credentials, duplicates, leaks between splits."""

from forgelm.data_audit._audit import audit_dataset
from forgelm.data_audit.copies import (
    DedupSummary,
    MaskSummary,
    SplitSummary,
    deduplicate_dataset,
    mask_dataset,
    split_dataset,
)
from forgelm.data_audit.detectors import (
    Finding,
    detect_pii,
    detect_secrets,
    find_pii,
    find_secrets,
    mask_pii,
    mask_secrets,
)
from forgelm.data_audit.near_duplicates import Cluster, LeakedRow, compute_minhash, compute_simhash
from forgelm.data_audit.quality import QualityCheck, QualityFlag, list_quality_checks, quality_flags
from forgelm.data_audit.report import (
    AuditDiff,
    AuditReport,
    FindingsFile,
    audit_diff,
    read_findings,
)

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
