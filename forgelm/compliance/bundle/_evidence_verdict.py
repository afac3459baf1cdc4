"""What verifying any piece of evidence answers: a verdict on each of its parts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["EvidencePart", "EvidenceVerdict", "verdict_on"]


@dataclass(frozen=True)
class EvidencePart:
    """The verdict on one part.

    Attributes:
        name: Its path, relative to what was verified; "." for the whole.
        kind: "audit log", "Annex IV document", "document", "model", "checkpoint", "run file",
            "earlier file", "GGUF file", "file" or "bundle".
        valid: It is complete and as it was written.
        altered: Something shows that it was changed.
        reason: What is wrong; None when valid.
        notes: What this verdict does not prove, one sentence each.
    """

    name: str
    kind: str
    valid: bool
    altered: bool = False
    reason: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EvidenceVerdict:
    """What `verify_evidence` found.

    Attributes:
        kind: What it was given: "audit log", "Annex IV document", "GGUF file", "model folder",
            "run directory", "evidence bundle", or "unknown".
        valid: Every part is.
        altered: At least one part was changed.
        reason: What is wrong with the parts; None when valid.
        parts: The verdict on each part.
        chain_head: The head of the audit log, where one stands.
        index_sha256: The digest of a bundle's index: who has it from elsewhere can compare.
    """

    kind: str
    valid: bool
    altered: bool = False
    reason: str | None = None
    parts: tuple[EvidencePart, ...] = ()
    chain_head: str | None = None
    index_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return every attribute as plain dicts and lists."""
        return asdict(self)


_MOST_TOLD = 12


def verdict_on(
    kind: str, parts: Iterable[EvidencePart], *, head: str | None = None, index: str | None = None
) -> EvidenceVerdict:
    """Return the verdict that follows from those on the parts; there must be one at least."""
    every = tuple(parts)
    failed = sorted((one for one in every if not one.valid), key=lambda one: not one.altered)
    told = [
        one.reason or "" if one.name == "." else f"{one.name}: {one.reason}"
        for one in failed[:_MOST_TOLD]
    ]
    more = len(failed) - _MOST_TOLD
    told += [f"and {more} more"] if more > 0 else []
    return EvidenceVerdict(
        kind=kind,
        valid=bool(every) and not failed,
        altered=any(one.altered for one in failed),
        reason="; ".join(told) or (None if every else "it holds no evidence"),
        parts=every,
        chain_head=head,
        index_sha256=index,
    )
