"""The files of a model's folder, and the manifest of their digests."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from forgelm._core import write_json_atomic
from forgelm.compliance.audit_log import open_regular

__all__ = [
    "INTEGRITY_FILE",
    "SIGNATURE_FILE",
    "FolderContent",
    "digest_file",
    "is_no_plain_file",
    "list_folder",
    "write_model_integrity",
]

INTEGRITY_FILE = "model_integrity.json"
SIGNATURE_FILE = "model.sig"
_BLOCK_BYTES = 1024 * 1024


class FolderContent(NamedTuple):
    """What lies in a folder and below it, by name relative to it, sorted."""

    files: list[str]
    links: list[str]
    others: list[str]


def list_folder(folder: Path) -> FolderContent:
    """Return files, symbolic links (never followed) and what else there is, such as pipes.

    Raises:
        OSError: The folder, or one below it, cannot be listed.
    """
    found = FolderContent([], [], [])
    for name, entry in _walk(folder):
        if entry.is_symlink():
            found.links.append(name)
        elif entry.is_file(follow_symlinks=False):
            found.files.append(name)
        else:
            found.others.append(name)
    for names in found:
        names.sort()
    return found


def _walk(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    waiting = [("", os.fspath(folder))]
    while waiting:
        prefix, place = waiting.pop()
        with os.scandir(place) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((f"{name}/", entry.path))
                else:
                    yield name, entry


def digest_file(path: Path, *, at_most: int | None = None) -> tuple[str, int]:
    """Return the SHA-256 and the size of a regular file that is no link, read in blocks.

    Args:
        path: The file.
        at_most: How many bytes of its beginning count; all of them when not given.

    Raises:
        OSError: It is no such file, or cannot be read.
    """
    descriptor = open_regular(path, os.O_RDONLY)
    digest, size = hashlib.sha256(), 0
    try:
        while at_most is None or size < at_most:
            wanted = _BLOCK_BYTES if at_most is None else min(_BLOCK_BYTES, at_most - size)
            block = os.read(descriptor, wanted)
            if not block:
                break
            digest.update(block)
            size += len(block)
    finally:
        os.close(descriptor)
    return digest.hexdigest(), size


def _is_no_text(name: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in name)


def is_no_plain_file(error: OSError) -> bool:
    """Tell a path that is a link, a folder, a pipe or a device from one that cannot be read."""
    return error.errno in (
        errno.ELOOP,
        errno.EINVAL,
        errno.EISDIR,
        errno.ENXIO,
        errno.ENAMETOOLONG,
    )


def write_model_integrity(model_dir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Write `model_integrity.json` into a model's folder and return the entries in it.

    Every file but the manifest itself and a signature is named, so write it last.

    Raises:
        OSError: The folder holds links or the like, or cannot be read or written.
    """
    folder = Path(model_dir)
    content = list_folder(folder)
    odd = [*content.links, *content.others, *filter(_is_no_text, content.files)]
    if odd:
        names = ", ".join(map(ascii, odd[:20]))
        raise OSError(f"{folder} holds what no manifest can name, links or the like: {names}")
    artifacts: list[dict[str, Any]] = []
    for name in content.files:
        if name not in (INTEGRITY_FILE, SIGNATURE_FILE):
            digest, size = digest_file(folder / name)
            artifacts.append({"file": name, "sha256": digest, "size_bytes": size})
    manifest = {
        "verified_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "model_path": folder.name,
        "artifacts": artifacts,
    }
    write_json_atomic(folder / INTEGRITY_FILE, manifest)
    return artifacts
