"""Reading a zip that somebody may have made to mislead, fill or crash its reader.

The end of the zip is looked at before anything else: it bounds how much of a table is read into
memory. Everything is read as a stream, and no more than the zip's own size can account for.

Source: APPNOTE.TXT of PKWARE, sections 4.3 and 4.4.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = [
    "MAX_ENTRIES",
    "Entry",
    "UnusableBundleError",
    "entry_problems",
    "is_plain_name",
    "open_zip",
    "read_entry",
]

MAX_ENTRIES = 10_000
_MAX_TABLE_BYTES = 2 * 1024 * 1024
_MAX_EXPANSION = 20
_ALWAYS_ALLOWED_BYTES = 64 * 1024 * 1024
_MAX_NAME_CHARS = 500
_MAX_PART_BYTES = 200
_BLOCK_BYTES = 1024 * 1024
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED = 0x1

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")

# What `zipfile` raises for damage of one kind or another.
_DAMAGE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    EOFError,
    OverflowError,
    zlib.error,
)


class UnusableBundleError(Exception):
    """It cannot be read as a zip; the message is a clause that says why."""


class Entry(NamedTuple):
    """What was read of one entry."""

    sha256: str
    size_bytes: int


def open_zip(stream: BinaryIO, size: int) -> zipfile.ZipFile:
    """Return the zip in `stream` once its table is known to be of bounded size.

    Raises:
        UnusableBundleError: It was cut, has something before or behind it, or too many entries.
    """
    entries = _checked_end(stream, size)
    try:
        found = zipfile.ZipFile(stream)
    except _DAMAGE as error:
        raise UnusableBundleError(f"its table of entries is damaged ({_told(error)})") from None
    if len(found.infolist()) != entries:
        told = f"its end says {entries} entries, its table has {len(found.infolist())}"
        raise UnusableBundleError(told)
    return found


def _checked_end(stream: BinaryIO, size: int) -> int:
    """Return how many entries the end of the zip announces; look at it as `zipfile` will."""
    at = size - _END.size
    if at < 0:
        raise UnusableBundleError("it is too short to be a zip: it was cut")
    end = _END.unpack(_read_at(stream, at, _END.size))
    if end[0] != b"PK\5\6" or end[7]:
        raise UnusableBundleError("it has no end of a zip: it was cut, or something was appended")
    entries, table_bytes, table_at = end[4], end[5], end[6]
    locator_at = at - _LOCATOR.size
    if locator_at >= _END_64.size and _read_at(stream, locator_at, 4) == b"PK\6\7":
        at = locator_at - _END_64.size
        big = _END_64.unpack(_read_at(stream, at, _END_64.size))
        if big[0] != b"PK\6\6":
            raise UnusableBundleError("its 64-bit end record is damaged")
        entries, table_bytes, table_at = big[7], big[8], big[9]
    if entries > MAX_ENTRIES or table_bytes > _MAX_TABLE_BYTES:
        raise UnusableBundleError(
            f"it announces {entries} entries in {table_bytes} bytes of table; a bundle has at most "
            f"{MAX_ENTRIES} in {_MAX_TABLE_BYTES}"
        )
    if table_at + table_bytes != at:
        raise UnusableBundleError("its table of entries is not where its end says: it was altered")
    return int(entries)


def _read_at(stream: BinaryIO, at: int, size: int) -> bytes:
    stream.seek(at)
    return stream.read(size).ljust(size, b"\0")


def entry_problems(found: zipfile.ZipFile, size: int) -> dict[str, str]:
    """Return {name of an entry: why it is not read}; "." is the zip as a whole."""
    entries = found.infolist()
    problems: dict[str, str] = {}
    times = Counter(entry.filename.casefold() for entry in entries)
    for entry in entries:
        problem = _problem(entry)
        folded = entry.filename.casefold()
        if problem is None and times[folded] > 1:
            problem = "the zip has it twice, or differing only in case"
        if problem is None and any(times[folded[:at]] for at in _slashes(folded)):
            problem = "it lies below what the zip has as a file"
        if problem is not None:
            problems[entry.filename] = problem
    for name in _overlapping(entries, found.start_dir):
        problems.setdefault(name, "its bytes overlap those of another entry, or of the table")
    total = sum(entry.file_size for entry in entries)
    if total > _MAX_EXPANSION * size + _ALWAYS_ALLOWED_BYTES:
        largest = max(entries, key=lambda entry: entry.file_size)
        problems["."] = (
            f"its entries would expand to {total} bytes from {size}, most of it "
            f"{largest.filename[:200]!a}: it is a zip bomb"
        )
    return problems


def _problem(entry: zipfile.ZipInfo) -> str | None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if not is_plain_name(entry.filename) or entry.filename != entry.orig_filename:
        return "its name leads out of the bundle, or is none that every system can unpack"
    if kind == stat.S_IFLNK:
        return "it is a symbolic link"
    if kind not in (0, stat.S_IFREG):
        return "it is not a regular file"
    if entry.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"it is compressed by method {entry.compress_type}, not stored or deflated"
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        return "it is stored, and its two sizes differ"
    return None


def _slashes(name: str) -> Iterator[int]:
    return (at for at, char in enumerate(name) if char == "/")


def is_plain_name(name: str) -> bool:
    """Say whether a name stays inside a folder and can be unpacked on every system."""
    parts = name.split("/")
    return (
        len(name) <= _MAX_NAME_CHARS
        and name.isprintable()
        and not any(char in name for char in '\\:<>"|?*')
        and all(part.strip(". ") and len(part.encode()) <= _MAX_PART_BYTES for part in parts)
    )


def _overlapping(entries: list[zipfile.ZipInfo], table_at: int) -> Iterator[str]:
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [entry.header_offset for entry in ordered[1:]] + [table_at]
    for entry, end in zip(ordered, ends, strict=True):
        least = _LOCAL_HEADER_BYTES + len(entry.filename) + entry.compress_size
        if entry.header_offset < 0 or entry.header_offset + least > end:
            yield entry.filename


def read_entry(found: zipfile.ZipFile, name: str, copy: Path | None) -> Entry | str:
    """Read an entry to its end, into a file where `copy` is one; a clause where it is damaged."""
    digest, size = hashlib.sha256(), 0
    if copy is not None:
        copy.parent.mkdir(parents=True, exist_ok=True)
    with open(os.devnull if copy is None else copy, "wb") as target:
        try:
            with found.open(name) as source:
                while block := source.read(_BLOCK_BYTES):
                    digest.update(block)
                    size += len(block)
                    target.write(block)
        except _DAMAGE as error:
            return f"it is damaged ({_told(error)})"
    if size != found.getinfo(name).file_size:
        return f"it ends after {size} bytes; its header says {found.getinfo(name).file_size}"
    return Entry(digest.hexdigest(), size)


def _told(error: Exception) -> str:
    return ascii(str(error) or type(error).__name__)[1:-1][:150]
