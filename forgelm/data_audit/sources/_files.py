"""Files of a corpus: of which kind each is, and its bytes, unpacked on the way."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from forgelm._core import require
from forgelm.data_audit.sources._storage import open_binary

__all__ = [
    "READABLE",
    "Damaged",
    "FileKind",
    "check_packages",
    "file_kind",
    "open_stream",
    "packing",
]

_TEXTS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "tsv"}
_TABLES = {".parquet": "parquet", ".arrow": "arrow", ".feather": "arrow"}
_PACKED = (".gz", ".zst")
READABLE = f"{', '.join(_TEXTS)} (also with {' or '.join(_PACKED)}), {', '.join(_TABLES)}"

_BLOCK = 1 << 20
_PACKED_BLOCK = 1 << 10  # zstd unpacks 1 KiB to 32 MiB at worst: a block of 128 KiB takes 4 B


class Damaged(Exception):  # noqa: N818  made a DataError by whoever knows the place
    """The bytes of a container stop making sense; the text says how."""


@dataclass(frozen=True)
class FileKind:
    """How a file is read.

    Attributes:
        form: "jsonl", "json", "csv", "tsv", "parquet" or "arrow".
        packed: "", ".gz" or ".zst".
        stem: The file's name without the suffixes.
    """

    form: str
    packed: str
    stem: str

    @property
    def is_table(self) -> bool:
        """Say whether rows are kept as Arrow columns."""
        return self.form in _TABLES.values()


def file_kind(path: str | os.PathLike[str]) -> FileKind | None:
    """Return how the file is read, by its name alone; None when it is not.

    Example:
        >>> file_kind("train-00000-of-00008.jsonl.gz")
        FileKind(form='jsonl', packed='.gz', stem='train-00000-of-00008')
        >>> file_kind("readme.md") is None
        True
    """
    name = Path(path).name
    stem, suffix = os.path.splitext(name)
    packed = suffix.lower() if suffix.lower() in _PACKED else ""
    if packed:
        stem, suffix = os.path.splitext(stem)
    form = _TEXTS.get(suffix.lower()) or ("" if packed else _TABLES.get(suffix.lower(), ""))
    return FileKind(form, packed, stem) if form else None


def check_packages(kind: FileKind) -> None:
    """Raise an OptionalDependencyError if the package that reads such a file is not there."""
    if kind.is_table:
        require("pyarrow", extra="data", feature="A Parquet or Arrow file")
    if kind.packed == ".zst":
        _zstandard()


def open_stream(path: str) -> BinaryIO:
    """Open a file for reading, unpacked.

    Raises:
        OSError: The file cannot be read.
        OptionalDependencyError: zstandard is not installed.
    """
    kind = file_kind(path)
    packed = kind.packed if kind else ""
    if not packed:
        return open_binary(path)
    unpackers = {".gz": _gzip_unpacker, ".zst": _zstd_unpacker}
    unpacker = unpackers[packed]()
    return io.BufferedReader(_Unpacked(open_binary(path), unpacker), _BLOCK)


def packing(stream: BinaryIO, packed: str) -> BinaryIO:
    """Return a stream that packs what is written to it into `stream`; close it to end the data."""
    if packed == ".gz":
        import gzip

        return cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=stream, mtime=0))
    if packed == ".zst":
        writer: BinaryIO = _zstandard().ZstdCompressor().stream_writer(stream, closefd=False)
        return writer
    return stream


def _zstandard() -> Any:
    return require("zstandard", extra="data", feature="A file that ends in .zst")


def _gzip_unpacker() -> Callable[[], Any]:
    return lambda: zlib.decompressobj(wbits=31)


def _zstd_unpacker() -> Callable[[], Any]:
    return _zstandard().ZstdDecompressor().decompressobj  # type: ignore[no-any-return]


class _Unpacked(io.RawIOBase):
    """The content of packed members, one after the other, without trust in any of them."""

    def __init__(self, stream: BinaryIO, new_member: Callable[[], Any]) -> None:
        self._stream = stream
        self._new_member = new_member
        self._member: Any = None
        self._rest = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            packed = self._rest or self._stream.read(_PACKED_BLOCK)
            self._rest = b""
            if not packed:
                if self._member is not None:
                    raise Damaged("it ends in the middle of its packed data")
                return 0
            self._ready = memoryview(self._unpack(packed))
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _unpack(self, packed: bytes) -> bytes:
        if self._member is None:
            packed = packed.lstrip(b"\0")  # padding after a member
            if not packed:
                return b""
            self._member = self._new_member()
        try:
            text: bytes = self._member.decompress(packed)
        except Exception as error:
            if type(error).__name__ not in ("error", "ZstdError"):  # zlib's and zstandard's
                raise
            raise Damaged("its packed data are broken") from error
        if self._member.eof:
            self._rest = self._member.unused_data
            self._member = None
        return text

    def close(self) -> None:
        self._stream.close()
        super().close()
