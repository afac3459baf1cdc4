"""Personal data by pattern and check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, overload

from forgelm.data_audit import _checksums as checks
from forgelm.data_audit._phone import phone_spans
from forgelm.data_audit._spans import (
    Finding,
    KindCounts,
    Rule,
    RuleGroup,
    count,
    find,
    follows,
    mask,
    matches,
    plain_counts,
)

__all__ = ["PII_TIERS", "detect_pii", "find_pii", "mask_pii"]

PII_TIERS: dict[str, str] = {
    "iban": "critical",
    "credit_card": "critical",
    "us_ssn": "high",
    "fr_ssn": "high",
    "tr_id": "high",
    "de_id": "high",
    "email": "medium",
    "person": "medium",
    "phone": "low",
    "organization": "low",
    "location": "low",
}

# Letters of scripts that part words by spaces: taking in others would swallow the words around an
# address in running Chinese or Japanese text.
_LETTERS = "A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ӿ"
_LOCAL = rf"[{_LETTERS}0-9._%+\-]"
_EMAIL = re.compile(
    rf"(?<!{_LOCAL}){_LOCAL}{{1,64}}@(?:[{_LETTERS}0-9\-]{{1,63}}\.){{1,8}}"
    rf"(?:xn--[A-Za-z0-9\-]{{2,59}}|[{_LETTERS}]{{2,24}})(?![{_LETTERS}0-9])"
)
_FILE_ENDINGS = frozenset(
    (
        *("png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "scss", "less", "js", "jsx"),
        *("ts", "tsx", "json", "html", "xml", "yaml", "yml", "toml", "txt", "pdf", "csv", "exe"),
        *("dll", "jar", "gz"),
    )
)
# Patterns begin with what they consume and look behind afterwards: so `re` can skip to the next
# digit, which is ten times as fast as looking behind at every place.
_IBAN_START = re.compile(r"[A-Za-z](?<![A-Za-z0-9].)[A-Za-z][0-9]{2}(?=[ \u00a0]?[A-Za-z0-9])")
_CARD = re.compile(
    r"[0-9](?<![\w.].)(?:"
    r"[0-9]{3}([ .\-\u00a0])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?"
    r"|[0-9]{3}([ .\-\u00a0])[0-9]{6}\2[0-9]{4,5}"
    r"|[0-9]{12,18})(?![\w]|[.,][0-9])"
)
_SSN = re.compile(r"[0-9](?<![\w\-+.].)[0-9]{2}-[0-9]{2}-[0-9]{4}(?![\w\-])")
_NINE = re.compile(r"[0-9](?<!\w.)[0-9]{2}[ .\-]?[0-9]{2}[ .\-]?[0-9]{4}(?!\w)")
_NIR = re.compile(
    r"[1-478](?<![\w.].)[ .\u00a0]?[0-9]{2}[ .\u00a0]?(?:0[1-9]|1[0-2]|[2-9][0-9])[ .\u00a0]?"
    r"(?:[0-9]{2}|2[ABab])[ .\u00a0]?[0-9]{3}[ .\u00a0]?[0-9]{3}[ .\-\u00a0]{0,3}[0-9]{2}(?!\w)"
)
_ELEVEN = re.compile(r"[1-9](?<!\w.)(?<![0-9][.,].)[0-9]{10}(?!\w|[.,][0-9])")
_TAX_ID_SPACED = re.compile(r"[1-9](?<!\w.)[0-9] [0-9]{3} [0-9]{3} [0-9]{3}(?!\w)")
_ID_CARD = re.compile(r"[LMNPRTVWXY](?<![\w\-].)[0-9CFGHJKLMNPRTVWXYZ]{8}[0-9](?![\w\-])")
_SSN_WORD = re.compile(r"\b(?:ssn|social security)\b[^0-9\n\[\]]{0,24}$", re.IGNORECASE)
_PART_WORD = re.compile(
    r"\b(?:part|order|item|sku|model|article|art|ref|invoice|ticket|case)"
    r"(?:\s(?:no|number|nr|id))?[.:#\s]{0,3}$",
    re.IGNORECASE,
)
_ID_CARD_SHAPE = re.compile(r"[LMNPRTVWXY][0-9CFGHJKLMNPRTVWXYZ]{8}[0-9]")
_SPACING = str.maketrans("", "", " .-\u00a0")
# One pass over the bytes: digits become "0", spacing (NBSP's two bytes too) goes, the rest is "x".
_DIGIT_TABLE = bytes(48 if chr(byte).isdecimal() else 120 for byte in range(256))
_SPACING_BYTES = " .-/()\u00a0".encode()
_SEVEN_DIGITS = b"0" * 7


def _has_long_number(text: str) -> bool:
    flat = text.encode("utf-8", "surrogatepass").translate(_DIGIT_TABLE, _SPACING_BYTES)
    return _SEVEN_DIGITS in flat


def _has_id_card_shape(text: str) -> bool:
    return _ID_CARD_SHAPE.search(text) is not None


def _email_spans(text: str) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text):
        start, end = match.span()
        while text[start] in "._%+-":
            start += 1
        ending = match[0].rpartition(".")[2].lower()
        clone_url = match[0].startswith("git@") and text[end : end + 1] == ":"
        if text[start] != "@" and ending not in _FILE_ENDINGS and not clone_url:
            yield start, end


def _iban_spans(text: str) -> Iterator[tuple[int, int]]:
    end = 0
    for start in _IBAN_START.finditer(text):
        if start.start() < end:
            continue
        pattern = checks.iban_pattern(start[0][:2].upper())
        match = pattern.match(text, start.start()) if pattern else None
        if match and checks.is_iban(match[0].translate(_SPACING).upper()):
            yield match.span()
            end = match.end()


def _is_card(match: re.Match[str]) -> bool:
    return checks.is_card(match[0].translate(_SPACING))


def _is_nir(match: re.Match[str]) -> bool:
    return checks.is_fr_nir(match[0].translate(_SPACING))


def _is_ssn(match: re.Match[str]) -> bool:
    return checks.is_us_ssn(match[0].translate(_SPACING)) and not follows(match, _PART_WORD)


def _is_named_ssn(match: re.Match[str]) -> bool:
    return follows(match, _SSN_WORD) and checks.is_us_ssn(match[0].translate(_SPACING))


def _is_de_card(match: re.Match[str]) -> bool:
    return checks.is_de_card(match[0]) and not follows(match, _PART_WORD)


_PII_RULES = (
    RuleGroup(lambda text: "@" in text, (Rule("email", _email_spans),)),
    RuleGroup(
        _has_long_number,
        (
            Rule("iban", _iban_spans),
            Rule("credit_card", matches(_CARD, _is_card)),
            Rule("fr_ssn", matches(_NIR, _is_nir)),
            Rule("tr_id", matches(_ELEVEN, lambda m: checks.is_tr_id(m[0]))),
            Rule("de_id", matches(_ELEVEN, lambda m: checks.is_de_tax_id(m[0]))),
            Rule("de_id", matches(_TAX_ID_SPACED, lambda m: checks.is_de_tax_id(m[0]))),
            Rule("us_ssn", matches(_SSN, _is_ssn)),
            Rule("us_ssn", matches(_NINE, _is_named_ssn)),
            Rule("phone", phone_spans),
        ),
    ),
    RuleGroup(
        _has_id_card_shape,
        (Rule("de_id", matches(_ID_CARD, _is_de_card)),),
    ),
)


def find_pii(text: str) -> list[Finding]:
    """Return every piece of personal data in `text`: its kind and its span, in order.

    Example:
        >>> find_pii("Write to alice@example.com.")
        [Finding(kind='email', span=(9, 26), split=None, row=None, column=None)]
    """
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
