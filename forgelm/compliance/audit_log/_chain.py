"""How lines hang together: each names the hash of the one before, and may carry a tag."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence

from forgelm.compliance.audit_log._blocks import LongLine
from forgelm.compliance.audit_log._canonical import PlainLines
from forgelm.compliance.audit_log._entry import TAG_BYTES, Entry, read_entry
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._long_line import read_long_entry

__all__ = ["GENESIS", "ChainWalker"]

GENESIS = "genesis"


class ChainWalker:
    """Walks a log line by line and says what is wrong with the first line that does not fit.

    Attributes:
        entries: Lines accepted so far.
        size_bytes: Where the next line begins.
        last_line_bytes: Length of the last accepted line, its newline included.
        chain_head: SHA-256 of that line, or "genesis".
        keyed: A tagged line has been seen; from there on every line must be tagged.
        key_id: The key id of the last line.
        wanted_at: Number of the line whose SHA-256 is `wanted`; 0 while there is none.
        chain_problem: What is wrong with the place of the line that was looked at last.
        on_line: Called with each accepted line, newline excluded, in order.
    """

    def __init__(
        self,
        keys: KeyRing,
        *,
        require_tags: bool = False,
        entries: int = 0,
        size_bytes: int = 0,
        last_line_bytes: int = 0,
        chain_head: str = GENESIS,
        keyed: bool = False,
        key_ids: tuple[str | None, ...] = (),
        wanted: str | None = None,
        on_line: Callable[[bytes | LongLine], None] | None = None,
    ) -> None:
        self._keys = keys
        self._require_tags = require_tags
        self._retired: set[str | None] = set(key_ids[:-1])
        self._wanted = wanted
        self.entries = entries
        self.size_bytes = size_bytes
        self.last_line_bytes = last_line_bytes
        self.chain_head = chain_head
        self.keyed = keyed
        self.key_id = key_ids[-1] if key_ids else None
        self.wanted_at = 0
        self.chain_problem: str | None = None
        self.on_line = on_line

    def accept_plain(self, lines: PlainLines, start: int, until: int) -> int:
        """Accept lines that are plainly right, and return the index of the first other one.

        What stops it may be right all the same: ask `problem_with`.

        Args:
            lines: Lines of the log.
            start: Index of the next of them.
            until: How many lines there may be in all.
        """
        if not self._goes_on_plainly(lines, start):
            return start
        stop = min(lines.end_of_alike(start), start + until - self.entries)
        hashes = [hashlib.sha256(line).hexdigest() for line in lines.lines[start:stop]]
        stop = start + _equal([self.chain_head, *hashes[:-1]], lines.prev_hashes[start:stop])
        if self.keyed and self._keys:
            stop = start + _equal(self._tags(lines, start, stop), lines.tags[start:stop])
        if stop > start:
            self._accept_plain(lines.lines[start:stop], hashes[: stop - start])
        return stop

    def _goes_on_plainly(self, lines: PlainLines, start: int) -> bool:
        """Say whether a line is plain, and has a tag and names a key as the one before it does."""
        if not lines.prev_hashes[start] or self.keyed != bool(lines.tags[start]):
            return False
        if not self.keyed:
            return not self._require_tags
        key_id: bytes = lines.key_ids[start]
        return key_id.decode() == (self.key_id or "")

    def _tags(self, lines: PlainLines, start: int, stop: int) -> list[str]:
        """Return the tags that lines should have, up to the first whose secret is not there."""
        tags: list[str] = []
        run, signer = None, None
        for index in range(start, stop):
            if lines.runs[index] != run:
                run = lines.runs[index]
                signer = self._keys.signer(run.decode(), self.key_id)
            if signer is None:
                break
            tags.append(signer.tag(lines.lines[index][:-TAG_BYTES], b"}"))
        return tags

    def _accept_plain(self, lines: list[bytes], hashes: list[str]) -> None:
        if self._wanted in hashes:
            self.wanted_at = self.entries + hashes.index(self._wanted) + 1
        self.entries += len(lines)
        self.size_bytes += sum(map(len, lines)) + len(lines)
        self.last_line_bytes = len(lines[-1]) + 1
        self.chain_head = hashes[-1]
        if self.on_line is not None:
            for line in lines:
                self.on_line(line)

    def problem_with(self, line: bytes | LongLine) -> str | None:
        """Accept the next line and return None, or return what is wrong with it.

        Args:
            line: The raw bytes up to and including the newline.
        """
        found = read_long_entry(line) if isinstance(line, LongLine) else read_entry(line)
        if isinstance(found, str):
            return found
        self.chain_problem = self._chain_problem(found)
        problem = self.chain_problem or self._tag_problem(found, line)
        if problem:
            return problem
        self._accept(found)
        if self.on_line is not None:
            self.on_line(line if isinstance(line, LongLine) else line[:-1])
        return None

    def _accept(self, entry: Entry) -> None:
        self.entries += 1
        self.size_bytes += entry.size_bytes
        self.last_line_bytes = entry.size_bytes
        self.chain_head = entry.sha256
        if self.keyed and self.key_id != entry.key_id:
            self._retired.add(self.key_id)
        self.key_id, self.keyed = entry.key_id, entry.hmac is not None
        if self._wanted == self.chain_head:
            self.wanted_at = self.entries

    @property
    def key_ids(self) -> tuple[str | None, ...]:
        """The key ids seen so far, the one in use last."""
        return (*sorted(self._retired, key=str), self.key_id)

    def _chain_problem(self, entry: Entry) -> str | None:
        if entry.prev_hash == self.chain_head:
            return None
        if not self.entries:
            return 'its prev_hash is not "genesis": lines before it were removed'
        return (
            f"its prev_hash does not match line {self.entries}: that line was edited, or lines "
            "were removed, inserted or reordered here"
        )

    def _tag_problem(self, entry: Entry, line: bytes | LongLine) -> str | None:
        if entry.hmac is None:
            if self.keyed or self._require_tags:
                return "it carries no _hmac tag, in a log that must have one on every line"
            return None
        if self.keyed and entry.key_id != self.key_id and entry.key_id in self._retired:
            return f"its key id goes back to {entry.key_id!r}, which another had replaced"
        if not self._keys:
            return None
        signer = self._keys.signer(entry.run_id, entry.key_id)
        if signer is None:
            named = "no key id" if entry.key_id is None else f"the key id {entry.key_id!r}"
            return f"its tag has {named}, for which no secret was given"
        pieces = line if isinstance(line, LongLine) else (line,)
        expected = signer.tag_of(_without_tag(pieces, entry.size_bytes))
        if not hmac.compare_digest(expected, entry.hmac):
            return "its _hmac tag does not match: the line was edited or the secret is another one"
        return None


def _without_tag(line: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield what the tag of a line of that size is over."""
    left = size - TAG_BYTES - 1
    for piece in line:
        yield piece[:left]
        left = max(0, left - len(piece))
    yield b"}"


def _equal(expected: list[str], found: Sequence[bytes]) -> int:
    """Return how many hex texts at the beginning are the expected ones."""
    if hmac.compare_digest("\n".join(expected).encode(), b"\n".join(found)):
        return len(found)
    pairs = enumerate(zip(expected, found, strict=False))
    differ = (index for index, (one, other) in pairs if one.encode() != other)
    return next(differ, min(len(expected), len(found)))
