"""One zip with all evidence of a run, and verifying whatever one is given."""

from __future__ import annotations

from forgelm.compliance.bundle._bundle import EvidenceBundle, build_evidence_bundle
from forgelm.compliance.bundle._evidence_verdict import EvidencePart, EvidenceVerdict
from forgelm.compliance.bundle._verify_evidence import verify_evidence

__all__ = [
    "EvidenceBundle",
    "EvidencePart",
    "EvidenceVerdict",
    "build_evidence_bundle",
    "verify_evidence",
]
