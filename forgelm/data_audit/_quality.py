"""Five cheap signs that a text is not good prose. Code, tables and lists are not judged."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["QUALITY_CHECKS", "quality_flags"]

_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_NOT_PROSE = re.compile(
    r"^\s*(?:[|+]|[-*•‣–]\s|[0-9]{1,3}[.)]\s|[A-Za-z][.)]\s|\#{1,6}\s|>|[-=_*]{3,}\s*$)"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_ENDINGS = ".!?…:;。！？：；؟۔।॥։።՞”’»\"')]）」』】>"


@dataclass(frozen=True)
class Prose:
    """A text without its code, tables, lists and headings.

    Attributes:
        lines: Lines of prose, stripped, none empty.
        paragraphs: Runs of prose lines between blank lines.
        words: Words, split at white space.
        letters: Letters and combining marks.
        visible: Characters that are no white space.
        is_spaced: The script parts words by spaces; if not, words cannot be counted.
    """

    lines: list[str]
    paragraphs: list[str]
    words: list[str]
    letters: int
    visible: int
    is_spaced: bool


def low_alpha_ratio(prose: Prose) -> bool:
    """Under 70 % of the visible characters are letters."""
    return prose.letters < 0.70 * prose.visible


def low_punct_endings(prose: Prose) -> bool:
    """Under half of the lines of four words or more end in punctuation."""
    if not prose.is_spaced:  # Thai, for one, has no full stop
        return False
    sentences = [line for line in prose.lines if line.count(" ") >= 3]
    return 2 * sum(line[-1] in _ENDINGS for line in sentences) < len(sentences)


def abnormal_mean_word_length(prose: Prose) -> bool:
    """The mean word is shorter than 3 or longer than 12 characters."""
    if not prose.is_spaced or not prose.words:
        return False
    mean = sum(map(len, prose.words)) / len(prose.words)
    return mean < 3 or mean > 12


def short_paragraphs(prose: Prose) -> bool:
    """Of several paragraphs more than half have under five words."""
    if not prose.is_spaced or len(prose.paragraphs) < 2:
        return False
    return 2 * sum(len(p.split()) < 5 for p in prose.paragraphs) > len(prose.paragraphs)


def repeated_lines(prose: Prose) -> bool:
    """The three lines repeated most often make up over 30 % of all lines."""
    top = [times for _, times in Counter(prose.lines).most_common(3) if times > 1]
    return sum(top) > 0.30 * len(prose.lines)


QUALITY_CHECKS: dict[str, Callable[[Prose], bool]] = {
    "low_alpha_ratio": low_alpha_ratio,
    "low_punct_endings": low_punct_endings,
    "abnormal_mean_word_length": abnormal_mean_word_length,
    "short_paragraphs": short_paragraphs,
    "repeated_lines": repeated_lines,
}


def quality_flags(text: str) -> list[str] | None:
    """Return the names of the checks that `text` fails, or None when it has no prose to judge."""
    prose = _prose(text)
    if not prose.lines:
        return None
    return [name for name, is_flawed in QUALITY_CHECKS.items() if is_flawed(prose)]


def _prose(text: str) -> Prose:
    paragraphs: list[list[str]] = [[]]
    for line in _without_fences(text).splitlines():
        stripped = line.strip()
        if not stripped:
            paragraphs.append([])
        elif not _is_layout(line):
            paragraphs[-1].append(stripped)
    lines = [line for paragraph in paragraphs for line in paragraph]
    joined = " ".join(lines)
    words = joined.split()
    letters = _count_letters(joined)
    return Prose(
        lines,
        [" ".join(paragraph) for paragraph in paragraphs if paragraph],
        words,
        letters,
        sum(map(len, words)),
        is_spaced=len(_UNSPACED.findall(joined)) <= 0.3 * letters,
    )


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text) if "```" in text or "~~~" in text else text


def _is_layout(line: str) -> bool:
    return (
        line.startswith(("    ", "\t"))
        or line.count("|") >= 2
        or line.count("\t") >= 2
        or _NOT_PROSE.match(line) is not None
    )


def _count_letters(text: str) -> int:
    if text.isascii():
        return sum(map(str.isalpha, text))
    return sum(c.isalpha() or unicodedata.category(c)[0] == "M" for c in text)
