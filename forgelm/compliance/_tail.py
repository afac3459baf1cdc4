"""Where a log really ends, when its head file is missing or lags behind."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import replace

from forgelm.compliance._chain import ChainWalker
from forgelm.compliance._entry import MAX_LINE_BYTES
from forgelm.compliance._files import read_at
from forgelm.compliance._head import Head

__all__ = ["follow_log", "read_first_line"]


def follow_log(log: int, head: Head, secret: str | None) -> Head | str:
    """Return `head` moved on to the last whole line, or a clause that says what is wrong.

    What lies after that line is no whole entry: an interrupted write, which may be cut.
    """
    size = os.fstat(log).st_size
    if size < head.size_bytes:
        return f"it has {size} bytes, where its head file records {head.size_bytes}: it was cut"
    start = head.size_bytes - head.last_line_bytes
    last_line = read_at(log, head.last_line_bytes, start)
    if head.entries and hashlib.sha256(last_line[:-1]).hexdigest() != head.chain_head:
        return f"line {head.entries} (byte {start}) is not the line that its head file records"
    if size == head.size_bytes:
        return head
    return _walk(log, head, secret)


def _walk(log: int, head: Head, secret: str | None) -> Head | str:
    walker = ChainWalker(
        secret,
        entries=head.entries,
        size_bytes=head.size_bytes,
        chain_head=head.chain_head,
        last_line_bytes=head.last_line_bytes,
        keyed=head.keyed,
    )
    problem = None
    for line in _lines(log, head.size_bytes):
        problem = problem or walker.problem_with(line)
        if problem and _is_entry(line):
            return f"line {walker.entries + 1} (byte {walker.size_bytes}) does not fit: {problem}"
    return replace(
        head,
        entries=walker.entries,
        size_bytes=walker.size_bytes,
        last_line_bytes=walker.last_line_bytes,
        chain_head=walker.chain_head,
        keyed=walker.keyed,
    )


def read_first_line(log: int) -> bytes:
    """Return the first line, without its newline."""
    return next(_lines(log, 0), b"")[:-1]


def _lines(log: int, offset: int) -> Iterator[bytes]:
    with io.FileIO(log, closefd=False) as raw, io.BufferedReader(raw) as stream:
        stream.seek(offset)
        while line := stream.readline(MAX_LINE_BYTES + 1):
            yield line


def _is_entry(line: bytes) -> bool:
    """Say whether a line is somebody's whole entry, which must never be cut."""
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
