"""Telephone numbers: shapes that people write, confirmed by Google's numbering plans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from forgelm.data_audit.detectors._places import PART_WORD
from forgelm.data_audit.detectors._spans import Span, follows, matches, words_before

__all__ = ["phone_spans"]

_GAP = r"[ ().\-/\u00a0]{0,2}"
_INTERNATIONAL = re.compile(rf"\+(?<![0-9+].)[ (]?[1-9](?:{_GAP}[0-9]){{6,14}}(?![0-9])")
_AFTER = r"(?![\w\-]|[.,:][0-9])"
_ALONE = r"(?<![\w.,:\-/+#(].)"
# Each alternative is written so in one country or numbering plan; its name says which.
_WRITTEN = re.compile(
    rf"(?P<WORLD>00(?<![\w.,\-/]..)[1-9](?:{_GAP}[0-9]){{7,13}}(?![0-9\w]))"
    r"|(?P<NANP>(?:1(?<![\w.,\-/+(].)(?:[ .\-]\(?|\()[2-9][0-9]{2}\)?"
    r"|\((?<![\w.,\-/+].)[2-9][0-9]{2}\)(?=[ .\-]?[0-9])"
    r"|[2-9](?<![\w.,\-/+].)[0-9]{2}(?=[ .\-]))"
    rf"[ .\-]?[0-9]{{3}}[ .\-][0-9]{{4}}{_AFTER})"
    rf"|(?P<ZERO>(?:\({_ALONE}0[1-9][0-9]{{0,4}}\)[ .\-/]{{0,2}}"
    rf"|0{_ALONE}[1-9][0-9]{{0,4}}[ .\-/]{{1,2}})"
    rf"[0-9]{{2,8}}(?:[ .\-/]{{1,2}}[0-9]{{2,8}}){{0,4}}{_AFTER})"
    rf"|(?P<ES>[6-9]{_ALONE}[0-9]{{2}} [0-9]{{2}} [0-9]{{2}} [0-9]{{2}}{_AFTER})"
    rf"|(?P<BR>\({_ALONE}[1-9][0-9]\) ?9?[0-9]{{4}}-[0-9]{{4}}{_AFTER})"
    rf"|(?P<RU>8{_ALONE}[ \-]?\([0-9]{{3}}\)[ \-]?[0-9]{{3}}(?:[ \-][0-9]{{2}}){{2}}{_AFTER})"
    rf"|(?P<IN>[6-9]{_ALONE}[0-9]{{4}} [0-9]{{5}}{_AFTER})"
    rf"|(?P<CN>1{_ALONE}[3-9][0-9](?: [0-9]{{4}} |-[0-9]{{4}}-)[0-9]{{4}}{_AFTER})"
)
# Where one of them can begin: `re` skips the other digits far faster than it tries them all.
_FIRST = re.compile(
    r"[(0-9](?<![\w.,\-/+].)(?:(?<=[(0])|(?<=1)(?=[ .\-(3-9])|(?<=[2-9])(?=[0-9]{2}[ .\-])"
    r"|(?<=8)(?=[ \-]?\()|(?<=[6-9])(?=[0-9]{4} ))"
)
_ANY = re.compile(rf"[(0-9](?<!\w.)(?<!\(.)(?:{_GAP}[0-9]){{7,14}}(?![0-9\w]|[.,][0-9])")
_PHONE_WORDS = frozenset(
    (
        *("tel", "telephone", "phone", "mobile", "cell", "fax", "whatsapp", "call", "text", "dial"),
        *("telefon", "handy", "mobil", "téléphone", "telephone", "teléfono", "telefono", "móvil"),
        *("movil", "cep", "gsm", "telefone", "celular", "telefoon", "puhelin", "numara", "sms"),
    )
)
_DIGITS = re.compile(r"[0-9]+")
# Regions whose national numbers start with 0.
_ZERO_REGIONS = (
    "DE",
    "GB",
    "FR",
    "TR",
    "IT",
    "NL",
    "AT",
    "CH",
    "BE",
    "SE",
    "IN",
    "AU",
    "JP",
    "KR",
    "ZA",
    "NZ",
    "IL",
    "IE",
)
_REGIONS = ("US", *_ZERO_REGIONS, "ES", "PL", "PT", "DK", "NO", "BR")


def phone_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the spans of telephone numbers, in order and without overlap."""
    spans = list(_trimmed(_INTERNATIONAL, text, start, end))
    spans += _written(text, start, end)
    spans += _any_named(text, start, end)
    past = start
    for begin, stop in sorted(spans):
        if begin >= past:
            yield begin, stop
            past = stop


def _trimmed(pattern: re.Pattern[str], text: str, start: int, end: int) -> Iterator[Span]:
    # A number may run on into the next one ("+1 202 555 0143 12"): drop up to two last groups.
    for match in pattern.finditer(text, start, end):
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
    if number.lstrip("1 .-").startswith(("(", "555")):
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


def _is_named(match: re.Match[str]) -> bool:
    words = words_before(match.string, match.start(), 24)
    return (
        not _PHONE_WORDS.isdisjoint(words)
        and not follows(match, PART_WORD)
        and _is_valid_somewhere(match[0])
    )


def _written(text: str, start: int, end: int) -> Iterator[Span]:
    past = start
    for first in _FIRST.finditer(text, start, end):
        match = _WRITTEN.match(text, first.start(), end) if first.start() >= past else None
        if match:
            past = match.end()
            if _is_written(match):
                yield match.span()


def _is_written(match: re.Match[str]) -> bool:
    plan = str(match.lastgroup)
    check = _PLANS.get(plan)
    return check(match[0]) if check else _is_valid_in(match[0], plan)


_PLANS = {"WORLD": _is_double_zero, "NANP": _is_nanp, "ZERO": _is_national}
_any_named = matches(_ANY, _is_named)
