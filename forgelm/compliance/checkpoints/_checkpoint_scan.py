"""Holding a log to signed checkpoints of it, while its lines pass by once."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from forgelm.compliance.audit_log import LogHead, LongLine, base_of
from forgelm.compliance.checkpoints._checkpoints import (
    Checkpoint,
    CheckpointSource,
    KeySource,
    Signed,
    checkpoints_path,
    read_verifier_keys,
    signed_by,
)
from forgelm.compliance.checkpoints._merkle import MerkleTree
from forgelm.compliance.checkpoints._signed_note import VerifierKey

__all__ = ["CheckpointScan", "find_signed", "newest_head", "scan_for"]

_SHA256_HEX = re.compile("[0-9a-f]{64}")


def find_signed(
    log: Path, checkpoint: CheckpointSource | None, public_key: KeySource | None
) -> list[Signed] | str:
    """Return the checkpoints to hold a log to, or why it cannot be held to any.

    Raises:
        ValueError: `public_key` is no key, or missing where there is a checkpoint.
        OSError: A file cannot be read.
    """
    if public_key is None:
        if checkpoint is not None:
            raise ValueError("checkpoint needs public_key, the verifier key of who signed it")
        return []
    keys = read_verifier_keys(public_key)
    source = checkpoints_path(log) if checkpoint is None else checkpoint
    named = "given" if isinstance(source, Checkpoint) else f"{os.fspath(source)!r}"
    try:
        return signed_by(keys, source)
    except FileNotFoundError:
        return f"there is no signed checkpoint to hold the log to: no file {named}"
    except ValueError as error:  # a NoteError, or a name that no file can have
        return f"the checkpoint {named} {error}"


def newest_head(signed: Sequence[Signed]) -> LogHead | None:
    """Return where the log ended at the newest checkpoint, None where that does not tell."""
    newest = max(signed, key=lambda each: each[0].size, default=None)
    return newest[0].head if newest else None


def scan_for(signed: Sequence[Signed], log: Path) -> CheckpointScan | None:
    """Return what compares the lines of a log with its checkpoints; None without any."""
    # An earlier file of a rotated log ends before the newest checkpoints do.
    return CheckpointScan(signed, may_exceed=base_of(log) != log) if signed else None


class CheckpointScan:
    """Compares the lines of a log, as they pass by, with checkpoints of it.

    Those of logs with another first line are left out: a file may collect them for many runs.

    Args:
        signed: The checkpoints.
        may_exceed: Some may be of more lines than there are.
        may_be_foreign: All of them may be of other logs.

    Attributes:
        tree: The tree over the lines so far.
        first_line: SHA-256 of the first of them.
        held: Lines up to the largest checkpoint that fits.
    """

    def __init__(
        self,
        signed: Sequence[Signed],
        *,
        may_exceed: bool = False,
        may_be_foreign: bool = False,
    ) -> None:
        self._waiting = sorted(signed, key=lambda each: each[0].size, reverse=True)
        self._largest = self._waiting[0] if self._waiting else None
        self._may_exceed = may_exceed
        self._may_be_foreign = may_be_foreign
        self._broken: Signed | None = None
        self._foreign = False
        self.tree = MerkleTree()
        self.first_line = ""
        self.held = 0
        self._compare()

    def accept(self, line: bytes | LongLine) -> None:
        """Take the next line, newline excluded."""
        if not self.tree.size:
            digest = hashlib.sha256()
            for piece in (line,) if isinstance(line, bytes) else line.text():
                digest.update(piece)
            self.first_line = digest.hexdigest()
            self._leave_out_others()
        self.tree.append(line)
        self._compare()

    def _leave_out_others(self) -> None:
        own = [each for each in self._waiting if _may_be_of(each[0], self.first_line)]
        self._foreign = bool(self._waiting) and not own
        self._waiting = own
        self._largest = own[0] if own else None

    def _compare(self) -> None:
        here = []
        while self._waiting and self._waiting[-1][0].size == self.tree.size:
            here.append(self._waiting.pop())
        if not here or self._broken:
            return
        root = self.tree.root()
        wrong = [signed for signed in here if signed[0].root_bytes != root]
        if len(wrong) < len(here):
            self.held = self.tree.size
        if wrong:
            self._broken = wrong[0]

    def change(self) -> tuple[int | None, str] | None:
        """Return (line, what changed since it was signed) of a log whose own chain is sound."""
        if not self.tree.size:  # only new lines were read
            return None
        if self._foreign and not self._may_be_foreign:
            return 1, (
                "it is not the first line of any log that was signed: the log was replaced by "
                "another, or the checkpoints are of others"
            )
        if self._broken:
            return self._contradiction(*self._broken)
        if self._largest and self._largest[0].size > self.tree.size and not self._may_exceed:
            checkpoint, key = self._largest
            missing = checkpoint.size - self.tree.size
            return self.tree.size + 1, (
                f"{missing} line{'s were' if missing > 1 else ' was'} removed at the end: there "
                f"were {checkpoint.size} when {_signed(checkpoint, key)}, now there are "
                f"{self.tree.size}; the side files were made to fit or put back"
            )
        if not self.held and not self._may_be_foreign:
            return None, (
                "no signed checkpoint ends within it, so nothing of it is proved: verify the "
                "newest file of the log"
            )
        return None

    def _contradiction(self, checkpoint: Checkpoint, key: VerifierKey) -> tuple[int | None, str]:
        first, last = self.held + 1, checkpoint.size
        signed = _signed(checkpoint, key)
        if last <= self.held:
            return None, (
                f"two checkpoints of {last} lines contradict each other: somebody who has the key "
                f"signed two histories, one of them being what {signed}"
            )
        which = f"lines {first} to {last} are not those" if first < last else "it is not the one"
        return first if first == last else None, (
            f"{which} that {signed}: {self._what(checkpoint)}, and all hashes and side files made "
            "to fit"
        )

    def notes(self) -> list[str]:
        """Return what the checkpoints prove of the lines, one sentence each."""
        held = self.held
        if not self.tree.size and self._largest:
            checkpoint, key = self._largest
            return [f"Line {checkpoint.size} is the last of those that {_signed(checkpoint, key)}."]
        if not held:
            return []
        notes = [f"The first {held} lines are those that were signed."]
        if self.tree.size > held:
            notes.append(f"The lines after line {held} are in no signed checkpoint yet.")
        return notes

    def _what(self, checkpoint: Checkpoint) -> str:
        if checkpoint.size - self.held <= 1:
            return "it was edited or replaced"
        return "some were edited, removed, inserted, repeated or reordered"


def _signed(checkpoint: Checkpoint, key: VerifierKey) -> str:
    when = f" on {checkpoint.signed_at}" if checkpoint.signed_at else ""
    return f"{key.name} signed{when}"


def _may_be_of(checkpoint: Checkpoint, first_line: str) -> bool:
    """Say whether a checkpoint is of a log with this first line; others' origins do not tell."""
    _, _, told = checkpoint.origin.rpartition("/")
    return told == first_line or not _SHA256_HEX.fullmatch(told)
