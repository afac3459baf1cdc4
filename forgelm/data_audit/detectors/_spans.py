"""Findings in a text, and the two views of them: counting and masking.

Detectors run one after another, each on a text in which everything found so far is blanked out,
in rounds until nothing new turns up. So findings never overlap, and masking them leaves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

__all__ = [
    "Finding",
    "KindCounts",
    "KindKey",
    "Rule",
    "RuleGroup",
    "anywhere",
    "count",
    "find",
    "follows",
    "mask",
    "matches",
    "plain_counts",
    "words_before",
    "words_in",
]

Span = tuple[int, int]

# A blank keeps the length and has the brackets of "[REDACTED]", so that no detector can tell a
# blanked text from a masked one by what stands beside a finding. SUB is in no pattern's alphabet.
_BLANK = "\x1a"
_MAX_ROUNDS = 8
_CONTEXT_CHARS = 48
_WORD_LIMIT = re.compile(
    r"[0-9\n\[\]]|(?<!\bno)(?<!\bnr)(?<!\btel)(?<!\bph)(?<!\bmob)[.!?]\s", re.IGNORECASE
)
_DIGITS_AS_ZERO = str.maketrans("123456789", "0" * 9)
_ALWAYS_A_LIMIT = frozenset("0123456789\n[]")
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """Where something was found, and what kind of thing; never the thing itself.

    Attributes:
        kind: For example "email" or "aws_access_key".
        span: Start and end in the text, in characters, end excluded.
        split: The split of the row, in a report.
        row: Position of the row among its split's samples, from 0, in a report.
        column: Where in the row, for example "messages[].content", in a report.
    """

    kind: str
    span: Span
    split: str | None = None
    row: int | None = None
    column: str | None = None


class Rule(NamedTuple):
    """One kind and the function that finds its spans between two places of a text.

    One of `needs`, if there are any, is in every match, with all its digits written as 0.
    """

    kind: str
    spans: Callable[[str, int, int], Iterable[Span]]
    needs: tuple[str, ...] = ()


class RuleGroup(NamedTuple):
    """Rules that share a cheap test, which says where in a text they can match at all.

    The places come in order and apart, each wide enough for a whole match and what is beside it.
    `select` picks the rules that a text needs, in their order, where asking each costs too much.
    """

    places: Callable[[str], Sequence[Span]]
    rules: tuple[Rule, ...]
    select: Callable[[str], Iterable[Rule]] | None = None


class KindKey(str):
    """A kind, as a dictionary key that also knows where it was found.

    Attributes:
        spans: Start and end of every finding of this kind, in order.
    """

    spans: tuple[Span, ...]

    def __new__(cls, kind: str, spans: Iterable[Span] = ()) -> KindKey:
        key = super().__new__(cls, kind)
        key.spans = tuple(spans)
        return key

    def __getnewargs__(self) -> tuple[str, tuple[Span, ...]]:  # type: ignore[override]
        return str(self), self.spans

    @property
    def kind(self) -> str:
        """The kind as a plain `str`."""
        return str(self)

    @property
    def span(self) -> Span:
        """Start and end of the first finding of this kind."""
        return self.spans[0]


class KindCounts(dict[str, int]):
    """Findings counted by kind: equal to a plain dict; iterating gives `KindKey`s."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[KindKey]: ...


def find(text: object, groups: Sequence[RuleGroup]) -> list[Finding]:
    """Return the findings in `text` in order; they never overlap. Not a `str`: none."""
    if not isinstance(text, str):
        return []
    found: list[tuple[Span, str]] = []
    for _ in range(_MAX_ROUNDS):
        before = len(found)
        for group in groups:
            places = group.places(text)
            if not places:
                continue
            form = ""
            for rule in group.select(text) if group.select else group.rules:
                if rule.needs:
                    form = form or _form(text, places)
                    if not any(map(form.__contains__, rule.needs)):
                        continue
                spans = [span for start, end in places for span in rule.spans(text, start, end)]
                if spans:
                    found += [(span, rule.kind) for span in spans]
                    text = _blank_out(text, spans)
        if len(found) == before:
            break
    return [Finding(kind, span) for span, kind in sorted(found)]


def _form(text: str, places: Sequence[Span]) -> str:
    """Return what is at the places, each digit as 0; blanking some of it takes digits only away."""
    return "\n".join([text[start:end] for start, end in places]).translate(_DIGITS_AS_ZERO)


def matches(
    pattern: re.Pattern[str], accept: Callable[[re.Match[str]], bool]
) -> Callable[[str, int, int], list[Span]]:
    """Return a function that finds the spans of the matches which `accept` lets pass."""

    def spans(text: str, start: int, end: int) -> list[Span]:
        return [match.span() for match in pattern.finditer(text, start, end) if accept(match)]

    return spans


def anywhere(may_match: Callable[[str], bool]) -> Callable[[str], Sequence[Span]]:
    """Return a function that gives the whole of a text which `may_match`, else no place."""
    return lambda text: ((0, len(text)),) if may_match(text) else ()


def follows(match: re.Match[str], words: re.Pattern[str]) -> bool:
    """Say whether `words`, a pattern that ends in `$`, matches right before `match`."""
    start = match.start()
    return words.search(match.string, max(0, start - _CONTEXT_CHARS), start) is not None


def words_before(text: str, start: int, reach: int = _CONTEXT_CHARS) -> set[str]:
    """Return the words right before `start` in lower case, alone and in pairs.

    They end at the last digit, sentence end, line end or bracket: what stands behind those says
    nothing about the number that starts here, and a mask must not change what is seen.
    """
    if not _ALWAYS_A_LIMIT.isdisjoint(text[max(0, start - 2) : start]):
        return set()
    tail = _WORD_LIMIT.split(text[max(0, start - reach) : start])[-1]
    return words_in(tail) if len(tail) > 1 else set()


def words_in(text: str) -> set[str]:
    """Return the words of `text` in lower case, alone and in pairs."""
    words = _WORD.findall(text.lower())
    return {*words, *map(" ".join, pairwise(words))}


def count(findings: Sequence[Finding]) -> KindCounts:
    """Count findings by kind, in order of first appearance."""
    spans: dict[str, list[Span]] = {}
    for finding in findings:
        spans.setdefault(finding.kind, []).append(finding.span)
    return KindCounts({KindKey(kind, places): len(places) for kind, places in spans.items()})


def mask(text: str, findings: Sequence[Finding], replacement: str) -> str:
    """Return `text` with every finding replaced."""
    pieces: list[str] = []
    end = 0
    for finding in findings:
        pieces += [text[end : finding.span[0]], replacement]
        end = finding.span[1]
    return "".join([*pieces, text[end:]])


def plain_counts(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts as a dict of plain strings."""
    return {str(kind): number for kind, number in counts.items()}


def _blank_out(text: str, spans: Sequence[Span]) -> str:
    pieces: list[str] = []
    end = 0
    for start, stop in spans:
        pieces += [text[end:start], "[", _BLANK * (stop - start - 2), "]"]
        end = stop
    return "".join([*pieces, text[end:]])
