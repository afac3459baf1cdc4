"""Where a log really ends, when its head file is missing or lags behind."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator

from forgelm.compliance.audit_log._chain import ChainWalker
from forgelm.compliance.audit_log._entry import MAX_LINE_BYTES, TAG_BYTES
from forgelm.compliance.audit_log._files import read_at
from forgelm.compliance.audit_log._head import Head
from forgelm.compliance.audit_log._keys import KeyRing

__all__ = ["end_of_linked", "ends_in", "follow_log", "read_first_line", "read_last_line"]

_FEW_BYTES = 65536


def follow_log(log: int, head: Head, keys: KeyRing) -> Head | str:
    """Return `head` moved on to the last whole line, or a clause that says what is wrong.

    What lies after that line is no whole entry: an interrupted write, which may be cut.
    """
    size = os.fstat(log).st_size
    if size < head.size_bytes:
        return f"it has {size} bytes, where its head file records {head.size_bytes}: it was cut"
    if not ends_in(log, head):
        start = head.size_bytes - head.last_line_bytes
        return f"line {head.entries} (byte {start}) is not the line that its head file records"
    if size == head.size_bytes:
        return head
    return _walk(log, head, keys)


def ends_in(log: int, head: Head) -> bool:
    """Say whether the last line that `head` records is in the log."""
    line = read_at(log, head.last_line_bytes, head.size_bytes - head.last_line_bytes)
    return not head.entries or hashlib.sha256(line[:-1]).hexdigest() == head.chain_head


def end_of_linked(log: int, head: Head) -> Head | None:
    """Return `head` moved on to the end of the log, where each line names the one before.

    It is `follow_log` for few lines that were written just now and will be read before they count:
    no more than the links is looked at. None leaves it to that function.
    """
    size = os.fstat(log).st_size
    if not 0 <= size - head.size_bytes <= _FEW_BYTES:
        return None
    start = head.size_bytes - head.last_line_bytes
    lines = read_at(log, size - start, start).split(b"\n")
    if lines.pop():
        return None
    hashes = [hashlib.sha256(line).hexdigest() for line in lines]
    for line, before in zip(lines[1:], hashes, strict=False):
        if b'", "prev_hash": "%b"' % before.encode() not in line or head.keyed != _is_tagged(line):
            return None
    if hashes[:1] != [head.chain_head]:
        return None
    return head._replace(
        entries=head.entries + len(lines) - 1,
        size_bytes=size,
        last_line_bytes=len(lines[-1]) + 1,
        chain_head=hashes[-1],
    )


def _is_tagged(line: bytes) -> bool:
    return line[-TAG_BYTES:].startswith(b', "_hmac": "')


def _walk(log: int, head: Head, keys: KeyRing) -> Head | str:
    walker = ChainWalker(
        keys,
        entries=head.entries,
        size_bytes=head.size_bytes,
        chain_head=head.chain_head,
        last_line_bytes=head.last_line_bytes,
        keyed=head.keyed,
    )
    problem, torn = None, False
    for line in _lines(log, head.size_bytes):
        problem = problem or walker.problem_with(line)
        # Of several lines that were not flushed yet, a power loss may spare one behind a torn one.
        if problem and _is_entry(line) and not (torn and head.grouped):
            return f"line {walker.entries + 1} (byte {walker.size_bytes}) does not fit: {problem}"
        torn = torn or problem is not None
    return head._replace(
        entries=walker.entries,
        size_bytes=walker.size_bytes,
        last_line_bytes=walker.last_line_bytes,
        chain_head=walker.chain_head,
        keyed=walker.keyed,
    )


def read_first_line(log: int) -> bytes:
    """Return the first line, without its newline."""
    return next(_lines(log, 0), b"")[:-1]


def read_last_line(log: int) -> bytes:
    """Return the last line, without its newline; empty where none is whole."""
    size = os.fstat(log).st_size
    window = 4096
    while True:
        start = max(0, size - window)
        lines = read_at(log, size - start, start).split(b"\n")
        if len(lines) > 2 or (not start and len(lines) > 1):
            return lines[-2]
        if not start or window > MAX_LINE_BYTES:
            return b""
        window *= 16


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
