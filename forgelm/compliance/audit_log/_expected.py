"""What was kept elsewhere of a log, and what its absence means."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from forgelm.compliance.audit_log._results import LogHead, VerifyResult

__all__ = ["Expected", "change_since", "read_expected"]

Expected = str | LogHead | VerifyResult | Mapping[str, Any]

_NAMES = {field.name for field in dataclasses.fields(LogHead)}
_SHA256_HEX = re.compile("[0-9a-f]{64}")


def read_expected(expected: Expected) -> LogHead:
    """Return the head that a caller kept, in whichever form; 0 entries where none were given.

    Raises:
        ValueError: It holds no SHA-256 of a last line.
    """
    if isinstance(expected, VerifyResult):
        if expected.head is None:
            raise ValueError("expected_head is the result of a log that was not valid")
        return expected.head
    if isinstance(expected, LogHead):
        return expected
    values = {"chain_head": expected} if isinstance(expected, str) else dict(expected)
    values = {name: value for name, value in values.items() if name in _NAMES}
    try:
        head = LogHead(**{"entries_count": 0, **values})
        sane = _SHA256_HEX.fullmatch(head.chain_head) and head.entries_count >= 0
        head = dataclasses.replace(head, key_ids=tuple(head.key_ids))
    except TypeError:
        sane = None
    if not sane:
        raise ValueError(
            "expected_head must be the chain_head of an earlier result (64 lower-case hex digits), "
            "its head, or a mapping with chain_head and entries_count"
        )
    return head


def change_since(expected: LogHead, found_at: int, entries: int) -> tuple[int | None, str] | None:
    """Return (line, what changed) where a log whose own chain is sound is not the one kept.

    Args:
        expected: The head that was kept.
        found_at: Number of the line with its hash; 0 where there is none.
        entries: Lines in the log.
    """
    kept = expected.entries_count
    if found_at:
        if kept in (0, found_at):
            return None
        return found_at, (
            f"this is the line of the expected head, which says it is line {kept}: the head is not "
            "of this log, or was altered itself"
        )
    if not kept:
        return None, (
            "no line has the hash of the expected head: that line was removed at the end, or it or "
            "lines before it were changed and all hashes and side files made to fit"
        )
    if entries < kept:
        missing = kept - entries
        return entries + 1, (
            f"{missing} line{'s were' if missing > 1 else ' was'} removed at the end since the "
            f"expected head was kept: it records {kept}, the log has {entries}; the side files "
            "were made to fit or put back"
        )
    return kept, (
        "it is not the line of the expected head: it, or lines before it, were edited, removed, "
        "inserted, repeated or reordered, and all hashes and side files made to fit"
    )
