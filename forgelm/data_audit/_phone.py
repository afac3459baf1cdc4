"""Telephone numbers: shapes that people write, confirmed by Google's numbering plans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from forgelm.data_audit._spans import follows, matches

__all__ = ["phone_spans"]

_GAP = r"[ ().\-/\u00a0]{0,2}"
_INTERNATIONAL = re.compile(rf"\+(?<![0-9+].)[ (]?[1-9](?:{_GAP}[0-9]){{6,14}}(?![0-9])")
_DOUBLE_ZERO = re.compile(rf"00(?<![\w.,\-/]..)[1-9](?:{_GAP}[0-9]){{7,13}}(?![0-9\w])")
_AFTER = r"(?![\w\-]|[.,:][0-9])"
_NORTH_AMERICA = (
    re.compile(rf"\((?<![\w.,\-/+].)[2-9][0-9]{{2}}\)[ .\-]?[0-9]{{3}}[ .\-][0-9]{{4}}{_AFTER}"),
    re.compile(rf"[2-9](?<![\w.,\-/+].)[0-9]{{2}}[ .\-][0-9]{{3}}[ .\-][0-9]{{4}}{_AFTER}"),
)
_NATIONAL = (
    re.compile(
        rf"\((?<![\w.,:\-/+#].)0[1-9][0-9]{{0,4}}\)(?:[ .\-/]{{0,2}}[0-9]{{2,8}}){{1,5}}{_AFTER}"
    ),
    re.compile(
        rf"0(?<![\w.,:\-/+#(].)[1-9][0-9]{{0,4}}(?:[ .\-/]{{1,2}}[0-9]{{2,8}}){{1,5}}{_AFTER}"
    ),
)
_ANY = re.compile(rf"[(0-9](?<!\w.)(?<!\(.)(?:{_GAP}[0-9]){{7,14}}(?![0-9\w])")
_PHONE_WORD = re.compile(
    r"\b(?:tel|telephone|phone|mobile|cell|fax|whatsapp|telefon|handy|mobil|t[ée]l[ée]phone|"
    r"tel[ée]fono|m[óo]vil|cep|gsm|call|text|dial)\b[^0-9\n+\[\]]{0,16}$",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"[0-9]+")
# Regions whose national numbers start with 0.
_ZERO_REGIONS = ("DE", "GB", "FR", "TR", "IT", "NL", "AT", "CH", "BE", "SE", "IN", "AU", "JP")
_REGIONS = ("US", *_ZERO_REGIONS, "ES", "PL", "PT", "DK", "NO", "BR")


def phone_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of telephone numbers, in order and without overlap."""
    spans = list(_trimmed(_INTERNATIONAL, text))
    for pattern, accept in _SHAPES:
        spans += matches(pattern, accept)(text)
    end = 0
    for start, stop in sorted(spans):
        if start >= end:
            yield start, stop
            end = stop


def _trimmed(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    # A number may run on into the next one ("+1 202 555 0143 12"): drop up to two last groups.
    for match in pattern.finditer(text):
        number = match[0]
        for _ in range(3):
            if _is_international(number):
                yield match.start(), match.start() + len(number)
                break
            number = re.sub(r"[^0-9]+[0-9]+$", "", number)


@lru_cache(maxsize=8192)
def _is_international(number: str) -> bool:
    parsed = _parse(number, None)
    if parsed is None:
        return False
    if phonenumbers.is_valid_number(parsed):
        return True
    # Made-up numbers such as +1-555-123-4567 are written like numbers all the same.
    groups = len(_DIGITS.findall(number))
    return groups >= 4 and phonenumbers.is_possible_number(parsed)


@lru_cache(maxsize=8192)
def _is_double_zero(number: str) -> bool:
    parsed = _parse("+" + number[2:], None)
    grouped = not number.isdigit()
    return parsed is not None and grouped and phonenumbers.is_valid_number(parsed)


@lru_cache(maxsize=8192)
def _is_nanp(number: str) -> bool:
    # 555 is no area, but it stands in for one wherever numbers are made up.
    if number.startswith(("(", "555")):
        return True
    return _is_valid_in(number, "US")


@lru_cache(maxsize=8192)
def _is_national(number: str) -> bool:
    groups = _DIGITS.findall(number)
    if not 9 <= sum(map(len, groups)) <= 12:
        return False
    for region in _ZERO_REGIONS:
        parsed = _parse(number, region)
        if parsed is not None and phonenumbers.is_valid_number(parsed):
            usual = phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL)
            if _DIGITS.findall(usual) == groups:
                return True
    return False


@lru_cache(maxsize=8192)
def _is_valid_somewhere(number: str) -> bool:
    return any(_is_valid_in(number, region) for region in _REGIONS)


def _is_valid_in(number: str, region: str) -> bool:
    parsed = _parse(number, region)
    return parsed is not None and phonenumbers.is_valid_number(parsed)


def _parse(number: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, region)
    except NumberParseException:
        return None


_SHAPES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], bool]], ...] = (
    (_DOUBLE_ZERO, lambda match: _is_double_zero(match[0])),
    *((pattern, lambda match: _is_nanp(match[0])) for pattern in _NORTH_AMERICA),
    *((pattern, lambda match: _is_national(match[0])) for pattern in _NATIONAL),
    (_ANY, lambda match: follows(match, _PHONE_WORD) and _is_valid_somewhere(match[0])),
)
