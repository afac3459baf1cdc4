"""`verify_integrity`: whether a model's folder holds what its manifest says, and nothing else."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from forgelm.compliance.artefacts._artefact_results import VerifyIntegrityResult
from forgelm.compliance.artefacts._findings import Finding, sentence
from forgelm.compliance.artefacts._json_document import DocumentError, read_document
from forgelm.compliance.artefacts._model_files import (
    INTEGRITY_FILE,
    SIGNATURE_FILE,
    FolderContent,
    digest_file,
    is_no_plain_file,
    list_folder,
)
from forgelm.compliance.artefacts._recorded import Recorded, digests, read_recorded

__all__ = ["check_model_folder", "manifest_problems", "recorded_findings", "verify_integrity"]

_SHA256_HEX = re.compile("[0-9a-fA-F]{64}")
_NO_LOG = (
    "There is no audit log beside the folder: whoever changed files and manifest together would "
    "not be seen."
)
_NO_FILES = "The audit log beside the folder records no files of a model."
_SIGNED = f"There is a signature, {SIGNATURE_FILE}: check it with the signer's public key."


def verify_integrity(model_dir: str | os.PathLike[str]) -> VerifyIntegrityResult:
    """Say whether a model's folder holds exactly the files of `model_integrity.json`.

    Links are never followed. Where the audit log of the run lies in the folder or beside it, the
    files that it recorded count too, so that files and manifest changed together are found.

    Args:
        model_dir: The folder.

    Returns:
        The verdict; a folder or a manifest that is not there is one, too.

    Raises:
        OSError: A file may not be read, or the disk fails.
    """
    folder = Path(model_dir).absolute()
    try:
        if not folder.is_dir():
            return VerifyIntegrityResult(False, f"there is no folder {os.fspath(model_dir)!r}")
    except ValueError as error:  # a NUL byte, in some versions of Python
        return VerifyIntegrityResult(False, f"{os.fspath(model_dir)!r} cannot be a path: {error}")
    return check_model_folder(folder, read_recorded(folder, folder.parent))


def check_model_folder(folder: Path, recorded: Recorded | None) -> VerifyIntegrityResult:
    """Return the verdict on a folder, given what the audit log of its run recorded."""
    content = list_folder(folder)
    notes = [_NO_LOG] if recorded is None else []
    if recorded is not None and recorded.verdict.valid and not recorded.models():
        notes.append(_NO_FILES)
    try:
        manifest = read_document(folder / INTEGRITY_FILE)
    except FileNotFoundError:
        known = bool(recorded and recorded.models())
        gone = ", but the audit log recorded the model's files: it was deleted" if known else ""
        reason = f"there is no {INTEGRITY_FILE} in {folder}{gone}"
        return VerifyIntegrityResult(False, reason, altered=known, notes=notes)
    except DocumentError as error:
        reason = f"{INTEGRITY_FILE}: {error}"
        return VerifyIntegrityResult(False, reason, altered=True, notes=notes)
    entries = manifest.content.get("artifacts")
    findings = [Finding(text, True) for text in manifest_problems(entries)]
    findings += [Finding(f"{INTEGRITY_FILE} has the key {name!r} twice", True)
                 for name in manifest.repeated]  # fmt: skip
    if findings:
        return VerifyIntegrityResult(False, sentence(findings), altered=True, notes=notes)
    return _compared(folder, content, manifest.content["artifacts"], recorded, notes)


def manifest_problems(entries: Any) -> Iterator[str]:
    """Yield what is wrong with the list of a manifest, by the number of the entry."""
    if not isinstance(entries, list) or not entries:
        yield f"{INTEGRITY_FILE} lists no artifacts"
        return
    seen: set[str] = set()
    for number, entry in enumerate(entries):
        where = f"{INTEGRITY_FILE}, artifacts[{number}]"
        if not isinstance(entry, dict):
            yield f"{where} is no object"
            continue
        name, digest, size = (entry.get(key) for key in ("file", "sha256", "size_bytes"))
        if not _is_plain_name(name):
            yield f"{where}: file {ascii(name)[:100]} names nothing inside the folder"
        elif name in seen:
            yield f"{where}: file {name!a} is there twice"
        if not isinstance(digest, str) or not _SHA256_HEX.fullmatch(digest):
            yield f"{where}: sha256 is not 64 hex digits"
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            yield f"{where}: size_bytes is no number of bytes"
        seen.add(str(name))


def _is_plain_name(name: Any) -> bool:
    """Say whether a name stays inside the folder and is spelled the only possible way."""
    if not isinstance(name, str) or not name or "\0" in name or name == INTEGRITY_FILE:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and str(path) == name


def _compared(
    folder: Path,
    content: FolderContent,
    entries: list[dict[str, Any]],
    recorded: Recorded | None,
    notes: list[str],
) -> VerifyIntegrityResult:
    expected = {entry["file"]: entry for entry in entries}
    present = set(content.files) - {INTEGRITY_FILE, SIGNATURE_FILE}
    if SIGNATURE_FILE in content.files and SIGNATURE_FILE not in expected:
        notes.append(_SIGNED)
    odd = {*content.links, *content.others}
    same = sorted(present & expected.keys())
    added = sorted({*present, *content.others} - expected.keys())
    removed = sorted(expected.keys() - present - odd)
    changed = [name for name in same if not _is_unchanged(folder / name, expected[name])]
    changed = sorted({*changed, *(expected.keys() & odd)})
    groups = {"changed": changed, "removed": removed, "added": added}
    findings = [
        Finding(f"{what}: {_listed(names)}", True) for what, names in groups.items() if names
    ]
    findings += [Finding(_told_link(folder, name), True) for name in content.links[:20]]
    findings += recorded_findings(expected, recorded)
    return VerifyIntegrityResult(
        valid=not findings,
        reason=sentence(findings),
        added=added,
        changed=changed,
        removed=removed,
        links=content.links,
        files_checked=len(same),
        altered=bool(findings),
        notes=notes,
    )


def _is_unchanged(path: Path, entry: dict[str, Any]) -> bool:
    try:
        digest, size = digest_file(path)
    except OSError as error:
        if error.errno == errno.ENOENT or is_no_plain_file(error):  # swapped since the listing
            return False
        raise
    return (digest, size) == (entry["sha256"].lower(), entry["size_bytes"])


def _told_link(folder: Path, name: str) -> str:
    target = os.path.realpath(folder / name)
    inside = os.path.commonpath([target, os.path.realpath(folder)]) == os.path.realpath(folder)
    return f"{name!a} is a symbolic link{'' if inside else ' that leads out of the folder'}"


def recorded_findings(
    expected: dict[str, dict[str, Any]], recorded: Recorded | None
) -> Iterator[Finding]:
    """Yield what shows that a manifest is none that the log recorded."""
    if recorded is None:
        return
    if not recorded.verdict.valid:
        yield Finding(f"the audit log {recorded.log} is altered: {recorded.verdict.reason}", True)
        return
    models = recorded.models()
    named = {name: digest.lower() for name, digest in digests(list(expected.values()))}
    if models and named not in models:
        yield Finding(f"{INTEGRITY_FILE} is not the one whose files the audit log recorded", True)


def _listed(names: list[str]) -> str:
    more = len(names) - 20
    return ", ".join(map(ascii, names[:20])) + (f" and {more} more" if more > 0 else "")
