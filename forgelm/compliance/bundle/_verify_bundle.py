"""Verifying an evidence bundle: the zip itself, its index, and the evidence in it."""

from __future__ import annotations

import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from forgelm.compliance.artefacts import (
    COMPLIANCE_FOLDER,
    INTEGRITY_FILE,
    LOG_NAME,
    RESULT_FOLDERS,
    RUN_FILES,
    SIGNATURE_FILE,
    DocumentError,
    Finding,
    Recorded,
    manifest_problems,
    read_document,
    recorded_findings,
    recorded_in,
    sentence,
)
from forgelm.compliance.audit_log import VerifyResult
from forgelm.compliance.bundle._bundle import BUNDLE_FORMAT
from forgelm.compliance.bundle._bundle_content import EARLIER, INDEX_NAME
from forgelm.compliance.bundle._bundle_reader import (
    Entry,
    UnusableBundleError,
    entry_problems,
    is_plain_name,
    open_zip,
    read_entry,
)
from forgelm.compliance.bundle._evidence_verdict import EvidencePart, EvidenceVerdict, verdict_on
from forgelm.compliance.bundle._run_parts import (
    LogOptions,
    document_parts,
    earlier_parts,
    known_of,
    log_part,
    run_file_parts,
)

__all__ = ["verify_bundle"]

_KIND = "evidence bundle"
_SHA256_HEX = re.compile("[0-9a-f]{64}")
_UNSIGNED = (
    "The index vouches for what the log does not record only if its SHA-256 is the one you know "
    "from elsewhere."
)


def verify_bundle(stream: BinaryIO, options: LogOptions) -> EvidenceVerdict:
    """Return the verdict on the zip in `stream`: every entry, the index, log, documents, models.

    What has to lie on the disk to be verified does so in a private folder for the time being.

    Raises:
        OSError: It cannot be read, or the disk is full.
    """
    size = os.fstat(stream.fileno()).st_size
    try:
        found = open_zip(stream, size)
    except UnusableBundleError as error:
        return verdict_on(_KIND, [EvidencePart(".", "bundle", False, True, str(error))])
    with found, tempfile.TemporaryDirectory(prefix="forgelm-") as folder:
        verdict = _Check(found, Path(folder), options).verdict(size)
        return verdict_on(
            _KIND,
            [_without_place(part, f"{folder}{os.sep}") for part in verdict.parts],
            head=verdict.chain_head,
            index=verdict.index_sha256,
        )


def _without_place(part: EvidencePart, place: str) -> EvidencePart:
    """Name files as the bundle does, not as they lay on the disk for the time being."""
    notes = tuple(note.replace(place, "") for note in part.notes)
    return replace(part, reason=part.reason and part.reason.replace(place, ""), notes=notes)


