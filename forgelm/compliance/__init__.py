"""The tamper-evident record of a run, and the proof that nobody altered it."""

from forgelm.compliance._anchors import (
    TimestampResult,
    anchor_checkpoint,
    timestamp_checkpoint,
    verify_timestamp,
)
from forgelm.compliance._approval_results import ApprovalResult, PendingApproval
from forgelm.compliance._approvals import list_approvals
from forgelm.compliance._approve import approve_model, reject_model
from forgelm.compliance._artefact_results import (
    VerifyAnnexIVResult,
    VerifyGgufResult,
    VerifyIntegrityResult,
)
from forgelm.compliance._bundle import EvidenceBundle, build_evidence_bundle
from forgelm.compliance._checkpoints import Checkpoint, read_checkpoints
from forgelm.compliance._doc_export import (
    ComplianceExport,
    export_compliance_documents,
    export_data_governance,
    export_model_documents,
)
from forgelm.compliance._doc_facts import RunFacts
from forgelm.compliance._evidence_verdict import EvidencePart, EvidenceVerdict
from forgelm.compliance._log import AuditLogger
from forgelm.compliance._model_signing import sign_model, verify_model_signature
from forgelm.compliance._personal import Personal
from forgelm.compliance._proofs import (
    ConsistencyProof,
    InclusionProof,
    ProofResult,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from forgelm.compliance._results import LogHead, VerifyResult
from forgelm.compliance._sign_checkpoint import create_signing_key, sign_checkpoint
from forgelm.compliance._verify_annex_iv import verify_annex_iv_artifact
from forgelm.compliance._verify_evidence import verify_evidence
from forgelm.compliance._verify_gguf import verify_gguf
from forgelm.compliance._verify_integrity import verify_integrity
from forgelm.compliance._verify_log import verify_audit_log

__all__ = [
    "ApprovalResult",
    "AuditLogger",
    "Checkpoint",
    "ComplianceExport",
    "ConsistencyProof",
    "EvidenceBundle",
    "EvidencePart",
    "EvidenceVerdict",
    "InclusionProof",
    "LogHead",
    "PendingApproval",
    "Personal",
    "ProofResult",
    "RunFacts",
    "TimestampResult",
    "VerifyAnnexIVResult",
    "VerifyGgufResult",
    "VerifyIntegrityResult",
    "VerifyResult",
    "anchor_checkpoint",
    "approve_model",
    "build_evidence_bundle",
    "consistency_proof",
    "create_signing_key",
    "export_compliance_documents",
    "export_data_governance",
    "export_model_documents",
    "inclusion_proof",
    "list_approvals",
    "read_checkpoints",
    "reject_model",
    "sign_checkpoint",
    "sign_model",
    "timestamp_checkpoint",
    "verify_annex_iv_artifact",
    "verify_audit_log",
    "verify_consistency",
    "verify_evidence",
    "verify_gguf",
    "verify_inclusion",
    "verify_integrity",
    "verify_model_signature",
    "verify_timestamp",
]
