"""The bytes of a log, many lines at a time."""

from __future__ import annotations

from collections.abc import Iterator

from forgelm.compliance.audit_log._entry import MAX_LINE_BYTES
from forgelm.compliance.audit_log._files import read_at

__all__ = ["line_blocks"]

_BLOCK_BYTES = 256 * 1024


def line_blocks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end`, cut behind newlines.

    Only the last block may lack a newline at its end: where the log does, where it was cut while it
    was read, or behind so many bytes that no line of a log can be that long.
    """
    while start < end:
        block = read_at(descriptor, min(_BLOCK_BYTES, end - start), start)
        cut = block.rfind(b"\n") + 1
        if not cut and block:
            # Read again as one piece, so that a long line is in memory once.
            stop = _line_end(descriptor, start + len(block), min(end, start + MAX_LINE_BYTES + 1))
            block = read_at(descriptor, stop - start, start)
            cut = len(block)
        if not cut:
            break
        start += cut
        yield block[:cut]


def _line_end(descriptor: int, start: int, limit: int) -> int:
    """Return where the line that goes on at `start` ends, its newline included."""
    while start < limit:
        block = read_at(descriptor, min(_BLOCK_BYTES, limit - start), start)
        cut = block.find(b"\n") + 1
        if cut or not block:
            return start + cut
        start += len(block)
    return limit
