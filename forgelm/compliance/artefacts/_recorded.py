"""What the audit log of a run says about the documents and the model that the run left."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgelm.compliance._verify_log import verify_audit_log
from forgelm.compliance.audit_log import VerifyResult, archived_parts, open_regular

__all__ = [
    "ARTIFACTS_EXPORTED",
    "GOVERNANCE_EXPORTED",
    "LOG_NAME",
    "MODEL_VERIFIED",
    "Recorded",
    "find_log",
    "is_or_was_log",
    "read_events",
    "read_recorded",
    "recorded_in",
]

LOG_NAME = "audit_log.jsonl"
ARTIFACTS_EXPORTED = "compliance.artifacts_exported"
GOVERNANCE_EXPORTED = "compliance.governance_exported"
MODEL_VERIFIED = "model.integrity_verified"
INITIALIZED = "pipeline.initialized"
COMPLETED = "pipeline.completed"

_SUFFIXES = ("", ".head", ".manifest.json")
_MAX_LINE_BYTES = 8 * 1024 * 1024
_MAX_KEPT = 1000
_WITH_DIGESTS = (ARTIFACTS_EXPORTED, GOVERNANCE_EXPORTED, MODEL_VERIFIED, INITIALIZED, COMPLETED)


@dataclass(frozen=True)
class Recorded:
    """The events of a log that record digests, oldest first.

    Attributes:
        log: The log file.
        verdict: Whether the log itself stands as it was written.
        events: The events, as they were logged.
    """

    log: Path
    verdict: VerifyResult
    events: list[dict[str, Any]] = field(default_factory=list)

    def annex_iv_hashes(self) -> list[str]:
        """Return the hash of each Annex IV document that was exported."""
        found = [
            event.get("annex_iv_manifest_hash")
            for event in self.events
            if event.get("event") == ARTIFACTS_EXPORTED
        ]
        return [digest for digest in found if isinstance(digest, str)]

    def documents(self) -> dict[str, str]:
        """Return `{file name: SHA-256}` of the documents of the latest export."""
        latest: dict[str, str] = {}
        for event in self.events:
            if event.get("event") in (ARTIFACTS_EXPORTED, GOVERNANCE_EXPORTED):
                latest |= dict(digests(event.get("artifacts")))
        return latest

    def earlier_documents(self) -> dict[str, set[str]]:
        """Return `{file name: SHA-256 of every one}` of the documents of all runs."""
        found: dict[str, set[str]] = {}
        for event in self.events:
            if event.get("event") in (ARTIFACTS_EXPORTED, GOVERNANCE_EXPORTED):
                for name, digest in digests(event.get("artifacts")):
                    found.setdefault(name, set()).add(digest)
        return found

    def run_files(self) -> dict[str, tuple[str, int]]:
        """Return `{file name: SHA-256, size}` of the latest run's; none while it goes on."""
        latest: dict[str, tuple[str, int]] = {}
        for event in self.events:
            if event.get("event") in (INITIALIZED, COMPLETED):
                latest = dict(_sized(event.get("artifacts")))
        return latest

    def run_files_of(self, run_id: str) -> dict[str, tuple[str, int]]:
        """Return the same of an earlier run, by its name."""
        own = [event for event in self.events if event.get("run_id") == run_id]
        return Recorded(self.log, self.verdict, own).run_files()

    def run_ids(self) -> set[str]:
        """Return the names of the runs that ended."""
        ended = (event for event in self.events if event.get("event") == COMPLETED)
        return {str(event.get("run_id")) for event in ended}

    def models(self) -> list[dict[str, str]]:
        """Return `{file name: SHA-256}` of each model that was recorded."""
        return [
            dict(digests(event.get("artifacts")))
            for event in self.events
            if event.get("event") == MODEL_VERIFIED
        ]


def digests(artifacts: Any) -> Iterator[tuple[str, str]]:
    """Yield name and SHA-256 of each entry of an `artifacts` list that has both."""
    for entry in artifacts if isinstance(artifacts, list) else ():
        if isinstance(entry, dict):
            name, digest = entry.get("file"), entry.get("sha256")
            if isinstance(name, str) and isinstance(digest, str):
                yield name, digest


def _sized(artifacts: Any) -> Iterator[tuple[str, tuple[str, int]]]:
    sizes = {
        entry.get("file"): entry.get("size_bytes")
        for entry in (artifacts if isinstance(artifacts, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("file"), str)
    }
    for name, digest in digests(artifacts):
        size = sizes[name]
        if type(size) is int and _is_inside(name):
            yield name, (digest, size)


def _is_inside(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return "\0" not in name and ".." not in Path(name).parts and not Path(name).is_absolute()


def read_recorded(*folders: Path) -> Recorded | None:
    """Return what the first log found in one of `folders` says; None where there is none.

    A log of which only the side files are left counts as found: it was deleted.

    Raises:
        OSError: There is a log and it cannot be read.
    """
    for folder in folders:
        log = find_log(folder)
        if log is not None:
            return recorded_in(log, verify_audit_log(log))
    return None


def find_log(folder: Path) -> Path | None:
    """Return where the log of `folder` lies, or lay when only what belongs to it is left."""
    log = folder / LOG_NAME
    return log if is_or_was_log(log) else None


def is_or_was_log(log: Path) -> bool:
    """Say whether there is a file at `log`, or one beside it that says there was."""
    if any(os.path.lexists(f"{log}{suffix}") for suffix in _SUFFIXES):
        return True
    return log.parent.is_dir() and bool(archived_parts(log))


def recorded_in(log: Path, verdict: VerifyResult) -> Recorded:
    """Return what a log says, given the verdict on it: nothing where it is altered."""
    events = read_events(log, _WITH_DIGESTS) if verdict.valid else []
    return Recorded(log, verdict, events[-_MAX_KEPT:])


def read_events(log: Path, names: Collection[str]) -> list[dict[str, Any]]:
    """Return the newest events of these names, a bounded number, oldest first."""
    kept: list[dict[str, Any]] = []
    for part in (*archived_parts(log), log):
        kept += _events_of_part(part, names)
    return kept


def _events_of_part(log: Path, names: Collection[str]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    marks = [f'"event": "{name}"'.encode("ascii") for name in names]
    with os.fdopen(open_regular(log, os.O_RDONLY, follow_links=True), "rb") as stream:
        while line := stream.readline(_MAX_LINE_BYTES):
            if not any(mark in line for mark in marks):
                continue
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict) and entry.get("event") in names:
                kept.append(entry)
                del kept[:-_MAX_KEPT]
    return kept
