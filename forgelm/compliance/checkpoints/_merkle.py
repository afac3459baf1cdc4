"""The Merkle tree over the lines of a log, built line by line, and the proofs it gives.

Source: RFC 9162, section 2.1 (the hashes are those of RFC 6962).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from forgelm.compliance.audit_log import LongLine

__all__ = [
    "HASH_BYTES",
    "MerkleTree",
    "RangeHashes",
    "consistency_ranges",
    "inclusion_ranges",
    "is_consistent",
    "leaf_hash",
    "root_of_inclusion",
]

HASH_BYTES = 32
_LEAF, _NODE = b"\0", b"\1"

Range = tuple[int, int]


def leaf_hash(content: bytes | LongLine) -> bytes:
    """Return the hash of one leaf."""
    if isinstance(content, bytes):
        return hashlib.sha256(_LEAF + content).digest()
    digest = hashlib.sha256(_LEAF)
    for piece in content.text():
        digest.update(piece)
    return digest.digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


class MerkleTree:
    """A tree that leaves are appended to; it keeps one hash for each bit of its size.

    Example:
        >>> tree = MerkleTree()
        >>> tree.append(b"")
        >>> tree.append(b"\\0")
        >>> tree.root().hex()[:8]
        'fac54203'
    """

    def __init__(self) -> None:
        self.size = 0
        self._whole: list[bytes] = []  # roots of the full subtrees, the largest first

    def append(self, content: bytes | LongLine) -> None:
        """Append one leaf."""
        node, size = leaf_hash(content), self.size
        while size & 1:
            node = _node_hash(self._whole.pop(), node)
            size >>= 1
        self._whole.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root hash of the leaves so far."""
        if not self._whole:
            return hashlib.sha256().digest()
        node = self._whole[-1]
        for left in reversed(self._whole[:-1]):
            node = _node_hash(left, node)
        return node


class RangeHashes:
    """The roots over some ranges of leaves, collected while all leaves pass by in order.

    Args:
        ranges: Half-open ranges of leaf indices that do not overlap, in any order.
    """

    def __init__(self, ranges: Sequence[Range]) -> None:
        self._ranges = ranges
        self._waiting = sorted(ranges, reverse=True)
        self._trees = {each: MerkleTree() for each in ranges}
        self.size = 0

    def append(self, content: bytes | LongLine) -> None:
        """Take the next leaf."""
        if self._waiting:
            begin, end = self._waiting[-1]
            if begin <= self.size:
                self._trees[begin, end].append(content)
            if self.size + 1 == end:
                self._waiting.pop()
        self.size += 1

    def hashes(self) -> list[bytes]:
        """Return one root for each range, in the order they were given."""
        return [self._trees[each].root() for each in self._ranges]


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose hashes prove that leaf `index` is in a tree of `size` leaves.

    Source: RFC 9162, section 2.1.3.1.
    """
    begin, end = 0, size
    ranges: list[Range] = []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, size: int) -> list[Range]:
    """Return the ranges whose hashes prove that a tree grew from `old_size` leaves to `size`.

    Source: RFC 9162, section 2.1.4.1.
    """
    begin, end = 0, size
    ranges: list[Range] = []
    while old_size != end:
        middle = begin + _split(end - begin)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((begin, middle))
            begin = middle
    if begin:
        ranges.append((begin, end))
    return ranges[::-1]


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that a proof of inclusion leads to, or None where its length is wrong.

    Source: RFC 9162, section 2.1.3.2.
    """
    node, position, last = leaf, index, size - 1
    for sibling in proof:
        if not last:
            return None
        if position & 1 or position == last:
            node = _node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = _node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    return None if last else node


def is_consistent(
    old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether a proof shows that the tree with `root` grew from the one with `old_root`.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if not last:
            return False
        if position & 1 or position == last:
            old, new = _node_hash(sibling, old), _node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = _node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    return not last and (old, new) == (old_root, root)
