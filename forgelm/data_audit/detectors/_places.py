"""Where in a text numbers and codes can be: cheap tests that run on every text."""

from __future__ import annotations

import re
import string
from functools import lru_cache

__all__ = [
    "GAPS",
    "PART_WORD",
    "code_places",
    "has_capital_code",
    "long_number_places",
    "number_places",
    "without_gaps",
]

# What people write inside a number: space, dot, hyphen, no-break spaces, typographic hyphens.
GAPS = " .\\-\u00a0\u202f\u2010-\u2013"
# What stands before a number that belongs to a thing and not to a person.
PART_WORD = re.compile(
    r"\b(?:part|order|item|sku|model|article|art|ref|invoice|ticket|case|serial|version|build|imei|"
    r"tracking|ean|gtin|upc|isbn|timestamp|time|commit)"
    r"(?:\s(?:no|number|nr|id)\.?)?[:#=\s]{0,3}$",
    re.IGNORECASE,
)
_GAP_TABLE = str.maketrans("", "", " .-\u00a0\u202f\u2010\u2011\u2012\u2013")
# One pass over the bytes: digits become "0", letters "a", spacing goes, the rest is "x".
_SHAPE_TABLE = bytes(
    48 if chr(byte) in string.digits else 97 if chr(byte) in string.ascii_letters else 120
    for byte in range(256)
)
_SPACING_BYTES = b" .-/()" + "\u00a0\u202f\u2010\u2011\u2012\u2013".encode()
_SEVEN_DIGITS = b"0" * 7
# Ten capitals and digits in a row, as on identity cards.
_CAPITAL_TABLE = bytes(
    48 if chr(byte) in string.digits + string.ascii_uppercase else 120 for byte in range(256)
)
_TEN_CAPITALS = b"0" * 10
_RUN = re.compile(rf"[0-9](?:[{GAPS}/()]{{0,3}}[0-9]){{6,200}}")
_CODE = re.compile(
    r"[0-9][0-9](?: ?[0-9]{2} ?[0-9]{2} ?[A-Za-z]|[A-Za-z][0-9]{2} ?[A-Za-z][0-9]{3}[A-Za-z])"
)
_CODE_SHAPES = (b"aa000000a", b"000000a000")
_TAX_SHAPE = re.compile(b"00a00a000a")  # a search for it is faster than `in`
_CODE_MARGIN = 12
# An IBAN has up to 24 characters before seven digits in a row, and up to 30 behind them.
_BEFORE, _AFTER = 24, 30


def number_places(text: str) -> list[tuple[int, int]]:
    """Return the places around seven digits or more, spacing between them not counted."""
    return [(start, end) for start, end, _ in _runs(text)]


def long_number_places(text: str) -> list[tuple[int, int]]:
    """Return the places around eleven digits or more."""
    return [(start, end) for start, end, digits in _runs(text) if digits >= 11]


@lru_cache(maxsize=1)
def _runs(text: str) -> tuple[tuple[int, int, int], ...]:
    if _SEVEN_DIGITS not in _shape(text):
        return ()
    runs: list[tuple[int, int, int]] = []
    for match in _RUN.finditer(text):
        start, end = max(0, match.start() - _BEFORE), match.end() + _AFTER
        digits = len(_shape_of(match[0]))
        if runs and start <= runs[-1][1]:
            start, _, before = runs.pop()
            digits = max(digits, before)
        runs.append((start, end, digits))
    return tuple(runs)


def code_places(text: str) -> list[tuple[int, int]]:
    """Return the places where letters and digits alternate as in national codes."""
    shape = _shape(text)
    if not any(map(shape.__contains__, _CODE_SHAPES)) and not _TAX_SHAPE.search(shape):
        return []
    places: list[tuple[int, int]] = []
    for match in _CODE.finditer(text):
        start, end = max(0, match.start() - _CODE_MARGIN), match.end() + _CODE_MARGIN
        if places and start <= places[-1][1]:
            start = places.pop()[0]
        places.append((start, end))
    return places


def has_capital_code(text: str) -> bool:
    """Say whether ten capitals or digits stand in a row."""
    return _TEN_CAPITALS in text.encode("utf-8", "surrogatepass").translate(_CAPITAL_TABLE)


def without_gaps(number: str) -> str:
    """Return a number without what people write between its digits."""
    return number.translate(_GAP_TABLE)


@lru_cache(maxsize=1)
def _shape(text: str) -> bytes:
    return _shape_of(text)


def _shape_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(_SHAPE_TABLE, _SPACING_BYTES)
