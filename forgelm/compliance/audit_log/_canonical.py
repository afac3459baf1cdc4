"""Lines that are plainly canonical, told by one look at their bytes, without parsing them.

What the pattern accepts is a subset of what `_entry.read_entry` accepts; any other line is left to
that. It is a subset by construction: every token is spelled as `json.dumps` spells it, floats are
compared with their `repr`, and the names of a line's own fields are checked to differ.
"""

from __future__ import annotations

import functools
import re

__all__ = ["fields_are_canonical", "plain_line"]

_TEXT = rb"[ !#-\[\]-~]*+"
_ESCAPE = (
    rb'\\(?:["\\bfnrt]|u(?:00(?:0[0-7bef]|1[0-9a-f]|7f|[89a-f][0-9a-f])'
    rb"|0[1-9a-f][0-9a-f]{2}|[1-9a-f][0-9a-f]{3}))"
)
_STRING = rb'"%b(?:%b%b)*+"' % (_TEXT, _ESCAPE, _TEXT)
# Up to 15 digits that do not end in 0 are what `repr` gives.
_SHORT_NUMBER = (
    rb"(?:0|-?[1-9][0-9]{0,17}+)(?![0-9.e])"
    rb"|-?(?:0|[1-9][0-9]{0,5}+)\.(?:0|(?!0000)[0-9]{0,8}[1-9])(?![0-9e])"
    rb"|-?[1-9](?:\.[0-9]{0,8}[1-9])?+e(?:-(?:0[5-9]|[1-9][0-9])|\+(?:1[6-9]|[2-9][0-9]))(?![0-9])"
)
_LONG_FLOAT = rb"-?[0-9]++\.[0-9]{10,}+(?:e[-+][0-9]{2,3}+)?+"
_SHORT = rb"%b|%b|true|false|null" % (_STRING, _SHORT_NUMBER)
_SCALAR = rb"%b|%b" % (_SHORT, _LONG_FLOAT)


def _with_containers(value: bytes, first: bytes) -> bytes:
    """Return a pattern of a scalar, an object of `value`, or an array that begins with `first`."""
    member = rb"%b: (?:%b)" % (_STRING, value)
    items = rb"(?:%b)(?:, (?:%b))*+" % (first, value)
    return rb"%b|\{(?:%b(?:, %b)*+)?+\}|\[(?:%b)?+\]" % (_SCALAR, member, member, items)


# `_LONG_FLOATS` looks behind spaces alone: an array that begins with a long float is left out.
_VALUE = _with_containers(_with_containers(_SCALAR, _SHORT), _SHORT)
_NAME = rb"[A-Za-z0-9_.-]++"
# Days that exist in every year; 29 February is left to the slow way.
_DAY = (
    rb"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    rb"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_TIME = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}\+00:00"


@functools.cache
def plain_line() -> re.Pattern[bytes]:
    """Return the pattern of a plain line; compiling it takes longer than importing this module.

    Groups: the run, prev_hash, the caller's fields, the key's id, the tag.
    """
    return re.compile(
        rb'\{"timestamp": "[1-9][0-9]{3}-%b' % _DAY
        + rb'T%b", "run_id": "(%b)", "operator": %b' % (_TIME, _TEXT, _STRING)
        + rb', "event": %b, "prev_hash": "(genesis|[0-9a-f]{64})"' % _STRING
        + rb'((?:, "(?!_hmac"|_kid")%b": (?:%b))*+)' % (_NAME, _VALUE)
        + rb'(?:(?:, "_kid": "([A-Za-z0-9_.-]{1,64}+)")?+, "_hmac": "([0-9a-f]{64})")?+\}\n'
    )


# A quote behind a space opens or closes a string; one that opens, and is closed by `": `, a name.
_NAMES = re.compile(rb', "([A-Za-z0-9_.-]++)": ')
_LONG_FLOATS = re.compile(rb" (%b)(?:[,\]}]|\Z)" % _LONG_FLOAT)
_find_names, _find_long_floats = _NAMES.findall, _LONG_FLOATS.findall
_MAX_CACHED_NAMES = 1024
_good_names: set[tuple[bytes, ...]] = set()
_ENVELOPE_NAMES = frozenset([b"timestamp", b"run_id", b"operator", b"event", b"prev_hash"])


def fields_are_canonical(fields: bytes | memoryview) -> bool:
    """Say whether the caller's fields of a plain line differ in name and have canonical floats."""
    names = tuple(_find_names(fields))
    if names not in _good_names:
        if len({*names, *_ENVELOPE_NAMES}) < len(names) + len(_ENVELOPE_NAMES):
            return False
        if len(_good_names) >= _MAX_CACHED_NAMES:
            _good_names.clear()
        _good_names.add(names)
    numbers = _find_long_floats(fields)
    return not numbers or [repr(float(number)).encode() for number in numbers] == numbers
