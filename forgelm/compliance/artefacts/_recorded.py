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
    "read_events",
    "read_recorded",
    "recorded_in",
]

LOG_NAME = "audit_log.jsonl"
ARTIFACTS_EXPORTED = "compliance.artifacts_exported"
GOVERNANCE_EXPORTED = "compliance.governance_exported"
MODEL_VERIFIED = "model.integrity_verified"

_SUFFIXES = ("", ".head", ".manifest.json")
_MAX_LINE_BYTES = 8 * 1024 * 1024
_MAX_KEPT = 1000
_WITH_DIGESTS = (ARTIFACTS_EXPORTED, GOVERNANCE_EXPORTED, MODEL_VERIFIED)


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
    """Return where the log of `folder` lies, or lay when only its side files are left."""
    log = folder / LOG_NAME
    return log if any(os.path.lexists(f"{log}{suffix}") for suffix in _SUFFIXES) else None


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
