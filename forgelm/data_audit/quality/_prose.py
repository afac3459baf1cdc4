"""The prose of a text: what is left without its code, tables, lists and headings."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Prose", "read_prose"]

_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_NOT_PROSE = re.compile(
    r"^\s*(?:[|+]|[-*•‣–]\s|[0-9]{1,3}[.)]\s|[A-Za-z][.)]\s|\#{1,6}\s|>|[-=_*]{3,}\s*$)"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
_BEYOND_LATIN = re.compile(r"[^\x00-\xff]+")
_LATIN_LETTERS = bytes(byte for byte in range(256) if chr(byte).isalpha())
_WORD_TABLE = bytes(32 if chr(byte).isspace() else 120 for byte in range(256))


@dataclass
class Prose:
    """A text as the quality checks see it.

    Attributes:
        source: The text without fenced code.
        lines: Lines of prose, stripped, none empty.
        paragraphs: Runs of prose lines between blank lines.
    """

    source: str
    lines: list[str]
    paragraphs: list[list[str]]

    @cached_property
    def text(self) -> str:
        """The prose on one line."""
        return " ".join(self.lines)

    @cached_property
    def words(self) -> list[str]:
        """Words, split at white space."""
        return self.text.split()

    @cached_property
    def letters(self) -> int:
        """Letters and combining marks."""
        return self._counts[0]

    @cached_property
    def visible(self) -> int:
        """Characters that are no white space."""
        return self._counts[1]

    @cached_property
    def word_count(self) -> int:
        """How many words there are; far cheaper than the words themselves."""
        return self._counts[2]

    @cached_property
    def is_spaced(self) -> bool:
        """The script parts words by spaces; if not, words cannot be counted."""
        unspaced = sum(map(len, _UNSPACED.findall(self._beyond_latin)))
        return unspaced <= 0.3 * self.letters

    @cached_property
    def all_lines(self) -> list[str]:
        """Lines outside fenced code, lists and tables included, stripped, none empty."""
        return [stripped for line in self.source.splitlines() if (stripped := line.strip())]

    @cached_property
    def lower_words(self) -> list[str]:
        """Words in lower case."""
        return self.text.lower().split()

    @cached_property
    def _beyond_latin(self) -> str:
        return "" if self.text.isascii() else "".join(_BEYOND_LATIN.findall(self.text))

    @cached_property
    def _counts(self) -> tuple[int, int, int]:
        latin = self.text.encode("latin-1", "replace")
        letters = len(latin) - len(latin.translate(None, _LATIN_LETTERS))
        shape = latin.translate(_WORD_TABLE)
        visible = len(shape.replace(b" ", b""))
        words = (b" " + shape).count(b" x")
        beyond = self._beyond_latin
        if beyond:
            letters += sum(c.isalpha() or unicodedata.category(c)[0] == "M" for c in beyond)
            visible, words = sum(map(len, self.words)), len(self.words)
        return letters, visible, words


def read_prose(text: str) -> Prose:
    """Return the prose of `text`. Fenced and indented code, tables, lists and so on are left out.

    Example:
        >>> read_prose("# Title\\n\\nIt works.\\n\\n- one\\n- two").lines
        ['It works.']
    """
    source = _FENCE.sub("", text) if "```" in text or "~~~" in text else text
    paragraphs: list[list[str]] = []
    lines: list[str] = []
    current: list[str] = []
    for line in source.splitlines():
        stripped = line.strip()
        if not stripped:
            current = []
        elif not _is_layout(line):
            if not current:
                paragraphs.append(current)
            current.append(stripped)
            lines.append(stripped)
    return Prose(source, lines, paragraphs)


def _is_layout(line: str) -> bool:
    if "|" in line and line.count("|") >= 2:
        return True
    if "\t" in line and (line[0] == "\t" or line.count("\t") >= 2):
        return True
    if line[0].isalpha() and line[1:2] not in (".", ")"):  # most lines of prose
        return False
    return line.startswith("    ") or _NOT_PROSE.match(line) is not None
