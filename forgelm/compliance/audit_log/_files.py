"""Opening files without following links or hanging on pipes, and writing them to the end."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from pathlib import Path

__all__ = [
    "create_durably",
    "is_at",
    "open_regular",
    "read_at",
    "sync_folder",
    "write_at",
    "write_replacing",
]

# On Windows these flags are missing (no links to follow, no pipes to hang on) or needed (binary).
_SAFE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_PRIVATE_MODE = 0o600
_READ_BYTES = 1024 * 1024  # os.read takes memory for all it is asked for


def open_regular(path: Path, flags: int, *, follow_links: bool = False) -> int:
    """Return a descriptor of the regular file at `path`; a new file has mode 0600.

    Raises:
        OSError: It is a link (unless these are followed), a folder, a pipe or a device, or it
            cannot be opened.
    """
    descriptor = os.open(path, flags | _SAFE | (0 if follow_links else _NO_FOLLOW), _PRIVATE_MODE)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def is_at(descriptor: int, path: Path) -> bool:
    """Say whether an open file still bears the name `path` itself, not by a link."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def read_at(descriptor: int, size: int, offset: int) -> bytes:
    """Return `size` bytes from `offset`, or fewer where the file ends."""
    block = _read(descriptor, min(size, _READ_BYTES), offset)
    if len(block) == size:
        return block
    blocks = []
    while block:
        blocks.append(block)
        size -= len(block)
        offset += len(block)
        block = _read(descriptor, min(size, _READ_BYTES), offset)
    return b"".join(blocks)


if sys.platform == "win32":

    def _read(descriptor: int, size: int, offset: int) -> bytes:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, size)

else:

    def _read(descriptor: int, size: int, offset: int) -> bytes:
        return os.pread(descriptor, size, offset)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`."""
    os.lseek(descriptor, offset, os.SEEK_SET)
    rest = memoryview(data)
    while rest:
        written = os.write(descriptor, rest)
        if written <= 0:
            raise OSError(errno.EIO, "the file took no bytes")
        rest = rest[written:]


def create_durably(path: Path, data: bytes) -> None:
    """Write a new file at `path` and flush it to the disk; a failure leaves no file.

    Raises:
        FileExistsError: There is something at `path` already.
    """
    descriptor = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        try:
            write_at(descriptor, data, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_replacing(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data` at once: a reader sees the old content or the new."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    create_durably(temporary, data)
    try:
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in `folder` to the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
