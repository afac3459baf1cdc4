"""Signed checkpoints: Merkle tree, signed notes, and holding a log to them."""

from __future__ import annotations

from forgelm.compliance.checkpoints._checkpoint_scan import (
    CheckpointScan,
    find_signed,
    newest_head,
    scan_for,
)
from forgelm.compliance.checkpoints._checkpoints import (
    Checkpoint,
    CheckpointSource,
    KeySource,
    Signed,
    checkpoints_path,
    read_checkpoints,
    read_text,
    read_verifier_keys,
    signed_by,
    text_of,
)
from forgelm.compliance.checkpoints._merkle import (
    HASH_BYTES,
    MerkleTree,
    RangeHashes,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    leaf_hash,
    root_of_inclusion,
)
from forgelm.compliance.checkpoints._signed_note import (
    NoteError,
    SigningKey,
    UnknownSignerError,
    VerifierKey,
    decode_base64,
    open_note,
)

__all__ = [
    "HASH_BYTES",
    "Checkpoint",
    "CheckpointScan",
    "CheckpointSource",
    "KeySource",
    "MerkleTree",
    "NoteError",
    "RangeHashes",
    "Signed",
    "SigningKey",
    "UnknownSignerError",
    "VerifierKey",
    "checkpoints_path",
    "consistency_ranges",
    "decode_base64",
    "find_signed",
    "inclusion_ranges",
    "is_consistent",
    "leaf_hash",
    "newest_head",
    "open_note",
    "read_checkpoints",
    "read_text",
    "read_verifier_keys",
    "root_of_inclusion",
    "scan_for",
    "signed_by",
    "text_of",
]
