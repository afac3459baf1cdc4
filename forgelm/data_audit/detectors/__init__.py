"""Finding personal data and secrets in text, and masking them."""

from __future__ import annotations

from forgelm.data_audit.detectors._masking import MAX_SHOWN, Masker
from forgelm.data_audit.detectors._ner import NerFinder
from forgelm.data_audit.detectors._pii import PII_TIERS, detect_pii, find_pii, mask_pii
from forgelm.data_audit.detectors._secrets import (
    SECRET_KINDS,
    detect_secrets,
    find_secrets,
    mask_secrets,
)
from forgelm.data_audit.detectors._spans import Finding

__all__ = [
    "MAX_SHOWN",
    "PII_TIERS",
    "SECRET_KINDS",
    "Finding",
    "Masker",
    "NerFinder",
    "detect_pii",
    "detect_secrets",
    "find_pii",
    "find_secrets",
    "mask_pii",
    "mask_secrets",
]
