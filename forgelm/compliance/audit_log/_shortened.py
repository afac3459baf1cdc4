"""A long line made short while it passes by in pieces, for the same rules to be applied to it.

Of its own fields, long texts become "" and what is no text becomes 0: no rule looks further. How
all of it is spelled is checked on the way.

Source: RFC 8259 (JSON); canonical is what `json.dumps` writes.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import NoReturn

from forgelm.compliance.audit_log._canonical import (
    ESCAPE,
    STRING,
    TEXT,
    VALUE,
    VALUE_DEPTH,
    floats_are_canonical,
)
from forgelm.compliance.audit_log._entry import (
    ENVELOPE,
    MAX_DEPTH,
    MAX_FIELDS,
    NOT_STRICT_JSON,
    RE_ENCODED,
)

__all__ = ["Shortener", "UnfitError"]

_KEPT_BYTES = 256
_MAX_ATOM_BYTES = 65_536
_MAX_ODD_MEMBERS = 100_000
_ESCAPE_BYTES = len("\\u0000")
_PLAIN = bytes(range(0x20, 0x7F)).translate(None, b'"\\')
_TEXT = re.compile(rb"%b(?:%b%b)*+" % (TEXT, ESCAPE, TEXT))
_ODD_TEXT = re.compile(rb'(?:[ !#-\[\]-\x7f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))++')
_SPACE = re.compile(rb"[ \t\r\n]*+")
_ATOM = re.compile(rb"[-+.0-9A-Za-z]*+")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*+)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+")
_SYSTEM_FIELDS = (*ENVELOPE, "_kid", "_hmac")
_CLOSER = {b"{": b"}", b"[": b"]"}


@functools.cache
def _members() -> dict[bytes, re.Pattern[bytes]]:
    """Return what finds many plainly canonical members at once, by what closes the container."""
    members = rb"(?:, (?:%b)(?=[,\]}]))++"
    return {
        b"]": re.compile(members % VALUE),
        b"}": re.compile(members % (rb"%b: (?:%b)" % (STRING, VALUE))),
    }


class UnfitError(Exception):
    """A line is none of a log; the message is the clause that says why."""


class Shortener:
    """Reads a line of ASCII text.

    Args:
        pieces: Its bytes, the newline excluded.

    Attributes:
        canonical: All that was read is spelled as `json.dumps` spells it.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.canonical = True
        self._pieces = iter(pieces)
        self._buffer = b""
        self._at = 0
        self._passed = 0  # bytes of the line before the buffer
        self._patience = _MAX_ODD_MEMBERS

    def shortened(self) -> bytes | None:
        """Return an object that the rules for a line hold for as they do for the line.

        None where the line is not one object.

        Raises:
            UnfitError: It cannot be parsed, or has too many fields.
        """
        self._more()
        found = self._buffer[:1]
        if found != b"{":
            self._at = 1
            self._pass_value(found, 0)
            return None
        fields = list(self._fields())
        ends_here = self._at == len(self._buffer) and not self._more()
        return b"{%b}" % b", ".join(fields) if ends_here else None

    def _fields(self) -> Iterator[bytes]:
        """Yield each of the line's own fields, shortened."""
        self._at = 1
        found = self._next()
        if found == b"}":
            return
        for _ in range(MAX_FIELDS + len(_SYSTEM_FIELDS)):
            name = _short_name(self._name(found))
            self._pass_colon()
            yield b"%b: %b" % (name, self._short_value(name))
            if self._is_closed_by(b"}"):
                return
            found = self._next(b" ")
        raise UnfitError(f"it has more than {MAX_FIELDS} fields")

    def _short_value(self, name: bytes) -> bytes:
        found = self._next(b" ")
        if found != b'"':
            self._pass_value(found, 1)
            return b"0"
        # The key of a tag is derived from the whole run_id.
        limit = sys.maxsize if name == b'"run_id"' else _KEPT_BYTES
        kept, size = [], 0
        for piece in self._text():
            size += len(piece)
            if size <= limit:
                kept.append(piece)
        return b'"%b"' % b"".join(kept) if size <= limit else b'""'

    def _pass_value(self, found: bytes, depth: int) -> None:
        """Pass the value that begins with `found`, inside so many containers."""
        closers: list[bytes] = []
        while True:
            if found in _CLOSER:
                closers.append(_CLOSER[found])
                if depth + len(closers) > MAX_DEPTH:
                    raise _not_json("nested too deeply")
                found = self._next()
                if found != closers[-1]:
                    found = self._value_of_member(closers[-1], found)
                    continue
                closers.pop()
            elif found == b'"':
                self._pass_text()
            else:
                self._pass_atom(found)
            while closers and self._ends_after_members(closers[-1], depth + len(closers)):
                closers.pop()
            if not closers:
                return
            found = self._value_of_member(closers[-1], self._next(b" "))

    def _value_of_member(self, closer: bytes, found: bytes) -> bytes:
        """Return how the value of the member begins that begins with `found`."""
        if closer == b"]":
            return found
        for _ in self._name(found):
            pass
        self._pass_colon()
        return self._next(b" ")

    def _ends_after_members(self, closer: bytes, depth: int) -> bool:
        """Pass the members that are plainly canonical, and say whether the container ends there."""
        members = _members()[closer].match(self._buffer, self._at)
        if members and depth + VALUE_DEPTH <= MAX_DEPTH:
            self._at = members.end()
            self.canonical = self.canonical and floats_are_canonical(members[0])
        return self._is_closed_by(closer)

    def _is_closed_by(self, closer: bytes) -> bool:
        found = self._next()
        if found not in (b",", closer):
            self._fail("Expecting ',' delimiter")
        if not self.canonical:  # so no line of a log: what else is wrong matters less and less
            self._patience -= 1
            if not self._patience:
                raise UnfitError(RE_ENCODED)
        return found == closer

    def _name(self, found: bytes) -> Iterator[bytes]:
        if found != b'"':
            self._fail("Expecting property name enclosed in double quotes")
        return self._text()

    def _pass_colon(self) -> None:
        if self._next() != b":":
            self._fail("Expecting ':' delimiter")

    def _pass_text(self) -> None:
        for _ in self._text():
            pass

    def _text(self) -> Iterator[bytes]:
        """Yield what a string consists of, as it is spelled, and pass the quote that closes it."""
        while True:
            end = self._end_of_text()
            yield self._buffer[self._at : end]
            self._at = end
            if self._buffer[end : end + 1] == b'"':
                self._at += 1
                return
            if len(self._buffer) - end < _ESCAPE_BYTES and self._more():
                continue
            odd = _ODD_TEXT.match(self._buffer, end)
            if odd is None:
                self._fail("Unterminated string, invalid escape or control character")
            self.canonical = False
            yield odd[0]
            self._at = odd.end()

    def _end_of_text(self) -> int:
        """Return up to where the buffer has text as `json.dumps` spells it."""
        if not self._at and not self._buffer.translate(None, _PLAIN):
            return len(self._buffer)  # three times as fast
        found = _TEXT.match(self._buffer, self._at)
        return found.end() if found else self._at

    def _pass_atom(self, found: bytes) -> None:
        """Pass a number or a word that begins with `found`."""
        self._at -= len(found)
        atom = self._atom()
        if _INTEGER.fullmatch(atom):
            limit = sys.get_int_max_str_digits()
            if limit and len(atom.lstrip("-")) > limit:
                raise _not_json(f"Exceeds the limit ({limit} digits) for integer string conversion")
            self.canonical = self.canonical and atom != "-0"
        elif _FLOAT.fullmatch(atom):
            self.canonical = self.canonical and repr(float(atom)) == atom
        elif atom in ("NaN", "Infinity", "-Infinity"):
            raise _not_json(f"{atom} is no JSON value")
        elif atom not in ("true", "false", "null"):
            self._fail("Expecting value")
        self._at += len(atom)

    def _atom(self) -> str:
        while True:
            found = _ATOM.match(self._buffer, self._at)
            assert found
            if len(found[0]) > _MAX_ATOM_BYTES:
                raise _not_json(f"a number of more than {_MAX_ATOM_BYTES} characters")
            if found.end() < len(self._buffer) or not self._more():
                return found[0].decode()

    def _next(self, due: bytes = b"") -> bytes:
        """Return the next byte that is no white space, of which `due` belongs before it."""
        end = self._at + len(due)
        byte = self._buffer[end : end + 1]
        if byte > b" " and self._buffer.startswith(due, self._at):  # as it mostly is
            self._at = end + 1
            return byte
        space = b""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            assert found
            space = (space + found[0])[:2]
            self._at = found.end()
            if self._at < len(self._buffer) or not self._more():
                break
        self.canonical = self.canonical and space == due
        byte = self._buffer[self._at : self._at + 1]
        self._at += len(byte)
        return byte

    def _more(self) -> bool:
        """Read the next piece, and say whether there was one."""
        for piece in self._pieces:
            if piece:
                self._passed += self._at
                self._buffer = self._buffer[self._at :] + piece
                self._at = 0
                return True
        return False

    def _fail(self, problem: str) -> NoReturn:
        raise _not_json(f"{problem} at character {self._passed + self._at} of the line")


def _not_json(why: str) -> UnfitError:
    return UnfitError(f"{NOT_STRICT_JSON} ({why})")


def _short_name(pieces: Iterable[bytes]) -> bytes:
    """Return a name that is as short as can be, and differs where the long one does."""
    kept, size, digest = [], 0, hashlib.sha256()
    for piece in pieces:
        size += len(piece)
        digest.update(piece)
        if size <= _KEPT_BYTES:
            kept.append(piece)
    if size <= _KEPT_BYTES:
        return b'"%b"' % b"".join(kept)
    return b'"\\u0000%b"' % digest.hexdigest().encode()
