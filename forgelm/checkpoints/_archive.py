"""Checkpoints packed into one file each, read back and compared before anything is deleted."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from tqdm import tqdm

from forgelm._core import is_installed, open_atomic, require, sha256_file, sync_folder, write_atomic
from forgelm.checkpoints._find import checkpoint_files
from forgelm.errors import DataError

__all__ = ["archive_of", "compress"]

_ZSTD, _GZIP = ".tar.zst", ".tar.gz"


def compress(folder: Path) -> Path:
    """Pack a checkpoint into an archive beside it, with its SHA-256 in a file beside that.

    The archive is zstd where the package is there, else gzip. An archive that is there already
    is taken when it holds the same files.

    Returns:
        The archive, read back from the disk and found to hold every file of the folder.

    Raises:
        DataError: The folder has links or special files, or an archive of the name has others.
        OSError: The disk is full or the folder cannot be written.
    """
    files = {path.relative_to(folder.parent).as_posix(): path for path in checkpoint_files(folder)}
    digests = {name: sha256_file(path) for name, path in files.items()}
    before = archive_of(folder)
    archive = before or _new_archive(folder)
    if before is None:
        _write(archive, files)
    if _read(archive) != digests:
        if before is None:
            archive.unlink()
            raise DataError("its files changed while they were packed")
        raise DataError(f"{archive.name} is there and does not hold the files of the checkpoint")
    write_atomic(f"{archive}.sha256", f"{sha256_file(archive)}  {archive.name}\n")
    sync_folder(folder.parent)
    return archive


def archive_of(folder: Path) -> Path | None:
    """Return the archive of a checkpoint that is there already."""
    candidates = (folder.with_name(folder.name + suffix) for suffix in (_ZSTD, _GZIP))
    return next((path for path in candidates if os.path.lexists(path)), None)


def _new_archive(folder: Path) -> Path:
    return folder.with_name(folder.name + (_ZSTD if is_installed("zstandard") else _GZIP))


def _write(archive: Path, files: dict[str, Path]) -> None:
    total = sum(path.stat().st_size for path in files.values())
    bar = tqdm(total=total, desc=archive.name, unit="B", unit_scale=True, delay=1, disable=None)
    with (
        bar,
        open_atomic(archive) as stream,
        _packing(stream, archive.name) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in files.items():
            with open(path, "rb") as source:
                tar.addfile(_member(tar, name, source), source)
            bar.update(path.stat().st_size)


def _member(tar: tarfile.TarFile, name: str, source: BinaryIO) -> tarfile.TarInfo:
    """Return the header of a file without the names of users."""
    member = tar.gettarinfo(arcname=name, fileobj=source)
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _read(archive: Path) -> dict[str, str]:
    """Return the SHA-256 of every file in an archive, by name."""
    if archive.is_symlink() or not archive.is_file():
        raise DataError(f"{archive.name} is a link or no regular file")
    digests: dict[str, str] = {}
    try:
        with (
            open(archive, "rb") as stream,
            _unpacking(stream, archive.name) as packed,
            tarfile.open(fileobj=packed, mode="r|") as tar,
        ):
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise DataError(f"{archive.name} holds something else than files")
                digests[member.name] = _digest(content)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{archive.name} cannot be read back") from error
    return digests


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := content.read(2**20):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def _packing(stream: BinaryIO, name: str) -> Iterator[Any]:
    with ExitStack() as stack:
        if name.endswith(_ZSTD):
            writer = (
                _zstandard()
                .ZstdCompressor(level=3, write_checksum=True)
                .stream_writer(stream, closefd=False)
            )
            yield stack.enter_context(writer)
        else:
            yield stack.enter_context(cast(Any, gzip.GzipFile("", "wb", 6, stream, mtime=0)))


@contextmanager
def _unpacking(stream: BinaryIO, name: str) -> Iterator[Any]:
    if not name.endswith(_ZSTD):
        with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
            yield unpacked
        return
    zstandard = _zstandard()
    try:
        with zstandard.ZstdDecompressor().stream_reader(stream, closefd=False) as unpacked:
            yield unpacked
    except zstandard.ZstdError as error:
        raise DataError(f"{name} cannot be read back") from error


def _zstandard() -> Any:
    return require("zstandard", extra="data", feature="Archives with zstd")
