"""What stands around a finding, with every finding in it masked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from forgelm.data_audit.detectors import SECRET_KINDS, Finding, mask_pii, mask_secrets
from forgelm.data_audit.sources import printable

__all__ = ["CONTEXT_CHARS", "MAX_VALUES", "masked_excerpts"]

CONTEXT_CHARS = 40
MAX_VALUES = 200
_MIN_VALUE_CHARS = 3
_SECRETS = frozenset(SECRET_KINDS)

Region = tuple[int, int, bool]  # start and end in the text, and whether a secret is in it


def masked_excerpts(text: str, findings: Sequence[Finding]) -> list[str]:
    """Return, for each finding, its mask with up to 40 characters on either side.

    A value is masked wherever it stands, found there or not. Of a text with over 200 different
    values no more than the masks are shown.

    Args:
        text: The text of the findings.
        findings: All findings in it, of all kinds; they may overlap.

    Example:
        >>> masked_excerpts("Write to al@example.com.", [Finding("email", (9, 23))])
        ['Write to [REDACTED].']
    """
    values: dict[str, bool] = {}
    for finding in findings:
        value = text[slice(*finding.span)]
        values[value] = values.get(value, False) or finding.kind in _SECRETS
    if len(values) > MAX_VALUES:
        return [_mask(finding.kind in _SECRETS) for finding in findings]
    regions = _regions(text, findings, values)
    masked, places = _masked(text, regions)
    starts = [start for start, _, _ in regions]
    shown: dict[int, str] = {}
    excerpts = []
    for finding in findings:
        region = bisect_right(starts, finding.span[0]) - 1
        if region not in shown:
            start, end = places[region]
            around = printable(masked[max(0, start - CONTEXT_CHARS) : end + CONTEXT_CHARS])
            shown[region] = mask_pii(mask_secrets(around))
        excerpts.append(shown[region])
    return excerpts


def _regions(text: str, findings: Sequence[Finding], values: Mapping[str, bool]) -> list[Region]:
    """Return what is to be masked, in order and without overlaps."""
    spans = [(*finding.span, finding.kind in _SECRETS) for finding in findings]
    for value, secret in values.items():
        place = text.find(value) if len(value) >= _MIN_VALUE_CHARS else -1
        while place >= 0:
            spans.append((place, place + len(value), secret))
            place = text.find(value, place + len(value))
    regions: list[Region] = []
    for start, end, secret in sorted(spans):
        if regions and start < regions[-1][1]:
            before, last, was_secret = regions[-1]
            regions[-1] = (before, max(last, end), was_secret or secret)
        else:
            regions.append((start, end, secret))
    return regions


def _mask(secret: bool) -> str:
    return "[REDACTED-SECRET]" if secret else "[REDACTED]"


def _masked(text: str, regions: Sequence[Region]) -> tuple[str, list[tuple[int, int]]]:
    """Return the text with every region masked, and where the masks are in it."""
    pieces: list[str] = []
    places = []
    length = done = 0
    for start, end, secret in regions:
        mask = _mask(secret)
        pieces += [text[done:start], mask]
        length += start - done + len(mask)
        places.append((length - len(mask), length))
        done = end
    return "".join([*pieces, text[done:]]), places
