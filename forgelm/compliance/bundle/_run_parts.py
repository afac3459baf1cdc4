"""The verdicts on the parts of a run directory, or of what was unpacked of one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from forgelm.compliance._verify_log import verify_audit_log
from forgelm.compliance.artefacts import (
    ANNEX_IV_FILE,
    COMPLIANCE_FOLDER,
    DOCUMENTS,
    INTEGRITY_FILE,
    LOG_NAME,
    RUN_FILES,
    Recorded,
    VerifyAnnexIVResult,
    VerifyGgufResult,
    VerifyIntegrityResult,
    annex_iv_path,
    check_checkpoints,
    check_model_folder,
    check_run_files,
    find_log,
    look_at_document,
    model_folders,
    problem_with_run_file,
    recorded_in,
    verify_document,
    verify_gguf,
)
from forgelm.compliance.audit_log import Expected, VerifyResult, archived_parts, base_of
from forgelm.compliance.bundle._bundle_content import EARLIER
from forgelm.compliance.bundle._evidence_verdict import EvidencePart
from forgelm.compliance.checkpoints import CheckpointSource, KeySource

__all__ = [
    "LogOptions",
    "artefact_part",
    "document_parts",
    "earlier_parts",
    "known_of",
    "log_part",
    "run_file_parts",
    "run_parts",
]

_NO_KEY = "require_hmac is set, but there is no secret"
_NO_SIDECAR = "There is no sidecar (FILE.sha256), so a changed weight would not be seen."
_UNVERIFIED = {".approval.lock", "STOP", "exit.json", "status.json", "stdout.log"}  # for the run
_MOST_TOLD = 10
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


def log_part(log: Path, result: VerifyResult, name: str = LOG_NAME) -> EvidencePart:
    """Return the verdict on a log as one part."""
    unchecked = not result.valid and _NO_KEY in str(result.reason)
    altered = not result.valid and not unchecked
    notes = (*_told_of_archives(log, result), *result.notes)
    return EvidencePart(name, "audit log", result.valid, altered, result.reason, notes)


def _told_of_archives(log: Path, result: VerifyResult) -> Iterator[str]:
    if result.head is not None and result.head.earlier_entries:
        parts = archived_parts(base_of(log))
        earlier = parts[: parts.index(log)] if log in parts else parts
        yield (
            f"{result.head.earlier_entries} of its {result.entries_count} lines are in earlier "
            f"files, verified with it: {', '.join(part.name for part in earlier)}."
        )


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
    log_verdict = log_part(log, verdict)
    if find_log(run_dir) is None:
        log_verdict = EvidencePart(LOG_NAME, "audit log", False, False, f"there is no {LOG_NAME}")
    parts = [log_verdict, *_lonely_archive(log, options), *document_parts(run_dir, recorded)]
    models = model_folders(run_dir)
    for model in models:
        name = model.relative_to(run_dir).as_posix()
        result = check_model_folder(model, known_of(name, recorded) if verdict.valid else None)
        parts.append(artefact_part(name, "model", result))
    if not models and recorded.models():
        lost = f"the log recorded a model, and no folder has a {INTEGRITY_FILE}: it was removed"
        parts.append(EvidencePart("final_model", "model", False, True, lost))
    parts += run_file_parts(run_dir, recorded.run_files())
    parts += earlier_parts(run_dir, recorded)
    for name, problem in check_checkpoints(run_dir):
        parts.append(EvidencePart(name, "checkpoint", not problem, bool(problem), problem))
    for path in (*sorted(run_dir.glob("*.gguf")), *sorted(run_dir.glob("*/*.gguf"))):
        result_gguf = verify_gguf(path)
        name = path.relative_to(run_dir).as_posix()
        parts.append(artefact_part(name, "GGUF file", result_gguf))
    parts[0] = _with_the_rest(parts[0], run_dir, parts)
    return parts, verdict


def _with_the_rest(log: EvidencePart, run_dir: Path, parts: list[EvidencePart]) -> EvidencePart:
    """Add to the verdict on the log which files in the folder nothing vouches for."""
    told = {part.name.partition("/")[0] for part in parts} | _UNVERIFIED
    rest = [
        name
        for name in sorted(os.listdir(run_dir))
        if name not in told and not name.startswith(LOG_NAME)
    ]
    if not rest:
        return log
    names = ", ".join(map(ascii, rest[:_MOST_TOLD]))
    more = f" and {len(rest) - _MOST_TOLD} more" if len(rest) > _MOST_TOLD else ""
    return replace(log, notes=(*log.notes, f"Nothing vouches for {names}{more}."))


def _lonely_archive(log: Path, options: LogOptions) -> Iterator[EvidencePart]:
    """Yield the verdict on what was archived of a log that is gone itself."""
    archives = [] if os.path.lexists(log) else archived_parts(log)
    if archives:
        yield log_part(archives[-1], options.verdict(archives[-1]), archives[-1].name)


def run_file_parts(
    run_dir: Path, recorded: Mapping[str, tuple[str, int]]
) -> Iterator[EvidencePart]:
    """Yield the verdicts on the files that the log recorded when the run ended."""
    for name, problem in check_run_files(run_dir, recorded):
        yield EvidencePart(name, "run file", not problem, bool(problem), problem)


def earlier_parts(run_dir: Path, recorded: Recorded) -> Iterator[EvidencePart]:
    """Yield the verdicts on what earlier runs in the folder left, as far as the log knows it."""
    # One set alone is that of the run in the folder now: the log was begun anew in between.
    documents = {name: one for name, one in recorded.earlier_documents().items() if len(one) > 1}
    folders = sorted(run_dir.glob(f"{EARLIER}/*"))
    for folder in (path for path in folders if path.is_dir() and not path.is_symlink()):
        run_id = next((one for one in recorded.run_ids() if _is_of(folder.name, one)), "")
        known = recorded.run_files_of(run_id)
        for name in sorted(known.keys() & RUN_FILES):
            if os.path.lexists(folder / name):
                problem = problem_with_run_file(folder / name, *known[name])
                yield _altered(run_dir, folder / name, problem)
        for name in DOCUMENTS:
            path = folder / COMPLIANCE_FOLDER / name
            if name in documents and os.path.lexists(path):
                problem, digest = look_at_document(path)
                if problem is None and digest not in documents[name]:
                    problem = "it is none of those whose SHA-256 the audit log recorded"
                yield _altered(run_dir, path, problem)


def known_of(model: str, recorded: Recorded) -> Recorded:
    """Return what the log can know of a model; nothing of earlier ones where it begins later."""
    if model.startswith(f"{EARLIER}/") and len(recorded.models()) < 2:
        return replace(recorded, events=[])
    return recorded


def _is_of(folder: str, run_id: str) -> bool:
    return folder == run_id or folder.startswith(f"{run_id}-")


def _altered(run_dir: Path, path: Path, problem: str | None) -> EvidencePart:
    name = path.relative_to(run_dir).as_posix()
    return EvidencePart(name, "earlier file", not problem, bool(problem), problem)


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
