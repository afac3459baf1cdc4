"""The verdicts on the parts of a run directory, or of what was unpacked of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from forgelm.compliance._verify_log import verify_audit_log
from forgelm.compliance.artefacts import (
    ANNEX_IV_FILE,
    COMPLIANCE_FOLDER,
    DOCUMENTS,
    INTEGRITY_FILE,
    LOG_NAME,
    Recorded,
    VerifyAnnexIVResult,
    VerifyGgufResult,
    VerifyIntegrityResult,
    annex_iv_path,
    check_model_folder,
    find_log,
    look_at_document,
    model_folders,
    recorded_in,
    verify_document,
    verify_gguf,
)
from forgelm.compliance.audit_log import Expected, VerifyResult
from forgelm.compliance.bundle._evidence_verdict import EvidencePart
from forgelm.compliance.checkpoints import CheckpointSource, KeySource

__all__ = ["LogOptions", "artefact_part", "document_parts", "log_part", "run_parts"]

_NO_KEY = "require_hmac is set, but there is no secret"
_NO_SIDECAR = "There is no sidecar (FILE.sha256), so a changed weight would not be seen."
_NO_DOCUMENTS = "There are no documents, and the log records none."


@dataclass(frozen=True)
class LogOptions:
    """What the caller holds an audit log to."""

    require_hmac: bool = False
    expected_head: Expected | None = None
    public_key: KeySource | None = None
    checkpoint: CheckpointSource | None = None

    def verdict(self, log: Path) -> VerifyResult:
        return verify_audit_log(
            log,
            require_hmac=self.require_hmac,
            expected_head=self.expected_head,
            public_key=self.public_key,
            checkpoint=self.checkpoint,
        )


def log_part(name: str, result: VerifyResult) -> EvidencePart:
    """Return the verdict on a log as one part."""
    unchecked = not result.valid and _NO_KEY in str(result.reason)
    altered = not result.valid and not unchecked
    return EvidencePart(name, "audit log", result.valid, altered, result.reason, result.notes)


def artefact_part(
    name: str,
    kind: str,
    result: VerifyAnnexIVResult | VerifyIntegrityResult | VerifyGgufResult,
) -> EvidencePart:
    """Return the verdict on a document or a model as one part."""
    notes: tuple[str, ...]
    if isinstance(result, VerifyGgufResult):
        notes = () if result.checks["sidecar_present"] else (_NO_SIDECAR,)
    else:
        notes = tuple(result.notes)
    return EvidencePart(name, kind, result.valid, result.altered, result.reason, notes)


def run_parts(run_dir: Path, options: LogOptions) -> tuple[list[EvidencePart], VerifyResult]:
    """Return the verdicts on log, documents, models and GGUF files, and the one on the log.

    Raises:
        OSError: A file may not be read, or the disk fails.
    """
    log = run_dir / LOG_NAME
    verdict = options.verdict(log)
    recorded = recorded_in(log, verdict)
    log_verdict = log_part(LOG_NAME, verdict)
    if find_log(run_dir) is None:
        log_verdict = EvidencePart(LOG_NAME, "audit log", False, False, f"there is no {LOG_NAME}")
    parts = [log_verdict, *document_parts(run_dir, recorded)]
    models = model_folders(run_dir)
    for model in models:
        result = check_model_folder(model, recorded if verdict.valid else None)
        name = model.relative_to(run_dir).as_posix()
        parts.append(artefact_part(name, "model", result))
    if not models and recorded.models():
        lost = f"the log recorded a model, and no folder has a {INTEGRITY_FILE}: it was removed"
        parts.append(EvidencePart("final_model", "model", False, True, lost))
    for path in (*sorted(run_dir.glob("*.gguf")), *sorted(run_dir.glob("*/*.gguf"))):
        result_gguf = verify_gguf(path)
        name = path.relative_to(run_dir).as_posix()
        parts.append(artefact_part(name, "GGUF file", result_gguf))
    return parts, verdict


def document_parts(run_dir: Path, recorded: Recorded) -> Iterable[EvidencePart]:
    """Yield the verdicts on the documents; none where a run left none and recorded none."""
    folder = run_dir / COMPLIANCE_FOLDER
    if not folder.exists() and not recorded.documents() and not recorded.annex_iv_hashes():
        yield EvidencePart(COMPLIANCE_FOLDER, "document", True, notes=(_NO_DOCUMENTS,))
        return
    # The log's own verdict is told once, by its own part.
    known = recorded if recorded.verdict.valid else None
    annex = verify_document(annex_iv_path(run_dir), known).result()
    yield artefact_part(f"{COMPLIANCE_FOLDER}/{ANNEX_IV_FILE}", "Annex IV document", annex)
    yield from _other_documents(folder, recorded.documents())


def _other_documents(folder: Path, digests: dict[str, str]) -> Iterator[EvidencePart]:
    for document in DOCUMENTS:
        name = f"{COMPLIANCE_FOLDER}/{document}"
        known = digests.get(document)
        problem, digest = look_at_document(folder / document)
        altered = known is not None
        if problem is None and known is not None and digest != known:
            problem = "it is not the one whose SHA-256 the audit log recorded: it was altered"
        elif problem is not None and known is not None:
            problem += ", but the audit log recorded it"
        if document != ANNEX_IV_FILE or (problem and digest is not None):
            yield EvidencePart(
                name, "document", problem is None, altered and problem is not None, problem
            )
