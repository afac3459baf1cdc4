"""Lines that are plainly canonical, told by their bytes, many at a time and without parsing them.

What is accepted here is a subset of what `_entry.read_entry` accepts; any other line is left to
that. It is a subset by construction: every token is spelled as `json.dumps` spells it, floats are
compared with their `repr`, and the names of a line's own fields are checked to differ.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import re
from collections.abc import Sequence

from forgelm.compliance.audit_log._entry import ENVELOPE

__all__ = ["ESCAPE", "STRING", "TEXT", "VALUE", "VALUE_DEPTH", "PlainLines", "floats_are_canonical"]

TEXT = rb"[ !#-\[\]-~]*+"
ESCAPE = (
    rb'\\(?:["\\bfnrt]|u(?:00(?:0[0-7bef]|1[0-9a-f]|7f|[89a-f][0-9a-f])'
    rb"|0[1-9a-f][0-9a-f]{2}|[1-9a-f][0-9a-f]{3}))"
)
STRING = rb'"%b(?:%b%b)*+"' % (TEXT, ESCAPE, TEXT)
# Of the floats spelled so, those of up to 15 digits without exponent are what `repr` gives;
# `_find_long` finds the others.
_FRACTION = rb"\.(?:0(?![0-9])|[0-9]++(?<!0))"
_FRACTION_OF_0 = rb"\.(?:0(?![0-9])|(?!0000)[0-9]++(?<!0))"
_EXPONENT = rb"e[-+][0-9]{2,3}+"
_LARGE = rb"[1-9][0-9]{0,17}+(?:%b)?+(?:%b)?+" % (_FRACTION, _EXPONENT)
_NUMBER = rb"0(?:%b)?+|%b|-(?:0%b|%b)" % (_FRACTION_OF_0, _LARGE, _FRACTION_OF_0, _LARGE)
_SCALAR = rb"%b|%b|true|false|null" % (STRING, _NUMBER)


def _with_containers(value: bytes) -> bytes:
    """Return a pattern of a scalar, or of an object or array of `value`."""
    members = rb'(?:%b: (?:%b)(?:, (?=")|(?=\})))*+' % (STRING, value)
    items = rb"(?:(?:%b)(?:, (?!\])|(?=\])))*+" % value
    return rb"%b|\{%b\}|\[%b\]" % (_SCALAR, members, items)


VALUE, VALUE_DEPTH = _with_containers(_with_containers(_with_containers(_SCALAR))), 3
# No name begins with what may follow the quote that closes a string: one of `,:]}`.
_NAME = rb"[ !#-+\--9;-\[^-|~]" + TEXT
# Days that exist in every year; 29 February is left to the slow way.
_DAY = (
    rb"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    rb"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_TIME = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}\+00:00"


@functools.cache
def _any_line() -> re.Pattern[bytes]:
    """Return the pattern of a line; compiling it takes longer than importing this module.

    Groups: the run, prev_hash (any text), the caller's fields, the key's id, the tag; all empty
    where the line is not plain.
    """
    return re.compile(
        rb'\{"timestamp": "[1-9][0-9]{3}-%b' % _DAY
        + rb'T%b", "run_id": "(%b)", "operator": %b' % (_TIME, TEXT, STRING)
        + rb', "event": %b, "prev_hash": "([^"\n]++)"' % STRING
        + rb'((?:, "(?!_hmac"|_kid")%b": (?:%b))*+)' % (_NAME, VALUE)
        + rb'(?:(?:, "_kid": "([A-Za-z0-9_.-]{1,64}+)")?+, "_hmac": "([0-9a-f]{64})")?+\}\n'
        + rb"|[^\n]*+\n"
    )


# A number stands behind a space or opens an array.
_LONG = rb"(-?[0-9]++(?:\.[0-9]++(?:%b|(?<=[0-9.]{17}))|%b))" % (_EXPONENT, _EXPONENT)
_find_long, _find_long_first = re.compile(b" " + _LONG).findall, re.compile(rb"\[" + _LONG).findall
# A quote behind a space opens or closes a string; one that opens, and is closed by `": `, a name.
_find_names = re.compile(rb', "(%b|\n)": ' % _NAME).findall
_NEXT_LINE = b', "\n": '
_MAX_CACHED, _MAX_CACHED_BYTES = 1024, 1024
_good_names: set[bytes] = set()


class PlainLines:
    """Many lines of a log, and what those that are plainly canonical say.

    Args:
        block: Whole lines, the last newline included.

    Attributes:
        lines: Their bytes, newlines excluded.
        runs, prev_hashes, key_ids, tags: What each says, all empty for one that is not plain.
    """

    def __init__(self, block: bytes) -> None:
        self.lines = block.split(b"\n")
        self.lines.pop()
        self.runs: tuple[bytes, ...]
        self.prev_hashes: tuple[bytes, ...]
        fields: tuple[bytes, ...]
        rows = _any_line().findall(block)
        self.runs, self.prev_hashes, fields, self.key_ids, self.tags = zip(*rows, strict=True)
        if not _are_canonical(fields):
            plain = [_are_canonical([each]) for each in fields]
            self.prev_hashes = tuple(
                found if is_plain else b""
                for found, is_plain in zip(self.prev_hashes, plain, strict=True)
            )
        self._ends = self._ends_of_alike()

    def end_of_alike(self, start: int) -> int:
        """Return up to where lines are as at `start`: plain or not, tagged or not, of one key."""
        return self._ends[bisect.bisect_right(self._ends, start)]

    def _ends_of_alike(self) -> list[int]:
        one_key = len(set(self.key_ids)) == 1 and (all(self.tags) or not any(self.tags))
        if one_key and all(self.prev_hashes):
            return [len(self.lines)]
        kinds = zip(map(bool, self.prev_hashes), map(bool, self.tags), self.key_ids, strict=True)
        sizes = (sum(1 for _ in alike) for _, alike in itertools.groupby(kinds))
        return list(itertools.accumulate(sizes))


def _are_canonical(fields: Sequence[bytes]) -> bool:
    """Say whether the caller's fields of each plain line differ in name and have right floats."""
    joined = _NEXT_LINE.join([b"", *fields, b""])
    found: list[bytes] = _find_names(joined)
    return all(map(_differ, set(b'"'.join(found).split(b"\n")))) and floats_are_canonical(joined)


def _differ(names: bytes) -> bool:
    if names in _good_names:
        return True
    every = [*filter(None, names.decode().split('"')), *ENVELOPE]
    if len(set(every)) < len(every):
        return False
    if len(names) <= _MAX_CACHED_BYTES:
        if len(_good_names) >= _MAX_CACHED:
            _good_names.clear()
        _good_names.add(names)
    return True


def floats_are_canonical(text: bytes) -> bool:
    """Say whether the floats between values that the pattern accepts are what `repr` gives."""
    numbers = _find_long(text) + _find_long_first(text)
    return repr([*map(float, numbers)]).encode()[1:-1] == b", ".join(numbers)
