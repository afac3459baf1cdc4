"""The prose of a text: what is left without its code, tables, lists and headings."""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property, lru_cache

__all__ = ["Prose", "read_prose"]

_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_NOT_PROSE = re.compile(
    r"^\s*(?:[|+]|[-*•‣–]\s|[0-9]{1,3}[.)]\s|[A-Za-z][.)]\s|\#{1,6}\s|>|[-=_*]{3,}\s*$)"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
_BEYOND_LATIN = re.compile(r"[^\x00-\xff]+")
_ASCII = bytes(range(128))
_LATIN_LETTERS = bytes(byte for byte in range(256) if chr(byte).isalpha())
_WORD_TABLE = bytes(32 if chr(byte).isspace() else 120 for byte in range(256))


class Prose:
    """A text as the quality checks see it.

    Attributes:
        source: The text without fenced code.
        lines: Lines of prose, stripped, none empty.
        paragraphs: Runs of prose lines between blank lines.
        text: The prose on one line.
        letters: Letters and combining marks.
        visible: Characters that are no white space.
        word_count: How many words there are; far cheaper than the words themselves.
    """

    def __init__(self, source: str, lines: list[str], paragraphs: list[list[str]]) -> None:
        self.source, self.lines, self.paragraphs = source, lines, paragraphs
        self.text = text = " ".join(lines)
        self._beyond_latin = "" if text.isascii() else _beyond_latin(text)
        self.letters, self.visible, self.word_count = _count(text, self._beyond_latin)

    @cached_property
    def words(self) -> list[str]:
        """Words, split at white space."""
        return self.text.split()

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


def _beyond_latin(text: str) -> str:
    """Return the characters beyond Latin-1, in order."""
    # Taking ASCII out first leaves little for the slower pattern.
    rest = text.encode("utf-8", "surrogatepass").translate(None, _ASCII)
    return "".join(_BEYOND_LATIN.findall(rest.decode("utf-8", "surrogatepass")))


def _count(text: str, beyond: str) -> tuple[int, int, int]:
    """Return the letters, the visible characters and the words of `text`.

    Args:
        text: Any text on one line, single spaces or not.
        beyond: Its characters beyond Latin-1.
    """
    latin = text.encode("latin-1", "replace")
    letters = len(latin) - len(latin.translate(None, _LATIN_LETTERS))
    if beyond:
        letters += sum(map(_is_letter, beyond))
        if len(beyond.split()) > 1 or beyond[0].isspace() or beyond[-1].isspace():
            words = text.split()
            return letters, sum(map(len, words)), len(words)
    shape = latin.translate(_WORD_TABLE)
    visible = len(shape) - shape.count(b" ")
    return letters, visible, shape.count(b" x") + shape.startswith(b"x")


@lru_cache(maxsize=1 << 14)
def _is_letter(char: str) -> bool:
    return char.isalpha() or unicodedata.category(char)[0] == "M"


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
