"""`verify_annex_iv_artifact`: whether a technical documentation is complete and unaltered."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from forgelm.compliance.artefacts._annex_iv_fields import manifest_hash, missing_fields
from forgelm.compliance.artefacts._artefact_results import VerifyAnnexIVResult
from forgelm.compliance.artefacts._evidence_set import annex_iv_path, other_findings
from forgelm.compliance.artefacts._findings import Finding, sentence
from forgelm.compliance.artefacts._json_document import DocumentError, JsonDocument, read_document
from forgelm.compliance.artefacts._recorded import Recorded, read_recorded

__all__ = ["verify_annex_iv_artifact", "verify_document"]

_SHA256_HEX = re.compile("[0-9a-fA-F]{64}")
_NO_LOG = (
    "There is no audit log beside it: whoever rewrote it and its hash together would not be seen."
)
_NO_HASH = "The audit log beside it records no hash of an Annex IV document."


def verify_annex_iv_artifact(path: str | os.PathLike[str]) -> VerifyAnnexIVResult:
    """Say whether an Annex IV document is complete, and is the one that the run wrote.

    Where the audit log of its run lies beside it or one folder up, the hash that the log recorded
    counts too, so that a hash which was recomputed or deleted is found.

    Args:
        path: `annex_iv_metadata.json`. For a run directory the whole evidence is looked at: the
            log, the other documents, and the files of the model.

    Returns:
        The verdict; a document that is missing or no JSON is one, too.

    Raises:
        OSError: A file may not be read, or the disk fails.
    """
    try:
        place = Path(path).absolute()
        if place.is_dir():
            return _verify_run(place)
        return verify_document(place, _log_of(place), follow_links=True).result()
    except ValueError as error:  # a NUL byte
        return VerifyAnnexIVResult(False, f"{os.fspath(path)!r} cannot be a path: {error}")


class _Document(NamedTuple):
    """What was found out about one document."""

    findings: list[Finding]
    notes: list[str]
    missing: tuple[str, ...] = ()
    actual: str | None = None
    expected: str | None = None

    def result(
        self, more: Iterable[Finding] = (), notes: Iterable[str] = ()
    ) -> VerifyAnnexIVResult:
        findings = [*self.findings, *more]
        return VerifyAnnexIVResult(
            valid=not findings,
            reason=sentence(findings),
            missing_fields=list(self.missing),
            manifest_hash_actual=self.actual,
            manifest_hash_expected=self.expected,
            altered=any(finding.altered for finding in findings),
            notes=[*self.notes, *notes],
        )


def _verify_run(run_dir: Path) -> VerifyAnnexIVResult:
    recorded = read_recorded(run_dir)
    document = verify_document(annex_iv_path(run_dir), recorded)
    more, notes = other_findings(run_dir, recorded)
    return document.result(more, notes)


def _log_of(document: Path) -> Recorded | None:
    beside = [document.parent, document.parent.parent]
    real = Path(os.path.realpath(document))
    return read_recorded(*dict.fromkeys([*beside, real.parent, real.parent.parent]))


def verify_document(
    path: Path, recorded: Recorded | None, *, follow_links: bool = False
) -> _Document:
    """Return what is wrong with one document, given what the log of its run recorded."""
    hashes = recorded.annex_iv_hashes() if recorded else []
    notes = [_NO_LOG] if recorded is None else [] if hashes else [_NO_HASH]
    findings = list(_log_findings(recorded))
    try:
        document = read_document(path, follow_links=follow_links)
    except DocumentError as error:
        findings.insert(0, Finding(f"{path.name}: {error}", bool(hashes)))
        return _Document(findings, notes)
    except (FileNotFoundError, NotADirectoryError):
        gone = ", but the audit log recorded one: it was deleted or moved" if hashes else ""
        findings.insert(0, Finding(f"there is no document at {path}{gone}", bool(hashes)))
        return _Document(findings, notes)
    missing = missing_fields(document.content)
    actual = manifest_hash(document.content)
    carried = _carried(document.content)
    findings = [
        *_content_findings(document, missing),
        *_hash_findings(carried, actual, recorded=bool(hashes)),
        *_recorded_findings(actual, hashes),
        *findings,
    ]
    expected = carried if isinstance(carried, str) and carried else next(reversed(hashes), None)
    return _Document(findings, notes, tuple(missing), actual, expected)


def _log_findings(recorded: Recorded | None) -> Iterator[Finding]:
    if recorded is not None and not recorded.verdict.valid:
        yield Finding(f"the audit log {recorded.log} is altered: {recorded.verdict.reason}", True)


def _content_findings(document: JsonDocument, missing: list[str]) -> Iterator[Finding]:
    if document.repeated:
        yield Finding(f"keys that are there twice: {_listed(document.repeated)}", True)
    if missing:
        yield Finding(f"required keys that are missing or not filled: {_listed(missing)}")


def _carried(document: dict[str, Any]) -> Any:
    metadata = document.get("metadata")
    return metadata.get("manifest_hash") if isinstance(metadata, dict) else None


def _hash_findings(carried: Any, actual: str, *, recorded: bool) -> Iterator[Finding]:
    if carried is None and recorded:
        yield Finding("its metadata.manifest_hash was deleted: the audit log recorded one", True)
    elif carried is None:
        yield Finding("it has no metadata.manifest_hash, so nothing in it shows it is unaltered")
    elif not isinstance(carried, str) or not _SHA256_HEX.fullmatch(carried):
        yield Finding("metadata.manifest_hash is not 64 hex digits: it was altered", True)
    elif carried.lower() != actual:
        yield Finding(
            f"it was altered: its hash is {actual}, and metadata.manifest_hash is {carried}", True
        )


def _recorded_findings(actual: str, hashes: list[str]) -> Iterator[Finding]:
    if not hashes or actual == hashes[-1]:
        return
    if actual in hashes:
        yield Finding("it is an older document: the audit log recorded a later one", True)
    else:
        yield Finding(
            f"it was altered: its hash is {actual}, and the audit log recorded {hashes[-1]}", True
        )


def _listed(names: list[str]) -> str:
    shown = [ascii(name)[1:-1][:80] for name in names[:12]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
