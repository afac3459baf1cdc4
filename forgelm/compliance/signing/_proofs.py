"""Proofs about a log for somebody who has a checkpoint of it, but not the log."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass

from forgelm.compliance._verify_log import verify_lines
from forgelm.compliance.checkpoints import (
    HASH_BYTES,
    Checkpoint,
    CheckpointSource,
    KeySource,
    NoteError,
    RangeHashes,
    consistency_ranges,
    decode_base64,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    read_verifier_keys,
    root_of_inclusion,
    signed_by,
)
from forgelm.compliance.signing._sign_checkpoint import log_at
from forgelm.errors import AuditLogError

__all__ = [
    "ConsistencyProof",
    "InclusionProof",
    "ProofResult",
    "consistency_proof",
    "inclusion_proof",
    "verify_consistency",
    "verify_inclusion",
]

_MAX_HASHES = 64


@dataclass(frozen=True)
class InclusionProof:
    """Shows that a line is in a log, to whoever has the line and a checkpoint.

    Attributes:
        line: Number of the line, from 1.
        size: Lines of the log that the checkpoint is of.
        hashes: The path to the root, base64.
    """

    line: int
    size: int
    hashes: Sequence[str]


@dataclass(frozen=True)
class ConsistencyProof:
    """Shows that a log only grew between two checkpoints.

    Attributes:
        old_size: Lines at the earlier checkpoint.
        size: Lines at the later one.
        hashes: What leads to both roots, base64.
    """

    old_size: int
    size: int
    hashes: Sequence[str]


@dataclass(frozen=True)
class ProofResult:
    """Whether a proof holds, and if not, why.

    Attributes:
        valid: It holds.
        reason: What is wrong, in one sentence; None when valid.
    """

    valid: bool
    reason: str | None = None


def inclusion_proof(
    log: str | os.PathLike[str], line: int, size: int | None = None
) -> InclusionProof:
    """Return the proof that a line is in a log.

    Args:
        log: The log, or the run directory that holds it; it is verified on the way.
        line: Number of the line, from 1.
        size: The size of the checkpoint that the proof is for; all lines when not given.

    Raises:
        ValueError: There is no such line.
        AuditLogError: The log is altered; an OSError.
        OSError: It cannot be read.
    """
    size = _size_of(log) if size is None else size
    if not 1 <= line <= size:
        raise ValueError(f"line must be from 1 to {size}, the lines the proof is for; got {line}")
    return InclusionProof(line, size, _collected(log, inclusion_ranges(line - 1, size), size))


def consistency_proof(
    log: str | os.PathLike[str], old_size: int, size: int | None = None
) -> ConsistencyProof:
    """Return the proof that a log only grew since it had `old_size` lines.

    Args:
        log: The log, or the run directory that holds it; it is verified on the way.
        old_size: The size of the earlier checkpoint.
        size: The size of the later one; all lines when not given.

    Raises:
        ValueError: The log never had so many lines.
        AuditLogError: The log is altered; an OSError.
        OSError: It cannot be read.
    """
    size = _size_of(log) if size is None else size
    if not 1 <= old_size <= size:
        raise ValueError(f"old_size must be from 1 to {size}; got {old_size}")
    return ConsistencyProof(
        old_size, size, _collected(log, consistency_ranges(old_size, size), size)
    )


def verify_inclusion(
    line: bytes | str,
    proof: InclusionProof,
    checkpoint: CheckpointSource,
    public_key: KeySource,
) -> ProofResult:
    """Say whether a line is the one that a signed log has at that place; no log is needed.

    Args:
        line: Its exact text; a newline at its end does not count.
        proof: From `inclusion_proof`.
        checkpoint: A `Checkpoint`, or a file of some; the one of the proof's size counts.
        public_key: The signer's verifier key, or a file that holds it.

    Raises:
        ValueError: `public_key` is none.
        OSError: A file cannot be read.
    """
    content = line.encode("utf-8", "surrogatepass") if isinstance(line, str) else bytes(line)
    hashes = _decoded(proof.hashes, proof.line, proof.size)
    if hashes is None or not 1 <= proof.line <= proof.size:
        return ProofResult(False, "the proof is malformed")
    found = _signed(checkpoint, public_key, proof.size)
    if isinstance(found, ProofResult):
        return found
    leaf = leaf_hash(content.removesuffix(b"\n"))
    if root_of_inclusion(leaf, proof.line - 1, proof.size, hashes) == found.root_bytes:
        return ProofResult(True)
    return ProofResult(
        False,
        f"this is not line {proof.line} of the {proof.size} lines that were signed, or the proof "
        "is not of that line",
    )


def verify_consistency(
    old: CheckpointSource,
    new: CheckpointSource,
    proof: ConsistencyProof,
    public_key: KeySource,
) -> ProofResult:
    """Say whether a log only grew between two signed checkpoints; no log is needed.

    Args:
        old: The earlier checkpoint, or a file with it.
        new: The later one, or a file with it.
        proof: From `consistency_proof`.
        public_key: The signer's verifier key, or a file that holds it.

    Raises:
        ValueError: `public_key` is none.
        OSError: A file cannot be read.
    """
    hashes = _decoded(proof.hashes, proof.old_size, proof.size)
    if hashes is None or not 1 <= proof.old_size <= proof.size:
        return ProofResult(False, "the proof is malformed")
    earlier, later = (
        _signed(source, public_key, size)
        for source, size in ((old, proof.old_size), (new, proof.size))
    )
    for found in (earlier, later):
        if isinstance(found, ProofResult):
            return found
    assert isinstance(earlier, Checkpoint)
    assert isinstance(later, Checkpoint)
    if earlier.origin != later.origin:
        return ProofResult(False, "the two checkpoints are of different logs: their origins differ")
    roots = earlier.root_bytes, later.root_bytes
    if is_consistent(proof.old_size, proof.size, *roots, hashes):
        return ProofResult(True)
    return ProofResult(
        False,
        f"the log of {proof.size} lines did not grow from the one of {proof.old_size}, or the "
        "proof is not of these two",
    )


def _signed(source: CheckpointSource, public_key: KeySource, size: int) -> Checkpoint | ProofResult:
    keys = read_verifier_keys(public_key)
    try:
        found = signed_by(keys, source)
    except NoteError as error:
        return ProofResult(False, f"the checkpoint {error}")
    for checkpoint, _ in reversed(found):
        if checkpoint.size == size:
            return checkpoint
    return ProofResult(False, f"the proof is for {size} lines, and no checkpoint is of so many")


def _decoded(hashes: Sequence[str], *numbers: int) -> list[bytes] | None:
    if any(type(number) is not int or number >= 1 << 63 for number in numbers):
        return None
    if isinstance(hashes, str) or not isinstance(hashes, Sequence) or len(hashes) > _MAX_HASHES:
        return None
    found = [decode_base64(each) if isinstance(each, str) else None for each in hashes]
    whole = [each for each in found if each is not None and len(each) == HASH_BYTES]
    return whole if len(whole) == len(found) else None


def _size_of(log: str | os.PathLike[str]) -> int:
    result = verify_lines(log_at(log))
    if not result.valid:
        raise AuditLogError(f"{log} is altered, so nothing is proved with it: {result.reason}")
    return result.entries_count


def _collected(
    log: str | os.PathLike[str], ranges: Sequence[tuple[int, int]], size: int
) -> tuple[str, ...]:
    collected = RangeHashes(ranges)
    result = verify_lines(log_at(log), collected.append)
    if not result.valid:
        raise AuditLogError(f"{log} is altered, so nothing is proved with it: {result.reason}")
    if collected.size < size:
        raise ValueError(f"{log} has {collected.size} lines, not {size}")
    return tuple(base64.b64encode(each).decode() for each in collected.hashes())
