"""How lines hang together: each names the hash of the one before, and may carry a tag."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

from forgelm.compliance.audit_log._canonical import fields_are_canonical, plain_line
from forgelm.compliance.audit_log._entry import Entry, read_entry
from forgelm.compliance.audit_log._keys import KeyRing, Signer

__all__ = ["GENESIS", "ChainWalker"]

GENESIS = "genesis"

_LONG_BYTES = 1024 * 1024
_TAG_BYTES = len(', "_hmac": ""}') + 64


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
        on_line: Called with the bytes of each accepted line, newline excluded, in order.
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
        on_line: Callable[[bytes], None] | None = None,
    ) -> None:
        self._keys = keys
        self._require_tags = require_tags
        self._retired: set[str | None] = set(key_ids[:-1])
        self._wanted = None if wanted is None else wanted.encode()
        self._signers: dict[bytes, Signer] = {}
        self.entries = entries
        self.size_bytes = size_bytes
        self.last_line_bytes = last_line_bytes
        self.chain_head = chain_head
        self.keyed = keyed
        self.key_id = key_ids[-1] if key_ids else None
        self.wanted_at = 0
        self.chain_problem: str | None = None
        self.on_line = on_line

    def accept_plain(self, content: bytes, start: int, until: int) -> int:
        """Accept lines that are plainly right, and return where the first other one begins.

        What stops it may be right all the same: ask `problem_with`.

        Args:
            content: Lines of the log.
            start: Where in `content` the next line begins.
            until: How many lines there may be in all.
        """
        match, is_canonical = plain_line().match, fields_are_canonical
        sha256, view = hashlib.sha256, memoryview(content)
        piece_of = content if len(content) < _LONG_BYTES else view  # short copies are faster
        if self._require_tags and not self.keyed:
            return start
        head, tagged, wanted = self.chain_head.encode(), self.keyed, self._wanted
        on_line = self.on_line
        entries, last = self.entries, start - self.last_line_bytes
        begun = start
        while entries < until and (found := match(content, start)):
            prev_hash, tag = found.group(2, 5)
            first, behind = found.span(3)
            if (
                prev_hash != head
                or (tag is not None) != tagged
                or not is_canonical(piece_of[first:behind])
            ):
                break
            end = found.end()
            if tagged:
                run_id, key_id = found.group(1, 4)
                payload = view[start : end - _TAG_BYTES - 1]
                if not self._tag_is_right(run_id, key_id, payload, tag):
                    break
            head = sha256(view[start : end - 1]).hexdigest().encode()
            if on_line is not None:
                on_line(content[start : end - 1])
            last, start, entries = start, end, entries + 1
            if head == wanted:
                self.wanted_at = entries
        self.entries, self.chain_head = entries, head.decode()
        self.size_bytes += start - begun
        self.last_line_bytes = start - last
        return start

    def problem_with(self, line: bytes) -> str | None:
        """Accept the next line and return None, or return what is wrong with it.

        Args:
            line: The raw bytes up to and including the newline.
        """
        entry = read_entry(line)
        if isinstance(entry, str):
            return entry
        self.chain_problem = self._chain_problem(entry)
        problem = self.chain_problem or self._tag_problem(entry, line)
        if problem:
            return problem
        self.entries += 1
        self.size_bytes += len(line)
        self.last_line_bytes = len(line)
        self.chain_head = hashlib.sha256(line[:-1]).hexdigest()
        if self.key_id != entry.key_id:
            if self.keyed:
                self._retired.add(self.key_id)
            self._signers.clear()
        self.key_id, self.keyed = entry.key_id, entry.hmac is not None
        if self._wanted == self.chain_head.encode():
            self.wanted_at = self.entries
        if self.on_line is not None:
            self.on_line(line[:-1])
        return None

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

    def _tag_is_right(
        self, run_id: bytes, key_id: bytes | None, payload: memoryview, tag: bytes
    ) -> bool:
        """Say whether a tag can be accepted without a closer look."""
        named = None if key_id is None else key_id.decode()
        if named != self.key_id:
            return False
        if not self._keys:
            return True
        signer = self._signers.get(run_id)
        if signer is None:
            signer = self._keys.signer(run_id.decode(), named)
            if signer is None or b"\\" in run_id:
                return False
            self._signers[run_id] = signer
        return hmac.compare_digest(signer.tag(payload, b"}").encode(), tag)

    def _tag_problem(self, entry: Entry, line: bytes) -> str | None:
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
        expected = signer.tag(line[: -_TAG_BYTES - 1], b"}")
        if not hmac.compare_digest(expected, entry.hmac):
            return "its _hmac tag does not match: the line was edited or the secret is another one"
        return None
