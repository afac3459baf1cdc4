"""How lines hang together: each names the hash of the one before, and may carry a tag.

Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256).
"""

from __future__ import annotations

import hashlib
import hmac

from forgelm.compliance._entry import Entry, read_entry

__all__ = ["GENESIS", "SECRET_VARIABLE", "ChainWalker", "tag"]

GENESIS = "genesis"
SECRET_VARIABLE = "FORGELM_AUDIT_SECRET"

_TAG_BYTES = len(', "_hmac": ""}') + 64
_MAX_CACHED_KEYS = 1024


def tag(secret: str, run_id: str, payload: bytes) -> str:
    """Return the `_hmac` of a line whose canonical bytes without `_hmac` are `payload`."""
    return hmac.digest(_run_key(secret, run_id), payload, "sha256").hex()


def _run_key(secret: str, run_id: str) -> bytes:
    return hashlib.sha256((secret + run_id).encode("utf-8", "surrogatepass")).digest()


class ChainWalker:
    """Walks a log line by line and says what is wrong with the first line that does not fit.

    Attributes:
        entries: Lines accepted so far.
        size_bytes: Where the next line begins.
        last_line_bytes: Length of the last accepted line, its newline included.
        chain_head: SHA-256 of that line, or "genesis".
        keyed: A tagged line has been seen; from there on every line must be tagged.
    """

    def __init__(
        self,
        secret: str | None,
        *,
        require_tags: bool = False,
        entries: int = 0,
        size_bytes: int = 0,
        last_line_bytes: int = 0,
        chain_head: str = GENESIS,
        keyed: bool = False,
    ) -> None:
        self._secret = secret
        self._require_tags = require_tags
        self._keys: dict[str, bytes] = {}
        self.entries = entries
        self.size_bytes = size_bytes
        self.last_line_bytes = last_line_bytes
        self.chain_head = chain_head
        self.keyed = keyed

    def problem_with(self, line: bytes) -> str | None:
        """Accept the next line and return None, or return what is wrong with it.

        Args:
            line: The raw bytes up to and including the newline.
        """
        entry = read_entry(line)
        if isinstance(entry, str):
            return entry
        problem = self._chain_problem(entry) or self._tag_problem(entry, line)
        if problem:
            return problem
        self.entries += 1
        self.size_bytes += len(line)
        self.last_line_bytes = len(line)
        self.chain_head = hashlib.sha256(line[:-1]).hexdigest()
        self.keyed = entry.hmac is not None
        return None

    def _chain_problem(self, entry: Entry) -> str | None:
        if entry.prev_hash == self.chain_head:
            return None
        if not self.entries:
            return 'its prev_hash is not "genesis": lines before it were removed'
        return (
            f"its prev_hash does not match line {self.entries}: that line was edited, or lines "
            "were removed, inserted or reordered here"
        )

    def _tag_problem(self, entry: Entry, line: bytes) -> str | None:
        if entry.hmac is None:
            if self.keyed or self._require_tags:
                return "it carries no _hmac tag, in a log that must have one on every line"
            return None
        if self._secret is None:
            return None
        payload = line[: -_TAG_BYTES - 1] + b"}"
        expected = hmac.digest(self._key(entry.run_id), payload, "sha256").hex()
        if not hmac.compare_digest(expected, entry.hmac):
            return "its _hmac tag does not match: the line was edited or the secret is another one"
        return None

    def _key(self, run_id: str) -> bytes:
        if run_id not in self._keys:
            if len(self._keys) >= _MAX_CACHED_KEYS:
                self._keys.clear()
            self._keys[run_id] = _run_key(self._secret or "", run_id)
        return self._keys[run_id]
