"""The manifest beside a log, which pins its first line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm.compliance.audit_log._files import open_regular, read_at, write_replacing

__all__ = ["ManifestError", "manifest_path", "read_manifest", "write_manifest"]

_MAX_MANIFEST_BYTES = 64 * 1024


class ManifestError(Exception):
    """The manifest was altered; the message is a clause."""


def manifest_path(log: Path) -> Path:
    """Return where the manifest of `log` lies."""
    return log.with_name(log.name + ".manifest.json")


def read_manifest(log: Path) -> dict[str, Any] | None:
    """Return the manifest of `log`, or None where there is none.

    Raises:
        ManifestError: It is no JSON object that names the hash of a first line.
        OSError: It cannot be opened.
    """
    try:
        descriptor = open_regular(manifest_path(log), os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        content = read_at(descriptor, _MAX_MANIFEST_BYTES + 1, 0)
    finally:
        os.close(descriptor)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise ManifestError("is not a JSON document: it was damaged or replaced") from None
    if not isinstance(document, dict) or not isinstance(document.get("first_entry_sha256"), str):
        raise ManifestError("names no first_entry_sha256: it was damaged or replaced")
    return document


def write_manifest(
    log: Path,
    run_id: str,
    first_entry_sha256: str,
    rerooted_from: Mapping[str, Any] | None = None,
) -> None:
    """Pin the first line of `log`, and what was pinned before where a chain is started anew."""
    document: dict[str, Any] = {
        "audit_log": log.name,
        "created_at": datetime.now(UTC).isoformat(),
        "run_id": run_id,
        "first_entry_sha256": first_entry_sha256,
    }
    if rerooted_from is not None:
        document["rerooted_from"] = dict(rerooted_from)
    write_replacing(manifest_path(log), (json.dumps(document, indent=2) + "\n").encode("ascii"))
