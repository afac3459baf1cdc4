"""Files by path or by address: a local disk, or an object store through fsspec."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, BinaryIO, cast

from forgelm._core import require

__all__ = ["is_address", "list_files", "open_binary", "size_of", "stamp_of"]

_BUFFER_BYTES = 1 << 20
_STAMPS = ("etag", "ETag", "md5", "mtime", "LastModified", "last_modified", "updated", "created")


def is_address(source: str | os.PathLike[str]) -> bool:
    """Say whether `source` is an address such as `s3://bucket/rows.jsonl`, and no path."""
    scheme, mark, _ = os.fspath(source).partition("://")
    return bool(mark) and len(scheme) > 1 and scheme.replace("+", "").replace("-", "").isalnum()


def open_binary(path: str) -> BinaryIO:
    """Open a file for reading, with a buffer of 1 MiB.

    Raises:
        OSError: It cannot be read.
        OptionalDependencyError: An address, and fsspec is not installed.
    """
    if not is_address(path):
        return open(path, "rb", buffering=_BUFFER_BYTES)
    system, name = _file_system(path)
    raw = system.open(name, "rb", block_size=2 * _BUFFER_BYTES)
    return cast(BinaryIO, io.BufferedReader(raw, _BUFFER_BYTES))


def size_of(path: str) -> int:
    """Return a file's size in bytes.

    Raises:
        OSError: It is not there.
    """
    if not is_address(path):
        return os.path.getsize(path)
    system, name = _file_system(path)
    size = system.size(name)
    if size is None:
        raise OSError(f"{path}: the server does not tell the file's size; copy the file first")
    return int(size)


def stamp_of(path: str) -> str:
    """Return what changes when the file does: size and, where there is one, time or tag."""
    if not is_address(path):
        status = os.stat(path)
        return f"{status.st_size} {status.st_mtime_ns}"
    system, name = _file_system(path)
    info = system.info(name)
    return " ".join([str(size_of(path)), *(str(info[key]) for key in _STAMPS if info.get(key))])


def list_files(address: str) -> list[tuple[str, int]]:
    """Return the files right under `address` with their sizes, or the one that it names.

    Raises:
        OSError: There is nothing.
    """
    system, name = _file_system(address)
    if system.isfile(name):
        return [(address, size_of(address))]
    scheme = address.partition("://")[0]
    entries = system.ls(name, detail=True)
    return sorted(
        (f"{scheme}://{_without_scheme(entry['name'])}", int(entry["size"] or 0))
        for entry in entries
        if entry["type"] == "file"
    )


def _without_scheme(name: str) -> str:
    return name.partition("://")[2] or name


def _file_system(address: str) -> tuple[Any, str]:
    fsspec = require("fsspec", extra="cluster", feature=f"Reading {Path(address).parts[0]}//")
    system, name = fsspec.core.url_to_fs(address)
    return system, name
