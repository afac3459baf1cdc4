"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from numbers import Integral, Real
from pathlib import Path
from typing import Any, BinaryIO, TextIO

__all__ = [
    "append_json_line",
    "json_safe",
    "open_atomic",
    "open_regular_file",
    "sync_folder",
    "write_atomic",
    "write_json_atomic",
]


def open_regular_file(path: str | Path) -> BinaryIO:
    """Open a file for reading; a pipe or a device in its place is not waited for.

    Raises:
        OSError: It is no regular file, or it cannot be read.
    """
    stream = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - the caller closes it
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise OSError(errno.EINVAL, "is no regular file", str(path))


def _open_at_once(path: str, flags: int) -> int:
    # As it is, open waits here until somebody writes into a pipe.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def open_atomic(path: str | Path) -> Iterator[BinaryIO]:
    """Open a stream whose bytes replace the file at `path` when the block ends without an error.

    Until then they lie in a hidden file beside it, which an error removes.

    Raises:
        OSError: The folder cannot be written or the disk is full; the old file stays.
    """
    target = Path(path)
    name = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    with open(name, "xb") as stream:
        try:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(name, target)
        except BaseException:
            name.unlink(missing_ok=True)
            raise


def write_atomic(path: str | Path, data: str | bytes) -> None:
    """Replace the file at `path` by `data`: the old content or the new one, never a mixture.

    Raises:
        OSError: The folder cannot be written or the disk is full; the old file stays.
    """
    with open_atomic(path) as stream:
        stream.write(data.encode("utf-8") if isinstance(data, str) else data)


def write_json_atomic(path: str | Path, document: Any) -> None:
    """Write `document` as indented strict JSON with a final newline, atomically."""
    text = json.dumps(json_safe(document), ensure_ascii=False, indent=2, allow_nan=False)
    write_atomic(path, text + "\n")


def sync_folder(folder: str | Path) -> None:
    """Have the names in `folder` on the disk too, where the system and the file system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # some network file systems cannot
                os.fsync(handle)
        finally:
            os.close(handle)


def append_json_line(stream: TextIO, document: Any) -> None:
    """Append `document` to `stream` as one line of strict JSON."""
    stream.write(json.dumps(json_safe(document), ensure_ascii=False, allow_nan=False) + "\n")


def json_safe(value: Any) -> Any:
    """Return `value` in types that strict JSON has.

    Non-finite floats become the strings "NaN", "Infinity" and "-Infinity"; sets are sorted by
    their text; anything unknown becomes its `str()`.
    """
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _NON_FINITE[str(value)]
    if isinstance(value, Mapping):
        return {str(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted((json_safe(item) for item in value), key=str)
    if isinstance(value, Real):
        return json_safe(int(value) if isinstance(value, Integral) else float(value))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [json_safe(item) for item in value]
    return str(value)


_NON_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
