"""What a line says that is too long to be held, read in one pass over its pieces."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from forgelm.compliance.audit_log._blocks import LongLine
from forgelm.compliance.audit_log._entry import (
    NOT_ONE_OBJECT,
    RE_ENCODED,
    Entry,
    framing_problem,
    non_ascii_problem,
    read_object,
)
from forgelm.compliance.audit_log._shortened import Shortener, UnfitError

__all__ = ["read_long_entry"]


def read_long_entry(line: LongLine) -> Entry | str:
    """Return what a line says, or a clause that says why it is no line of an audit log."""
    pieces = _Pieces(line)
    ascii_text = iter(pieces)
    shortener = Shortener(ascii_text)
    try:
        short = shortener.shortened()
        found = NOT_ONE_OBJECT if short is None else read_object(short.decode())
        if isinstance(found, Entry) and not shortener.canonical:
            found = RE_ENCODED
    except UnfitError as error:
        found = str(error)
    for _ in ascii_text:  # what follows a mistake is still looked at
        pass
    problem = pieces.problem(line.size_bytes)
    if problem or isinstance(found, str):
        return problem or str(found)
    return found._replace(sha256=line.sha256, size_bytes=line.size_bytes)


class _Pieces:
    """The pieces of a line while they pass by, up to the first that is not ASCII."""

    def __init__(self, line: Iterable[bytes]) -> None:
        self._line = line
        self._end = b""
        self._is_blank = True
        self._not_ascii: str | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Yield them, the newline excluded; from the first that is not ASCII, only read them."""
        decoder, passed = codecs.getincrementaldecoder("utf-8")(), 0
        for piece in self._line:
            before = passed - len(decoder.getstate()[0])
            passed += len(piece)
            self._end = (self._end + piece)[-2:]
            self._is_blank = self._is_blank and piece.isspace()
            text = piece.removesuffix(b"\n")
            if self._not_ascii is None and text.isascii():
                yield text
                continue
            if self._not_ascii in (None, non_ascii_problem(None)):
                try:
                    decoder.decode(piece)
                    self._not_ascii = non_ascii_problem(None)
                except UnicodeDecodeError as error:
                    self._not_ascii = non_ascii_problem(before + error.start)

    def problem(self, size: int) -> str | None:
        """Return what is wrong with the line of that size, JSON aside."""
        return framing_problem(size, self._end, blank=self._is_blank) or self._not_ascii
