"""Personal data by pattern and check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, overload

from forgelm.data_audit.detectors import _checksums as checks
from forgelm.data_audit.detectors._national_ids import (
    CODE_IDS,
    LONG_IDS,
    NAMED_IDS,
    NATIONAL_KINDS,
    PAN_IDS,
    PASSPORTS,
    SHORT_IDS,
)
from forgelm.data_audit.detectors._network import (
    email_spans,
    hidden_email_spans,
    ip_v4_spans,
    ip_v6_spans,
    may_have_ip_v6,
    may_hide_email,
)
from forgelm.data_audit.detectors._phone import phone_spans
from forgelm.data_audit.detectors._places import (
    GAPS,
    PART_WORD,
    has_capital_code,
    long_number_places,
    number_places,
    without_gaps,
)
from forgelm.data_audit.detectors._spans import (
    Finding,
    KindCounts,
    Rule,
    RuleGroup,
    Span,
    anywhere,
    count,
    find,
    follows,
    mask,
    matches,
    plain_counts,
    words_before,
)

__all__ = ["PII_TIERS", "detect_pii", "find_pii", "mask_pii"]

PII_TIERS: dict[str, str] = {
    "iban": "critical",
    "credit_card": "critical",
    "us_ssn": "high",
    "fr_ssn": "high",
    "tr_id": "high",
    "de_id": "high",
    **dict.fromkeys(NATIONAL_KINDS, "high"),
    "email": "medium",
    "person": "medium",
    "phone": "low",
    "ip_address": "low",
    "organization": "low",
    "location": "low",
}

# Patterns begin with what they consume and look behind afterwards: so `re` can skip to the next
# digit, which is ten times as fast as looking behind at every place.
_IBAN_START = re.compile(
    rf"[0-9](?<=[A-Za-z]{{2}}.)(?<![A-Za-z0-9][A-Za-z]{{2}}.)[0-9](?=[{GAPS}]{{0,2}}[A-Za-z0-9])"
)
_CARD = re.compile(
    r"[0-9](?<![\w.+].)(?:"
    rf"[0-9]{{3}}([{GAPS}]{{1,2}})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{3}})?"
    rf"|[0-9]{{3}}([{GAPS}]{{1,2}})[0-9]{{6}}\2[0-9]{{4,5}}"
    r"|[0-9]{12,18})(?![\w]|[.,][0-9])"
)
_SSN = re.compile(r"[0-9](?<![\w\-+.].)[0-9]{2}([\-\u2010-\u2013])[0-9]{2}\1[0-9]{4}(?![\w\-])")
_NINE = re.compile(r"[0-9](?<!\w.)[0-9]{2}[ .\-]?[0-9]{2}[ .\-]?[0-9]{4}(?!\w)")
_NIR = re.compile(
    r"[1-478](?<![\w.].)[ .\u00a0]?[0-9]{2}[ .\u00a0]?(?:0[1-9]|1[0-2]|[2-9][0-9])[ .\u00a0]?"
    r"(?:[0-9]{2}|2[ABab])[ .\u00a0]?[0-9]{3}[ .\u00a0]?[0-9]{3}[ .\-\u00a0]{0,3}[0-9]{2}(?!\w)"
)
_ELEVEN = re.compile(r"[1-9](?<![\w+].)(?<![0-9][.,].)[0-9]{10}(?!\w|[.,][0-9])")
_TAX_ID_SPACED = re.compile(r"[1-9](?<!\w.)[0-9] [0-9]{3} [0-9]{3} [0-9]{3}(?!\w)")
_ID_CARD = re.compile(r"[LMNPRTVWXY](?<![\w\-].)[0-9CFGHJKLMNPRTVWXYZ]{8}[0-9](?![\w\-])")
_ELEVEN_DIGITS = ("0" * 11,)
_SSN_FORMS = tuple(f"000{hyphen}00{hyphen}0000" for hyphen in "-\u2010\u2011\u2012\u2013")
_SSN_WORDS = frozenset(("ssn", "social security"))


def _iban_spans(text: str, start: int, end: int) -> Iterator[Span]:
    past = start
    for digits in _IBAN_START.finditer(text, start, end):
        begin = digits.start() - 2
        if begin < past:
            continue
        pattern = checks.iban_pattern(text[begin : begin + 2].upper())
        match = pattern.match(text, begin) if pattern else None
        if match and checks.is_iban(without_gaps(match[0]).upper()):
            yield match.span()
            past = match.end()


def _is_card(match: re.Match[str]) -> bool:
    number = match[0]
    return checks.is_card(without_gaps(number)) and not (
        number.isdigit() and follows(match, PART_WORD)
    )


def _is_nir(match: re.Match[str]) -> bool:
    return checks.is_fr_nir(without_gaps(match[0])) and not follows(match, PART_WORD)


def _is_tr_id(match: re.Match[str]) -> bool:
    return checks.is_tr_id(match[0]) and not follows(match, PART_WORD)


def _is_de_tax_id(match: re.Match[str]) -> bool:
    return checks.is_de_tax_id(match[0]) and not follows(match, PART_WORD)


def _is_ssn(match: re.Match[str]) -> bool:
    return checks.is_us_ssn(without_gaps(match[0])) and not follows(match, PART_WORD)


def _is_named_ssn(match: re.Match[str]) -> bool:
    return checks.is_us_ssn(without_gaps(match[0])) and not _SSN_WORDS.isdisjoint(
        words_before(match.string, match.start())
    )


def _is_de_card(match: re.Match[str]) -> bool:
    return checks.is_de_card(match[0]) and not follows(match, PART_WORD)


_EMAILS = (
    RuleGroup(anywhere(lambda text: "@" in text), (Rule("email", email_spans),)),
    RuleGroup(anywhere(may_hide_email), (Rule("email", hidden_email_spans),)),
)
_IP_V6 = RuleGroup(anywhere(may_have_ip_v6), (Rule("ip_address", ip_v6_spans),))
_PII_RULES = (
    *_EMAILS,
    PASSPORTS,
    NAMED_IDS,
    RuleGroup(
        number_places,
        (Rule("iban", _iban_spans), Rule("fr_ssn", matches(_NIR, _is_nir))),
    ),
    RuleGroup(
        long_number_places,
        (
            Rule("credit_card", matches(_CARD, _is_card)),
            Rule("tr_id", matches(_ELEVEN, _is_tr_id), _ELEVEN_DIGITS),
            Rule("de_id", matches(_ELEVEN, _is_de_tax_id), _ELEVEN_DIGITS),
            Rule("de_id", matches(_TAX_ID_SPACED, _is_de_tax_id), ("00 000 000 000",)),
            *LONG_IDS,
        ),
    ),
    RuleGroup(
        number_places,
        (
            Rule("us_ssn", matches(_SSN, _is_ssn), _SSN_FORMS),
            Rule("us_ssn", matches(_NINE, _is_named_ssn)),
            *SHORT_IDS,
            Rule("ip_address", ip_v4_spans, ("0.0",)),
            Rule("phone", phone_spans),
        ),
    ),
    RuleGroup(
        anywhere(has_capital_code),
        (Rule("de_id", matches(_ID_CARD, _is_de_card)),),
    ),
    CODE_IDS,
    PAN_IDS,
    _IP_V6,
)
_DIGITS = "0123456789"
_RULES_WITHOUT_DIGITS = (*_EMAILS, _IP_V6)  # every other kind has at least one


def find_pii(text: str) -> list[Finding]:
    """Return every piece of personal data in `text`: its kind and its span, in order.

    Example:
        >>> find_pii("Write to alice@example.com.")
        [Finding(kind='email', span=(9, 26), split=None, row=None, column=None)]
    """
    if isinstance(text, str) and not any(map(text.__contains__, _DIGITS)):
        return find(text, _RULES_WITHOUT_DIGITS)
    return find(text, _PII_RULES)


def detect_pii(text: str) -> KindCounts:
    """Count the personal data in `text` by kind.

    Returns:
        A dict, equal to a plain one. Its keys also carry `.kind`, `.span` (the first place) and
        `.spans` (all places).

    Example:
        >>> detect_pii("a@example.com, b@example.com") == {"email": 2}
        True
    """
    return count(find_pii(text))


@overload
def mask_pii(text: str, replacement: str = ..., *, return_counts: Literal[False] = ...) -> str: ...
@overload
def mask_pii(
    text: str, replacement: str = ..., *, return_counts: Literal[True]
) -> tuple[str, dict[str, int]]: ...
def mask_pii(
    text: str, replacement: str = "[REDACTED]", *, return_counts: bool = False
) -> str | tuple[str, dict[str, int]]:
    """Return `text` with personal data replaced; anything that is not a `str` comes back as it is.

    Masking what is masked already changes nothing, as long as `replacement` stands in brackets.

    Args:
        text: Any text.
        replacement: What stands in for each finding.
        return_counts: Also return the counts by kind.

    Example:
        >>> mask_pii("Write to alice@example.com.")
        'Write to [REDACTED].'
    """
    findings = find_pii(text)
    masked = mask(text, findings, replacement) if findings else text
    return (masked, plain_counts(count(findings))) if return_counts else masked
