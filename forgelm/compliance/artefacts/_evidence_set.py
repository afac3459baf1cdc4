"""What else a run directory must hold beside its Annex IV document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from forgelm.compliance.artefacts._annex_iv_fields import ANNEX_IV_FILE
from forgelm.compliance.artefacts._findings import Finding
from forgelm.compliance.artefacts._json_document import DocumentError, read_document
from forgelm.compliance.artefacts._model_files import INTEGRITY_FILE, digest_file, is_no_plain_file
from forgelm.compliance.artefacts._recorded import LOG_NAME, Recorded
from forgelm.compliance.artefacts._verify_integrity import check_model_folder

__all__ = [
    "COMPLIANCE_FOLDER",
    "DOCUMENTS",
    "annex_iv_path",
    "look_at_document",
    "model_folders",
    "other_findings",
]

COMPLIANCE_FOLDER = "compliance"
DOCUMENTS = (
    ANNEX_IV_FILE,
    "compliance_report.json",
    "data_governance_report.json",
    "data_provenance.json",
    "risk_assessment.json",
    "training_manifest.yaml",
)
_MODEL_DOCUMENTS = ("README.md", "deployer_instructions.md")


def annex_iv_path(run_dir: Path) -> Path:
    """Return where the Annex IV document of a run lies."""
    return run_dir / COMPLIANCE_FOLDER / ANNEX_IV_FILE


def model_folders(run_dir: Path) -> list[Path]:
    """Return the models of a run: in use, staged, in quarantine, earlier; no link is followed."""
    found = (
        path.parent
        for pattern in ("*", "rejected/*/*", "earlier/*/*")
        for path in run_dir.glob(f"{pattern}/{INTEGRITY_FILE}")
    )
    return sorted(
        path for path in found if path.resolve() == run_dir.resolve() / path.relative_to(run_dir)
    )


def other_findings(run_dir: Path, recorded: Recorded | None) -> tuple[list[Finding], list[str]]:
    """Return what is wrong with the rest of a run's evidence, and notes on it.

    Raises:
        OSError: A file may not be read, or the disk fails.
    """
    findings: list[Finding] = []
    notes: list[str] = []
    if recorded is None:
        findings.append(Finding(f"there is no {LOG_NAME} in {run_dir}"))
    findings += _document_findings(run_dir / COMPLIANCE_FOLDER, recorded)
    models = model_folders(run_dir)
    if not models:
        known = bool(recorded and recorded.models())
        lost = ", though the audit log recorded one" if known else ""
        findings.append(Finding(f"no folder in {run_dir} has a {INTEGRITY_FILE}{lost}", known))
    log = recorded if recorded and recorded.verdict.valid else None
    for model in models:
        result = check_model_folder(model, log)
        if not result.valid:
            findings.append(Finding(f"{model.name}: {result.reason}", result.altered))
        notes += [f"{model.name}: {note}" for note in result.notes if recorded is None or log]
        absent = [name for name in _MODEL_DOCUMENTS if not (model / name).is_file()]
        findings += [Finding(f"there is no {model.name}/{name}") for name in absent]
    return findings, notes


def _document_findings(folder: Path, recorded: Recorded | None) -> Iterator[Finding]:
    digests = recorded.documents() if recorded else {}
    for name in DOCUMENTS:
        problem, digest = look_at_document(folder / name)
        known = digests.get(name)
        if problem is not None:
            if name != ANNEX_IV_FILE:  # which has a verdict of its own
                recorded_too = ", but the audit log recorded it" if known else ""
                yield Finding(f"{problem}{recorded_too}", known is not None)
        elif known is not None and digest != known:
            yield Finding(f"{name} was altered: it is not what the audit log recorded", True)


def look_at_document(path: Path) -> tuple[str | None, str | None]:
    """Return what is wrong with a document in itself, and its digest."""
    shown = f"{path.parent.name}/{path.name}"
    try:
        digest, _ = digest_file(path)
        repeated = path.suffix == ".json" and read_document(path).repeated
    except DocumentError as error:
        return f"{shown}: {error}", None
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no {shown}", None
    except OSError as error:
        if not is_no_plain_file(error):
            raise
        return f"{shown} is not a regular file", None
    return (f"{shown} has keys that are there twice" if repeated else None), digest
