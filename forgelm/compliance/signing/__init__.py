"""Signing a log's state, proving what lies in it, and keeping checkpoints elsewhere."""

from __future__ import annotations

from forgelm.compliance.signing._anchors import (
    TimestampResult,
    anchor_checkpoint,
    timestamp_checkpoint,
    verify_timestamp,
)
from forgelm.compliance.signing._proofs import (
    ConsistencyProof,
    InclusionProof,
    ProofResult,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from forgelm.compliance.signing._sign_checkpoint import create_signing_key, sign_checkpoint

__all__ = [
    "ConsistencyProof",
    "InclusionProof",
    "ProofResult",
    "TimestampResult",
    "anchor_checkpoint",
    "consistency_proof",
    "create_signing_key",
    "inclusion_proof",
    "sign_checkpoint",
    "timestamp_checkpoint",
    "verify_consistency",
    "verify_inclusion",
    "verify_timestamp",
]
