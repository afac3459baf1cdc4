"""What a verifier found wrong, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Finding", "sentence"]

_MOST_TOLD = 12


class Finding(NamedTuple):
    """One thing that is wrong; `altered` where it shows that something was changed."""

    text: str
    altered: bool = False


def sentence(findings: Sequence[Finding]) -> str | None:
    """Return all findings as one reason, what shows alteration first; None where there is none."""
    if not findings:
        return None
    ordered = sorted(findings, key=lambda finding: not finding.altered)
    more = len(ordered) - _MOST_TOLD
    told = "; ".join(finding.text for finding in ordered[:_MOST_TOLD])
    return told + (f"; and {more} more" if more > 0 else "")
