"""Walking one file of a log from its first byte to its last, in constant memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from forgelm.compliance.audit_log._blocks import LongLine, line_blocks
from forgelm.compliance.audit_log._canonical import PlainLines
from forgelm.compliance.audit_log._chain import GENESIS, ChainWalker
from forgelm.compliance.audit_log._diagnosis import Break, what_happened_at
from forgelm.compliance.audit_log._entry import BLANK, INCOMPLETE
from forgelm.compliance.audit_log._head import Head
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._personal import CommitmentScan
from forgelm.compliance.audit_log._results import LogHead, VerifyResult
from forgelm.compliance.audit_log._snapshot import Snapshot

__all__ = ["Verification", "Walk"]


@dataclass(frozen=True)
class Walk:
    """How one file is walked.

    Attributes:
        keys: The secrets.
        require_tags: Every line must carry a tag that matches.
        begin: Where the walk begins: the end of the file before, or of lines taken on trust.
        wanted: SHA-256 of the line to look for.
        on_line: Called with each accepted line, newline excluded.
        commitments: Collects the commitments to personal data.
    """

    keys: KeyRing
    require_tags: bool
    begin: LogHead | None = None
    wanted: str | None = None
    on_line: Callable[[bytes | LongLine], None] | None = None
    commitments: CommitmentScan = field(default_factory=CommitmentScan)

    def walker(self) -> ChainWalker:
        """Return a walker at the beginning."""
        begin = self.begin or LogHead(GENESIS, 0)
        return ChainWalker(
            self.keys,
            require_tags=self.require_tags,
            entries=begin.entries_count - begin.earlier_entries,
            size_bytes=begin.size_bytes,
            last_line_bytes=begin.last_line_bytes,
            chain_head=begin.chain_head if begin.size_bytes else GENESIS,
            keyed=begin.keyed,
            key_ids=begin.key_ids,
            wanted=self.wanted,
            on_line=self.on_line,
        )


class Verification:
    """One walk over an open file, up to where it ended when it was looked at.

    Attributes:
        found_at: Number of the line that was looked for, over all files; 0 where it is not here.
    """

    def __init__(self, snapshot: Snapshot, walk: Walk) -> None:
        self._snapshot = snapshot
        self._descriptor = snapshot.descriptor
        self._head = snapshot.head
        self._walk = walk
        self._earlier = walk.begin.earlier_entries if walk.begin else 0
        self._walker = walk.walker()
        self._commitments = walk.commitments
        self._notes: list[str] = []

    @property
    def found_at(self) -> int:
        return self._walker.wanted_at and self._walker.wanted_at + self._earlier

    def run(self) -> VerifyResult:
        manifest, size = self._snapshot.manifest, self._snapshot.size_bytes
        if not self._snapshot.locked:
            self._notes.append("The log could not be locked: an event may have been under way.")
        if manifest is None:
            self._notes.append("There is no manifest: what the first line was is not pinned.")
        return self._walk_through(size) or self._missing_at_end() or self._passed()

    def _walk_through(self, size: int) -> VerifyResult | None:
        walker = self._walker
        for block in line_blocks(self._descriptor, walker.size_bytes, size):
            self._commitments.look_at(block)
            if isinstance(block, LongLine):
                ends = self._with_line(block, size)
            else:
                ends = self._with_lines(block, size)
            if ends:
                return ends
        if walker.size_bytes < size:
            return self._invalid_next(INCOMPLETE, size)
        return None

    def _with_lines(self, block: bytes, size: int) -> VerifyResult | None:
        plain, start = PlainLines(block), 0
        while start < len(plain.lines):
            moved = self._walker.accept_plain(plain, start, self._next_pin())
            if moved > start:
                ends = self._pinned()
            else:
                ends = self._with_line(plain.lines[start] + b"\n", size)
                moved = start + 1
            if ends:
                return ends
            start = moved
        return None

    def _with_line(self, line: bytes | LongLine, size: int) -> VerifyResult | None:
        problem = self._walker.problem_with(line)
        return self._invalid_next(problem, size) if problem else self._pinned()

    def _next_pin(self) -> int:
        """Return the number of the next line that a side file says something of."""
        entries, head = self._walker.entries, self._head
        if not entries:
            return 1
        return head.entries if head and head.entries > entries else sys.maxsize

    def _pinned(self) -> VerifyResult | None:
        """Hold the last accepted line to what the side files say of it."""
        walker, head, manifest = self._walker, self._head, self._snapshot.manifest
        first_hash = manifest["first_entry_sha256"] if manifest is not None else None
        if walker.entries == 1 and first_hash not in (None, walker.chain_head):
            return self._invalid_last("it is not the first line that the manifest pins")
        if head is not None and walker.entries == head.entries:
            problem = _head_problem(walker, head)
            return self._invalid_last(problem) if problem else None
        return None

    def _missing_at_end(self) -> VerifyResult | None:
        walker, head = self._walker, self._head
        if head is None or walker.entries >= head.entries:
            return None
        missing = head.entries - walker.entries
        return self._result(
            walker.entries + 1,
            f"{missing} line{'s were' if missing > 1 else ' was'} removed at the end: the log has "
            f"{walker.entries} ({walker.size_bytes} bytes), its head file records {head.entries} "
            f"({head.size_bytes} bytes)",
            read=walker.entries,
            last_hash=self._last_hash(),
        )

    def _passed(self) -> VerifyResult:
        walker, head, notes = self._walker, self._head, self._notes
        if head is None:
            notes.append("There is no head file: lines removed at the end would not be seen.")
        elif head.anchored_from:
            notes.append(
                f"The head file was begun after line {head.anchored_from}: lines removed at the "
                "end before then would not be seen."
            )
        if head is not None and walker.entries > head.entries:
            notes.append(f"The lines after line {head.entries} are not in the head file yet.")
        keys = self._walk.keys
        if walker.keyed and not keys:
            notes.append("The tags were not checked: no secret was given.")
        if keys and not walker.keyed:
            notes.append("No line carries a tag: the secret proves nothing here.")
        return self._result(None, None, read=walker.entries, last_hash=self._last_hash())

    def _invalid_next(self, problem: str, size: int) -> VerifyResult:
        """The line after the last accepted one is not as it should be."""
        walker, head = self._walker, self._head
        number = walker.entries + 1
        blank = problem == BLANK
        reason = f"line {number} (byte {walker.size_bytes}): {problem}"
        if problem == INCOMPLETE:
            reason += self._what_the_head_says()
        elif problem == walker.chain_problem and walker.entries:
            recorded = head.entries if head else 0
            broken = Break(number, walker.size_bytes, walker.chain_head, recorded)
            clause = what_happened_at(self._descriptor, size, broken)
            reason += f" ({clause})" if clause else ""
        return self._result(number, reason, read=number - blank, last_hash=self._last_hash())

    def _last_hash(self) -> str | None:
        return self._walker.chain_head if self._walker.entries else None

    def _what_the_head_says(self) -> str:
        head = self._head
        if head is None:
            return ""
        if head.entries > self._walker.entries:
            return f"; the head file records {head.entries} whole lines, so the end was cut"
        return "; the head file records no such line, and the next AuditLogger will set it aside"

    def _invalid_last(self, problem: str) -> VerifyResult:
        """The last accepted line fits the chain, but not what the side files pin."""
        walker = self._walker
        start = walker.size_bytes - walker.last_line_bytes
        reason = f"line {walker.entries} (byte {start}): {problem}"
        return self._result(walker.entries, reason, read=walker.entries, last_hash=None)

    def _result(
        self, index: int | None, reason: str | None, *, read: int, last_hash: str | None
    ) -> VerifyResult:
        return VerifyResult(
            valid=reason is None,
            entries_count=self._earlier + read,
            first_invalid_index=None if index is None else self._earlier + index,
            reason=reason,
            last_hash=last_hash,
            remarks=tuple(self._notes),
            has_head=self._head is not None,
            end=None if reason else self._end(),
        )

    def _end(self) -> LogHead:
        walker = self._walker
        return LogHead(
            chain_head=walker.chain_head,
            entries_count=self._earlier + walker.entries,
            earlier_entries=self._earlier,
            size_bytes=walker.size_bytes,
            last_line_bytes=walker.last_line_bytes,
            keyed=walker.keyed,
            key_ids=walker.key_ids if walker.keyed else (),
        )


def _head_problem(walker: ChainWalker, head: Head) -> str | None:
    if (walker.chain_head, walker.size_bytes) != (head.chain_head, head.size_bytes):
        return "it is not the line that the head file records: it, or lines before it, were edited"
    if walker.keyed != head.keyed:
        have, had = ("tags", "none") if walker.keyed else ("no tags", "tags")
        return f"the lines up to here have {have}, where the head file records {had}"
    return None
