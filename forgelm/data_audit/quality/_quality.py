"""Cheap signs that a text is not good prose. Code, tables and lists are not judged.

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training
Gopher", appendix A1.1; Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a
Unified Text-to-Text Transformer", section 2.2 (C4); Penedo et al. 2024, "The FineWeb Datasets",
section 3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from forgelm.data_audit.quality import _quality_checks as checks
from forgelm.data_audit.quality._prose import Prose, read_prose

__all__ = [
    "QUALITY_CHECKS",
    "QualityCheck",
    "QualityFlag",
    "judge",
    "list_quality_checks",
    "named_checks",
    "quality_flags",
]

Check = Callable[[Prose], str | None]

_GROUPS: dict[str, tuple[str, tuple[Check, ...]]] = {
    "default": (
        "",
        (
            checks.low_alpha_ratio,
            checks.low_punct_endings,
            checks.abnormal_mean_word_length,
            checks.short_paragraphs,
            checks.repeated_lines,
        ),
    ),
    "gopher": (
        "Rae et al. 2021, Gopher, appendix A1.1",
        (
            checks.gopher_word_count,
            checks.gopher_mean_word_length,
            checks.gopher_symbol_ratio,
            checks.gopher_bullet_lines,
            checks.gopher_ellipsis_lines,
            checks.gopher_alphabetic_words,
            checks.gopher_stop_words,
            checks.gopher_duplicate_lines,
            checks.gopher_duplicate_paragraphs,
            checks.gopher_top_ngrams,
            checks.gopher_duplicate_ngrams,
        ),
    ),
    "c4": (
        "Raffel et al. 2020, T5, section 2.2",
        (checks.c4_few_sentences, checks.c4_curly_bracket, checks.c4_boilerplate),
    ),
    "fineweb": (
        "Penedo et al. 2024, FineWeb, section 3.6",
        (
            checks.fineweb_line_punctuation,
            checks.fineweb_duplicate_line_chars,
            checks.fineweb_short_lines,
        ),
    ),
}
QUALITY_CHECKS: dict[str, Check] = {
    check.__name__: check for _, group in _GROUPS.values() for check in group
}


class QualityCheck(NamedTuple):
    """A check that can be asked for by its name or its group.

    Attributes:
        name: For example "low_alpha_ratio".
        group: "default", "gopher", "c4" or "fineweb".
        meaning: When it flags a text.
        source: The paper it is from; empty for the default checks.
    """

    name: str
    group: str
    meaning: str
    source: str


class QualityFlag(NamedTuple):
    """A check that a text failed, and why."""

    check: str
    reason: str


def list_quality_checks() -> list[QualityCheck]:
    """Return every quality check there is.

    Example:
        >>> list_quality_checks()[0].meaning
        'Under 70 % of the visible characters are letters.'
    """
    return [
        QualityCheck(check.__name__, group, (check.__doc__ or "").partition("\n")[0], source)
        for group, (source, members) in _GROUPS.items()
        for check in members
    ]


def quality_flags(text: object, checks: str | Sequence[str] = "default") -> list[QualityFlag]:
    """Return the checks that `text` fails, each with its reason.

    A text without prose fails none; neither does anything that is not a `str`.

    Args:
        text: Any text.
        checks: Names of checks or groups ("default", "gopher", "c4", "fineweb"), or "all".

    Raises:
        ValueError: A name is not known.

    Example:
        >>> quality_flags("1 + 1 = 2, 2 + 2 = 4.")[0].reason
        '0 % of the visible characters are letters, under 70 %'
    """
    wanted = named_checks(checks)
    return (judge(text, wanted) if isinstance(text, str) else None) or []


def judge(text: str, names: tuple[str, ...]) -> list[QualityFlag] | None:
    """Return the named checks that `text` fails, or None when it has no prose to judge."""
    prose = read_prose(text)
    if not prose.lines:
        return None
    return [QualityFlag(name, reason) for name, check in _chosen(names) if (reason := check(prose))]


def named_checks(checks: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the checks that `checks` names, groups resolved, in their usual order.

    Raises:
        ValueError: A name is not known, or there is none.
    """
    asked = [checks] if isinstance(checks, str) else list(checks)
    wanted: set[str] = set()
    unknown: list[str] = []
    for name in asked:
        if name == "all":
            wanted.update(QUALITY_CHECKS)
        elif name in _GROUPS:
            wanted.update(check.__name__ for check in _GROUPS[name][1])
        elif name in QUALITY_CHECKS:
            wanted.add(name)
        else:
            unknown.append(name)
    if unknown or not wanted:
        shown = ", ".join(map(repr, unknown)) or "no name at all"
        known = ", ".join([*_GROUPS, "all", *QUALITY_CHECKS])
        raise ValueError(f"quality_checks has {shown}; choose from: {known}")
    return tuple(name for name in QUALITY_CHECKS if name in wanted)


@lru_cache(maxsize=8)
def _chosen(names: tuple[str, ...]) -> tuple[tuple[str, Check], ...]:
    return tuple((name, QUALITY_CHECKS[name]) for name in names)
