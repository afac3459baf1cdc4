"""Who says what was found: the roles of chat messages."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from forgelm.data_audit.detectors import Finding
from forgelm.data_audit.sources import string_leaves

__all__ = ["ROLES", "count_roles", "counts_by_role"]

# Roles of the OpenAI message format; ShareGPT's names for them stand behind.
_ROLES = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
    "human": "user",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "observation": "tool",
    "function_call": "assistant",
}
# A role is a value from the corpus: one that is not known is not shown.
_OTHER = "other"
ROLES: tuple[str, ...] = (*dict.fromkeys(_ROLES.values()), _OTHER)


def count_roles(
    counts: Counter[tuple[str, str]],
    row: Mapping[str, Any],
    found: Sequence[tuple[str, str, Sequence[Finding]]],
) -> None:
    """Add the findings in messages of `row` to `counts`, by role and kind.

    Args:
        counts: What was counted so far.
        row: A row with findings.
        found: Column path, text and findings of each string that has any, in order.
    """
    speakers: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path, text, role in _spoken(row, ""):
        speakers[path, text].append(role)
    for path, text, findings in found:
        roles = speakers.get((path, text))
        if roles:
            # The same words of two speakers come in the order in which they were found.
            role = roles.pop(0) if len(roles) > 1 else roles[0]
            counts.update((role, finding.kind) for finding in findings)


def counts_by_role(
    counts: Mapping[tuple[str, str], int], kinds: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return the non-zero counts of `kinds` by role."""
    by_role = {
        role: {kind: n for kind in kinds if (n := counts.get((role, kind), 0))} for role in ROLES
    }
    return {role: by_kind for role, by_kind in by_role.items() if by_kind}


def _spoken(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list):
        for item in value:
            role = _role(item)
            if role is None:
                yield from _spoken(item, f"{path}[]")
            else:
                for place, text in string_leaves(item):
                    yield f"{path}[].{place}", text, role
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _spoken(item, f"{path}.{key}" if path else key)


def _role(message: Any) -> str | None:
    if not isinstance(message, dict):
        return None
    name = message.get("role", message.get("from"))
    return _ROLES.get(name.strip().lower(), _OTHER) if isinstance(name, str) else None
