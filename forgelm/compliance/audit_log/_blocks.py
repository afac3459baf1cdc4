"""The bytes of a log, many lines at a time, and a long line piece by piece."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator

from forgelm.compliance.audit_log._entry import MAX_LINE_BYTES
from forgelm.compliance.audit_log._files import read_at

__all__ = ["LongLine", "line_blocks"]

_BLOCK_BYTES = 256 * 1024


class LongLine:
    """A line that takes more than a block, or that no newline ends: read without holding it whole.

    Args:
        descriptor: The open log.
        start: Where the line begins.
        limit: It ends there at the latest.

    Attributes:
        size_bytes: Its length, the newline included; 0 before it was read.
        sha256: Hash of its bytes, newline excluded; empty before it was read.
    """

    def __init__(self, descriptor: int, start: int, limit: int) -> None:
        self._descriptor = descriptor
        self._start = start
        # No line of a log is longer, so what follows need not be read.
        self._limit = min(limit, start + MAX_LINE_BYTES + 1)
        self.size_bytes = 0
        self.sha256 = ""

    def __iter__(self) -> Iterator[bytes]:
        """Yield its bytes in pieces, up to and including the newline.

        Raises:
            OSError: They are not those that were read before.
        """
        start, digest, ends = self._start, hashlib.sha256(), False
        while start < self._limit and not ends:
            piece = read_at(self._descriptor, min(_BLOCK_BYTES, self._limit - start), start)
            cut = piece.find(b"\n") + 1
            ends = bool(cut) or not piece
            piece = piece[:cut] if cut else piece
            start += len(piece)
            digest.update(piece.removesuffix(b"\n"))
            yield piece
        if self.sha256 and self.sha256 != digest.hexdigest():
            raise OSError(errno.EIO, "the log changed while it was read")
        self.size_bytes, self.sha256 = start - self._start, digest.hexdigest()

    def text(self) -> Iterator[bytes]:
        """Yield its bytes in pieces, the newline excluded."""
        for piece in self:
            yield piece.removesuffix(b"\n")

    def read(self) -> bytes:
        """Return all of it."""
        return b"".join(self)


def line_blocks(descriptor: int, start: int, end: int) -> Iterator[bytes | LongLine]:
    """Yield the bytes from `start` to `end`: whole lines, many at a time, and long lines."""
    while start < end:
        block = read_at(descriptor, min(_BLOCK_BYTES, end - start), start)
        cut = block.rfind(b"\n") + 1
        if cut:
            start += cut
            yield block[:cut]
        elif block:
            line = LongLine(descriptor, start, end)
            yield line
            start += line.size_bytes
        else:
            break
