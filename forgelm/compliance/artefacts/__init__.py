"""Verifying one artefact: Annex IV document, model folder, GGUF file."""

from __future__ import annotations

from forgelm.compliance.artefacts._annex_iv_fields import (
    ANNEX_IV_FILE,
    is_filled,
    manifest_hash,
    missing_fields,
)
from forgelm.compliance.artefacts._artefact_results import (
    VerifyAnnexIVResult,
    VerifyGgufResult,
    VerifyIntegrityResult,
)
from forgelm.compliance.artefacts._evidence_set import (
    COMPLIANCE_FOLDER,
    DOCUMENTS,
    annex_iv_path,
    look_at_document,
    model_folders,
)
from forgelm.compliance.artefacts._findings import Finding, sentence
from forgelm.compliance.artefacts._json_document import DocumentError, read_document
from forgelm.compliance.artefacts._model_files import (
    INTEGRITY_FILE,
    SIGNATURE_FILE,
    digest_file,
    is_no_plain_file,
    list_folder,
    write_model_integrity,
)
from forgelm.compliance.artefacts._model_signing import sign_model, verify_model_signature
from forgelm.compliance.artefacts._recorded import (
    LOG_NAME,
    MODEL_VERIFIED,
    Recorded,
    digests,
    find_log,
    is_or_was_log,
    read_events,
    recorded_in,
)
from forgelm.compliance.artefacts._run_files import (
    RESULT_FOLDERS,
    RUN_FILES,
    check_checkpoints,
    check_run_files,
    list_run_files,
    problem_with_run_file,
)
from forgelm.compliance.artefacts._verify_annex_iv import verify_annex_iv_artifact, verify_document
from forgelm.compliance.artefacts._verify_gguf import verify_gguf
from forgelm.compliance.artefacts._verify_integrity import (
    check_model_folder,
    manifest_problems,
    recorded_findings,
    verify_integrity,
)

__all__ = [
    "ANNEX_IV_FILE",
    "COMPLIANCE_FOLDER",
    "DOCUMENTS",
    "INTEGRITY_FILE",
    "LOG_NAME",
    "MODEL_VERIFIED",
    "RESULT_FOLDERS",
    "RUN_FILES",
    "SIGNATURE_FILE",
    "DocumentError",
    "Finding",
    "Recorded",
    "VerifyAnnexIVResult",
    "VerifyGgufResult",
    "VerifyIntegrityResult",
    "annex_iv_path",
    "check_checkpoints",
    "check_model_folder",
    "check_run_files",
    "digest_file",
    "digests",
    "find_log",
    "is_filled",
    "is_no_plain_file",
    "is_or_was_log",
    "list_folder",
    "list_run_files",
    "look_at_document",
    "manifest_hash",
    "manifest_problems",
    "missing_fields",
    "model_folders",
    "problem_with_run_file",
    "read_document",
    "read_events",
    "recorded_findings",
    "recorded_in",
    "sentence",
    "sign_model",
    "verify_annex_iv_artifact",
    "verify_document",
    "verify_gguf",
    "verify_integrity",
    "verify_model_signature",
    "write_model_integrity",
]
