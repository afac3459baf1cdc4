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

__all__ = ["Follower", "end_of_few", "ends_in", "follow_log", "read_first_line", "read_last_line"]

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


class Follower:
    """Follows whole lines behind `head` as they come, so that less is left to do under the lock.

    Args:
        log: The open log.
        head: Where it was flushed up to.
        keys: The secrets of its tags.
        own: Lines right behind `head` that the caller has written, so that they need no reading.
        after: Where they end.
    """

    def __init__(self, log: int, head: Head, keys: KeyRing, own: bytes, after: Head) -> None:
        self._log = log
        self._head = head
        self._walker = _walker_behind(after, keys)
        self._data = own
        self._fits = True

    def read_on(self) -> int:
        """Read what came since, and return how many lines came in all."""
        found = read_at(self._log, _FEW_BYTES, self._head.size_bytes + len(self._data))
        found = found[: found.rfind(b"\n") + 1]
        for line in io.BytesIO(found):
            self._fits = self._fits and self._walker.problem_with(line) is None
        self._data += found
        return self._walker.entries - self._head.entries

    def end(self, head: Head) -> Head | None:
        """Return where the log, which is locked now, ends behind `head`.

        None leaves it to `follow_log`: the log was flushed, cut or written to meanwhile.
        """
        if head != self._head or not ends_in(self._log, head):
            return None
        is_same = read_at(self._log, len(self._data), head.size_bytes) == self._data
        if head.size_bytes + len(self._data) < os.fstat(self._log).st_size:
            self.read_on()
        ends = head.size_bytes + len(self._data) == os.fstat(self._log).st_size
        return _moved(head, self._walker) if is_same and ends and self._fits else None


def ends_in(log: int, head: Head) -> bool:
    """Say whether the last line that `head` records is in the log."""
    line = read_at(log, head.last_line_bytes, head.size_bytes - head.last_line_bytes)
    return not head.entries or hashlib.sha256(line[:-1]).hexdigest() == head.chain_head


def end_of_few(log: int, head: Head) -> Head | None:
    """Return `head` moved on over few lines of writers that are alive.

    Whoever flushes those lines reads them before they count, and each writer has looked at the line
    before its own: so no more is looked at than the line that `head` records, and the last one.
    None leaves it to `follow_log`.
    """
    size = os.fstat(log).st_size
    if not 0 <= size - head.size_bytes <= _FEW_BYTES:
        return None
    start = head.size_bytes - head.last_line_bytes
    lines = read_at(log, size - start, start).split(b"\n")
    if lines.pop() or not lines or hashlib.sha256(lines[0]).hexdigest() != head.chain_head:
        return None
    if len(lines) == 1:
        return head
    before = hashlib.sha256(lines[-2]).hexdigest().encode()
    if b'", "prev_hash": "%b"' % before not in lines[-1] or _is_tagged(lines[-1]) != head.keyed:
        return None
    return head._replace(
        entries=head.entries + len(lines) - 1,
        size_bytes=size,
        last_line_bytes=len(lines[-1]) + 1,
        chain_head=hashlib.sha256(lines[-1]).hexdigest(),
    )


def _is_tagged(line: bytes) -> bool:
    return line[-TAG_BYTES:].startswith(b', "_hmac": "')


def _walk(log: int, head: Head, keys: KeyRing) -> Head | str:
    walker = _walker_behind(head, keys)
    problem, torn = None, False
    for line in _lines(log, head.size_bytes):
        problem = problem or walker.problem_with(line)
        # Of several lines that were not flushed yet, a power loss may spare one behind a torn one.
        if problem and _is_entry(line) and not (torn and head.grouped):
            return f"line {walker.entries + 1} (byte {walker.size_bytes}) does not fit: {problem}"
        torn = torn or problem is not None
    return _moved(head, walker)


def _walker_behind(head: Head, keys: KeyRing) -> ChainWalker:
    return ChainWalker(
        keys,
        entries=head.entries,
        size_bytes=head.size_bytes,
        chain_head=head.chain_head,
        last_line_bytes=head.last_line_bytes,
        keyed=head.keyed,
    )


def _moved(head: Head, walker: ChainWalker) -> Head:
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
