"""Where data and base model came from, with the digest of everything that lies on this machine."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm.compliance.artefacts import digest_file, is_no_plain_file, list_folder
from forgelm.compliance.documents._doc_facts import RunFacts

__all__ = ["base_model_provenance", "changed_files", "data_provenance", "source_digests"]

_NOT_HERE = "not on this machine, so its content has no digest here"


def data_provenance(facts: RunFacts) -> list[dict[str, Any]]:
    """Return one entry a data set: what kind of source it is, and its files with their digests.

    Files that are not what they were when they were read, or whose time is after the run began,
    are marked: what was read may have been another content than what is there now.

    Raises:
        OSError: A file cannot be read.
    """
    if not facts.datasets:
        return [{"name": None, "role": "primary", "kind": "rows in memory", "sha256": None}]
    known = _Known(facts.started_at, facts.digests_when_read)
    return [
        {"name": name, "role": "extra" if number else "primary", **_source(name, known)}
        for number, name in enumerate(facts.datasets)
    ]


def source_digests(names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of every file of data sets or models on this machine, by its real path.

    Raises:
        OSError: A file cannot be read.
    """
    found: dict[str, str] = {}
    for name in names:
        source = _source(name, _Known(None, None))
        place = Path(name).expanduser()
        for entry in source.get("files", ()):
            path = place / entry["file"] if source["kind"] == "local folder" else place
            if entry["sha256"] is not None:
                found[os.path.realpath(path)] = entry["sha256"]
    return found


def changed_files(sources: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the names of the files that changed between the reading and the end of the run."""
    return [
        f"{source['name']}: {entry['file']}"
        for source in sources
        for entry in source.get("files", ())
        if "changed_since_it_was_read" in entry
    ]


@dataclass(frozen=True)
class _Known:
    started_at: str | None
    digests: Mapping[str, str] | None


def base_model_provenance(facts: RunFacts) -> dict[str, Any]:
    """Return the base model's name and revision, and the digests of its files where it is local."""
    if facts.base_model is None:
        return {"name": None, "revision": None, "kind": "a model in memory", "sha256": None}
    return {
        "name": facts.base_model,
        "revision": facts.setting("model", "revision"),
        **_source(facts.base_model, _Known(facts.started_at, facts.model_digests_when_read)),
    }


def _source(name: str, known: _Known) -> dict[str, Any]:
    path = Path(name).expanduser()
    try:
        if path.is_dir():
            return _folder(path, known)
        if path.is_file():
            entry = _file(path, path.name, known)
            return {"kind": "local file", "sha256": entry["sha256"], "files": [entry]}
        gone = (known.digests or {}).get(os.path.realpath(path))
        if gone is not None:
            entry = {"file": path.name, "sha256": None, "size_bytes": None, **_changed(gone)}
            return {"kind": "local file", "sha256": None, "files": [entry]}
    except ValueError:  # a NUL byte
        pass
    return {"kind": "name on the Hub", "sha256": None, "note": _NOT_HERE}


def _folder(folder: Path, known: _Known) -> dict[str, Any]:
    """Describe a folder; its digest is that of the lines that `sha256sum` prints for its files."""
    entries = list(_entries(folder, known))
    listing = "".join(f"{entry['sha256']}  {entry['file']}\n" for entry in entries)
    digest = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
    return {"kind": "local folder", "sha256": digest if entries else None, "files": entries}


def _entries(folder: Path, known: _Known) -> Iterator[dict[str, Any]]:
    content = list_folder(folder)
    for name in sorted([*content.files, *content.links]):
        try:
            yield _file(folder / name, name, known)
        except OSError as error:
            if error.errno != errno.ENOENT and not is_no_plain_file(error):
                raise
            yield {"file": name, "sha256": None, "size_bytes": None, "note": "no regular file"}
    inside = f"{os.path.realpath(folder)}{os.sep}"
    for path, digest in sorted((known.digests or {}).items()):
        name = path.removeprefix(inside).replace(os.sep, "/")
        if path.startswith(inside) and name not in content.files:
            yield {"file": name, "sha256": None, "size_bytes": None, **_changed(digest)}


def _file(path: Path, name: str, known: _Known) -> dict[str, Any]:
    real = Path(os.path.realpath(path))
    digest, size = digest_file(real)
    modified = datetime.fromtimestamp(real.stat().st_mtime, UTC)
    entry: dict[str, Any] = {"file": name, "sha256": digest, "size_bytes": size}
    if known.started_at is not None and modified > datetime.fromisoformat(known.started_at):
        entry["changed_after_the_run_began"] = True
    if known.digests is not None and known.digests.get(os.fspath(real)) != digest:
        entry |= _changed(known.digests.get(os.fspath(real)))
    return entry


def _changed(when_read: str | None) -> dict[str, Any]:
    return {"changed_since_it_was_read": True, "sha256_when_read": when_read}
