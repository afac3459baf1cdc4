"""What was done where a chain breaks, as far as the lines that are left tell."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from forgelm.compliance.audit_log._blocks import LongLine, line_blocks

__all__ = ["Break", "what_happened_at"]

_PREV_HASH = re.compile(rb'"prev_hash": "([0-9a-f]{64}|genesis)"')


@dataclass(frozen=True)
class Break:
    """Where a chain breaks.

    Attributes:
        number: The line whose prev_hash does not fit, from 1.
        at_byte: Where it begins.
        previous_hash: SHA-256 of the line before it, or "genesis".
        recorded: Lines there should be; 0 where nothing records it.
    """

    number: int
    at_byte: int
    previous_hash: str
    recorded: int


def what_happened_at(descriptor: int, size: int, broken: Break) -> str | None:
    """Return what was done there, as a clause, or None where the lines do not tell.

    Reads the file once more, in constant memory: for the line that the one at the break says it
    follows, for the one that follows where it stands, and for its double.
    """
    after, follows, repeats, total = 0, 0, 0, 0
    here = next(_lines(descriptor, broken.at_byte, size), _Looked("", ""))
    for number, other in enumerate(_lines(descriptor, 0, size), 1):
        total = number
        if number == broken.number:
            continue
        if other.sha256 == here.prev_hash:
            after = number
        if other.sha256 == here.sha256:
            repeats = repeats or number
        if number > broken.number and not follows and other.prev_hash == broken.previous_hash:
            follows = number
    number = broken.number
    if 0 < repeats < number:
        return f"it repeats line {repeats}"
    if after > number:
        return f"it belongs behind line {after}: lines were reordered"
    if follows:
        where = "it was" if follows == number + 1 else f"lines {number} to {follows - 1} were"
        return f"{where} inserted: line {follows} follows line {number - 1}"
    if here.prev_hash == "genesis":
        return "it is the first line of a log: another log was put behind this one"
    if after:
        return f"it follows line {after}: what stands between was inserted"
    return _by_count(broken, total)


def _by_count(broken: Break, total: int) -> str | None:
    missing = broken.recorded - total
    if not broken.recorded or missing < 0:
        return None
    if missing:
        return f"{missing} line{'s are' if missing > 1 else ' is'} missing in all"
    return f"no line is missing, so line {broken.number - 1} was edited"


class _Looked(NamedTuple):
    """What is looked at in a line."""

    sha256: str
    prev_hash: str


def _lines(descriptor: int, start: int, end: int) -> Iterator[_Looked]:
    for block in line_blocks(descriptor, start, end):
        if isinstance(block, LongLine):
            found = [said for said in map(_prev_hash, block) if said]
            yield _Looked(block.sha256, found[0] if found else "")
        else:
            for line in block.removesuffix(b"\n").split(b"\n"):
                yield _Looked(hashlib.sha256(line).hexdigest(), _prev_hash(line))


def _prev_hash(text: bytes) -> str:
    found = _PREV_HASH.search(text)
    return found[1].decode() if found else ""
