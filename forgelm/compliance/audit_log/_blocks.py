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
    begun: list[bytes] = []
    begun_bytes = 0
    while start < end:
        block = read_at(descriptor, min(_BLOCK_BYTES, end - start), start)
        if not block:
            break
        start += len(block)
        cut = block.rfind(b"\n") + 1
        if cut:
            whole = b"".join([*begun, block[:cut]])
            begun, begun_bytes, block = [], 0, block[cut:]
            yield whole
            del whole
        begun.append(block)
        begun_bytes += len(block)
        if begun_bytes > MAX_LINE_BYTES:
            break
    if begun_bytes:
        yield b"".join(begun)