class _Check:
    def __init__(self, found: zipfile.ZipFile, folder: Path, options: LogOptions) -> None:
        self._zip = found
        self._folder = folder
        self._options = options
        self._parts: list[EvidencePart] = []
        self._read: dict[str, Entry] = {}

    def verdict(self, size: int) -> EvidenceVerdict:
        problems = entry_problems(self._zip, size)
        for name, problem in sorted(problems.items()):
            self._part(name, "bundle" if name == "." else "file", problem)
        if "." in problems or INDEX_NAME in problems:
            return verdict_on(_KIND, self._parts)
        if INDEX_NAME not in self._zip.namelist():
            reason = f"it has no {INDEX_NAME}: it is a zip, and no evidence bundle"
            self._part(".", "bundle", reason, altered=False)
            return verdict_on(_KIND, self._parts)
        self._read_all(problems)
        index = self._index()
        if index is None:
            return verdict_on(_KIND, self._parts)
        self._compare(index, problems)
        log = self._evidence(index)
        head = log.chain_head if log.valid else None
        return verdict_on(_KIND, self._parts, head=head, index=self._read[INDEX_NAME].sha256)

    def _part(self, name: str, kind: str, problem: str | None, *, altered: bool = True) -> None:
        failed = problem is not None
        self._parts.append(EvidencePart(name, kind, not failed, failed and altered, problem))

    def _read_all(self, problems: dict[str, str]) -> None:
        for name in self._zip.namelist():
            if name in problems:
                continue
            copy = self._folder / name if _is_looked_into(name) else None
            entry = read_entry(self._zip, name, copy)
            if isinstance(entry, str):
                self._part(name, "file", entry)
                if copy is not None:
                    copy.unlink(missing_ok=True)
            else:
                self._read[name] = entry

    def _index(self) -> dict[str, Any] | None:
        try:
            index = read_document(self._folder / INDEX_NAME)
        except (DocumentError, FileNotFoundError) as error:
            self._part(INDEX_NAME, "file", str(error))
            return None
        problem = sentence([Finding(text, True) for text in _index_problems(index.content)])
        if index.repeated:
            problem = f"it has keys that are there twice: {index.repeated[0][:80]!a}"
        self._part(INDEX_NAME, "file", problem)
        return index.content if problem is None else None

    def _compare(self, index: dict[str, Any], problems: dict[str, str]) -> None:
        """Hold every entry to its line of the index."""
        listed = {line["path"]: line for line in index["files"]}
        told = {part.name for part in self._parts} | problems.keys()
        for name in sorted(listed.keys() | self._read.keys()):
            if name == INDEX_NAME or name in told:
                continue
            line, entry = listed.get(name), self._read.get(name)
            problem = None
            if line is None:
                problem = "the index does not name it: it was added"
            elif entry is None:
                problem = "the index names it, and the bundle does not hold it: it was removed"
            elif entry != (line["sha256"], line["size_bytes"]):
                problem = "its SHA-256 or size is not the one in the index: it was altered"
            self._part(name, "file", problem)

    def _evidence(self, index: dict[str, Any]) -> VerifyResult:
        """Look into the log, the documents and the manifests of models."""
        log = self._folder / LOG_NAME
        result = self._options.verdict(log)
        part = log_part(log, result)
        kept = index["log"].get("head")
        if result.valid and result.head and (kept or {}).get("chain_head") != result.chain_head:
            reason = "its last line is not the one that the index records: log or index was changed"
            part = EvidencePart(LOG_NAME, "audit log", False, True, reason)
        notes = (*part.notes, _UNSIGNED)
        self._parts.append(
            EvidencePart(part.name, part.kind, part.valid, part.altered, part.reason, notes)
        )
        recorded = recorded_in(log, result)
        self._parts += document_parts(self._folder, recorded)
        held = {name: one for name, one in recorded.run_files().items() if name in self._read}
        self._parts += run_file_parts(self._folder, held)
        self._parts += earlier_parts(self._folder, recorded)
        known = _known_files(index)
        models = [name.rpartition("/")[0] for name in known if name.endswith(f"/{INTEGRITY_FILE}")]
        self._parts += [self._model(model, known, recorded) for model in sorted(models)]
        if not models and recorded.models():
            lost = f"the log recorded a model, and there is no {INTEGRITY_FILE}: it was removed"
            self._part("final_model", "model", lost)
        return result

    def _model(
        self, model: str, known: dict[str, tuple[str, int]], recorded: Recorded
    ) -> EvidencePart:
        """Hold a model's manifest to the digests in the index and to what the log recorded."""
        try:
            manifest = read_document(self._folder / model / INTEGRITY_FILE).content
        except (DocumentError, OSError) as error:
            return EvidencePart(model, "model", False, True, f"{INTEGRITY_FILE}: {error}")
        artifacts = manifest.get("artifacts")
        findings = [Finding(text, True) for text in manifest_problems(artifacts)]
        if findings or not isinstance(artifacts, list):
            return EvidencePart(model, "model", False, True, sentence(findings))
        expected = {entry["file"]: entry for entry in artifacts}
        for name, entry in expected.items():
            if known.get(f"{model}/{name}") != (entry["sha256"].lower(), entry["size_bytes"]):
                findings.append(Finding(f"{name!a} is not the file of the manifest", True))
        listed = {f"{model}/{name}" for name in (*expected, INTEGRITY_FILE, SIGNATURE_FILE)}
        added = [name for name in known if name.startswith(f"{model}/") and name not in listed]
        findings += [Finding(f"{name!a} was added: no manifest names it", True) for name in added]
        if recorded.verdict.valid:
            findings += recorded_findings(expected, known_of(model, recorded))
        absent = sum(f"{model}/{name}" not in self._read for name in expected)
        notes = (f"{absent} of its files are here by their digest only.",) if absent else ()
        reason = sentence(findings)
        return EvidencePart(model, "model", not findings, bool(findings), reason, notes)


def _is_looked_into(name: str) -> bool:
    return (
        name == INDEX_NAME
        or ("/" not in name and name.startswith(LOG_NAME))
        or name in RUN_FILES
        or name.partition("/")[0] in (COMPLIANCE_FOLDER, EARLIER, *RESULT_FOLDERS)
        or name.endswith(f"/{INTEGRITY_FILE}")
    )


def _known_files(index: dict[str, Any]) -> dict[str, tuple[str, int]]:
    lines = [*index["files"], *index["digests_only"]]
    return {line["path"]: (line["sha256"], line["size_bytes"]) for line in lines}


def _index_problems(index: dict[str, Any]) -> Iterator[str]:
    if index.get("format") != BUNDLE_FORMAT:
        yield f"its format is {str(index.get('format'))[:50]!a}, not {BUNDLE_FORMAT}"
    log = index.get("log")
    if not isinstance(log, dict) or not isinstance(log.get("head"), dict | type(None)):
        yield "it does not say where the log ends"
    seen: set[str] = set()
    for key in ("files", "digests_only"):
        lines = index.get(key)
        if not isinstance(lines, list):
            yield f"{key} is no list"
            continue
        for number, line in enumerate(lines):
            name = line.get("path") if isinstance(line, dict) else None
            if not _is_line(line) or name in seen:
                yield f"{key}[{number}] is no entry with path, size_bytes and sha256 of its own"
                break
            seen.add(str(name))


def _is_line(line: Any) -> bool:
    if not isinstance(line, dict):
        return False
    name, digest, size = (line.get(key) for key in ("path", "sha256", "size_bytes"))
    return (
        isinstance(name, str)
        and is_plain_name(name)
        and isinstance(digest, str)
        and _SHA256_HEX.fullmatch(digest) is not None
        and type(size) is int
        and size >= 0
    )
