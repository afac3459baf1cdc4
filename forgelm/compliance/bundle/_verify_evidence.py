"""`verify_evidence`: a verdict on whatever piece of evidence one is handed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

from forgelm.compliance.artefacts import (
    COMPLIANCE_FOLDER,
    INTEGRITY_FILE,
    LOG_NAME,
    find_log,
    is_no_plain_file,
    verify_annex_iv_artifact,
    verify_gguf,
    verify_integrity,
)
from forgelm.compliance.audit_log import Expected, open_regular
from forgelm.compliance.bundle._evidence_verdict import EvidencePart, EvidenceVerdict, verdict_on
from forgelm.compliance.bundle._run_parts import LogOptions, artefact_part, log_part, run_parts
from forgelm.compliance.bundle._verify_bundle import verify_bundle
from forgelm.compliance.checkpoints import CheckpointSource, KeySource

__all__ = ["verify_evidence"]

_LOG_FILE = re.compile(re.escape(LOG_NAME) + r"(\.\d{4,9})?")
_BEGINNING_BYTES = 4096


def verify_evidence(
    path: str | os.PathLike[str],
    *,
    require_hmac: bool = False,
    expected_head: Expected | None = None,
    public_key: KeySource | None = None,
    checkpoint: CheckpointSource | None = None,
) -> EvidenceVerdict:
    """Say whether a piece of evidence, of whatever kind, is complete and as it was written.

    An audit log, an Annex IV document, a GGUF file, a model's folder, a run directory or an
    evidence bundle: what it is shows in the file itself. Of a directory or a bundle, every part
    is verified and held to what the log recorded. Secrets come from the environment,
    `FORGELM_AUDIT_SECRET` or `FORGELM_AUDIT_KEYS`.

    Args:
        path: The file or folder.
        require_hmac: Every line of the log must carry a tag that matches.
        expected_head: What was kept elsewhere of an earlier verification of the log.
        public_key: The verifier key of who signs checkpoints of the log, or a file of such keys.
        checkpoint: The checkpoint to hold the log to, where not the one beside it.

    Returns:
        The verdict on each part. What is missing, cut, hostile or of another kind is one, too.

    Raises:
        OSError: A file may not be read, or the disk fails.
        ValueError: `expected_head` holds no hash, or `public_key` no key.
    """
    if "\0" in os.fspath(path):
        return _unknown(f"{os.fspath(path)!r} cannot be a path")
    place = Path(path).absolute()
    options = LogOptions(require_hmac, expected_head, public_key, checkpoint)
    try:
        if place.is_dir():
            return _folder(place, options)
        if find_log(place.parent) == place:
            return _log(place, options)
        descriptor = open_regular(place, os.O_RDONLY, follow_links=True)
    except (FileNotFoundError, NotADirectoryError):
        return _unknown(f"there is nothing at {os.fspath(path)!r}")
    except OSError as error:
        if not is_no_plain_file(error):
            raise
        return _unknown(f"{os.fspath(path)!r} is not a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        return _file(place, stream, options)


def _folder(place: Path, options: LogOptions) -> EvidenceVerdict:
    if find_log(place) is None and not (place / COMPLIANCE_FOLDER).is_dir():
        if os.path.lexists(place / INTEGRITY_FILE):
            part = artefact_part(".", "model", verify_integrity(place))
            return verdict_on("model folder", [part])
        return _unknown("the folder holds no audit log, no documents and no model with a manifest")
    parts, log = run_parts(place, options)
    if os.path.lexists(place / INTEGRITY_FILE):
        parts.append(artefact_part(".", "model", verify_integrity(place)))
    return verdict_on("run directory", parts, head=log.chain_head if log.valid else None)


def _file(place: Path, stream: BinaryIO, options: LogOptions) -> EvidenceVerdict:
    beginning = stream.read(_BEGINNING_BYTES)
    if beginning.startswith(b"PK") or place.suffix == ".zip":
        return verify_bundle(stream, options)
    if beginning.startswith(b"GGUF") or place.suffix == ".gguf":
        part = artefact_part(".", "GGUF file", verify_gguf(place))
        return verdict_on("GGUF file", [part])
    if _LOG_FILE.fullmatch(place.name) or b'"prev_hash": "' in beginning.partition(b"\n")[0]:
        return _log(place, options)
    if place.name == INTEGRITY_FILE:
        part = artefact_part(".", "model", verify_integrity(place.parent))
        return verdict_on("model folder", [part])
    if beginning.lstrip().startswith(b"{"):
        part = artefact_part(".", "Annex IV document", verify_annex_iv_artifact(place))
        return verdict_on("Annex IV document", [part])
    return _unknown("it is no audit log, Annex IV document, GGUF file or evidence bundle")


def _log(place: Path, options: LogOptions) -> EvidenceVerdict:
    result = options.verdict(place)
    head = result.chain_head if result.valid else None
    return verdict_on("audit log", [log_part(place, result, ".")], head=head)


def _unknown(reason: str) -> EvidenceVerdict:
    return verdict_on("unknown", [EvidencePart(".", "file", False, False, reason)])
