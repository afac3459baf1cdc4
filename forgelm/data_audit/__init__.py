"""What is in a training corpus: personal data, credentials, duplicates, leaks between splits."""

from forgelm.data_audit._audit import audit_dataset
from forgelm.data_audit._mask import MaskSummary, mask_dataset
from forgelm.data_audit._pii import detect_pii, find_pii, mask_pii
from forgelm.data_audit._secrets import detect_secrets, find_secrets, mask_secrets
from forgelm.data_audit._signatures import compute_minhash, compute_simhash
from forgelm.data_audit._spans import Finding
from forgelm.data_audit._types import AuditReport

__all__ = [
    "AuditReport",
    "Finding",
    "MaskSummary",
    "audit_dataset",
    "compute_minhash",
    "compute_simhash",
    "detect_pii",
    "detect_secrets",
    "find_pii",
    "find_secrets",
    "mask_dataset",
    "mask_pii",
    "mask_secrets",
]
