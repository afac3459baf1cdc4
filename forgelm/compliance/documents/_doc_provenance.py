"""Where data and base model came from, with the digest of everything that lies on this machine."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm.compliance.artefacts import digest_file, is_no_plain_file, list_folder
from forgelm.compliance.documents._doc_facts import RunFacts

__all__ = ["base_model_provenance", "data_provenance"]

_NOT_HERE = "not on this machine, so its content has no digest here"


def data_provenance(facts: RunFacts) -> list[dict[str, Any]]:
    """Return one entry a data set: what kind of source it is, and its files with their digests.

    Files that were changed after the run began are marked: what was read may have been another
    content than what was hashed.

    Raises:
        OSError: A file cannot be read.
    """
    if not facts.datasets:
        return [{"name": None, "role": "primary", "kind": "rows in memory", "sha256": None}]
    return [
        {"name": name, "role": "extra" if number else "primary", **_source(name, facts.started_at)}
        for number, name in enumerate(facts.datasets)
    ]


def base_model_provenance(facts: RunFacts) -> dict[str, Any]:
    """Return the base model's name and revision, and the digests of its files where it is local."""
    if facts.base_model is None:
        return {"name": None, "revision": None, "kind": "a model in memory", "sha256": None}
    return {
        "name": facts.base_model,
        "revision": facts.setting("model", "revision"),
        **_source(facts.base_model, facts.started_at),
    }


def _source(name: str, started_at: str | None) -> dict[str, Any]:
    path = Path(name).expanduser()
    try:
        if path.is_dir():
            return _folder(path, started_at)
        if path.is_file():
            entry = _file(path, path.name, started_at)
            return {"kind": "local file", "sha256": entry["sha256"], "files": [entry]}
    except ValueError:  # a NUL byte
        pass
    return {"kind": "name on the Hub", "sha256": None, "note": _NOT_HERE}


def _folder(folder: Path, started_at: str | None) -> dict[str, Any]:
    """Describe a folder; its digest is that of the lines that `sha256sum` prints for its files."""
    entries = list(_entries(folder, started_at))
    listing = "".join(f"{entry['sha256']}  {entry['file']}\n" for entry in entries)
    digest = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
    return {"kind": "local folder", "sha256": digest if entries else None, "files": entries}


def _entries(folder: Path, started_at: str | None) -> Iterator[dict[str, Any]]:
    content = list_folder(folder)
    for name in sorted([*content.files, *content.links]):
        try:
            yield _file(folder / name, name, started_at)
        except OSError as error:
            if error.errno != errno.ENOENT and not is_no_plain_file(error):
                raise
            yield {"file": name, "sha256": None, "size_bytes": None, "note": "no regular file"}


def _file(path: Path, name: str, started_at: str | None) -> dict[str, Any]:
    real = Path(os.path.realpath(path))
    digest, size = digest_file(real)
    modified = datetime.fromtimestamp(real.stat().st_mtime, UTC)
    entry: dict[str, Any] = {"file": name, "sha256": digest, "size_bytes": size}
    if started_at is not None and modified > datetime.fromisoformat(started_at):
        entry["changed_after_the_run_began"] = True
    return entry
