"""Numbers that prove themselves: check digits and issuer ranges.

Source: python-stdnum for the national numbers, IBAN and Luhn; ISO/IEC 7812 for card issuers; ICAO
Doc 9303 part 3, 4.9 for the weights 7-3-1 of German identity cards.
"""

from __future__ import annotations

import re
from functools import lru_cache

from stdnum import ean, luhn, numdb
from stdnum.de import idnr
from stdnum.fr import nir
from stdnum.iso7064 import mod_97_10
from stdnum.tr import tckimlik
from stdnum.us import ssn

from forgelm.data_audit.detectors._places import GAPS

__all__ = [
    "iban_pattern",
    "is_card",
    "is_de_card",
    "is_de_tax_id",
    "is_fr_nir",
    "is_iban",
    "is_tr_id",
    "is_us_ssn",
]


# (first prefix, last prefix, lengths) of the issuers that are on cards today.
_ISSUERS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),  # Mastercard
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("6011", "6011", (16, 17, 18, 19)),  # Discover
    ("644", "649", (16, 17, 18, 19)),
    ("65", "65", (16, 17, 18, 19)),
    ("300", "305", (14, 16)),  # Diners Club
    ("3095", "3095", (14, 16)),
    ("36", "36", (14,)),
    ("38", "39", (14, 16)),
    ("3528", "3589", (16, 17, 18, 19)),  # JCB
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("5018", "5018", (16, 18, 19)),  # Maestro
    ("5020", "5020", (16, 18, 19)),
    ("5038", "5038", (16, 18, 19)),
    ("5893", "5893", (16, 18, 19)),
    ("6304", "6304", (16, 18, 19)),
    ("6759", "6763", (16, 18, 19)),
    ("2200", "2204", (16, 17, 18, 19)),  # Mir
    ("9792", "9792", (16,)),  # Troy
)
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")  # twice a digit, its own digits added up
_CARD_SERIES = "LMNPRTVWXY"
_CARD_WEIGHTS = (7, 3, 1)


def is_card(digits: str) -> bool:
    """Say whether `digits` has an issuer's prefix and length and passes Luhn.

    A 13-digit number that is also a valid article number is read as one: 13-digit cards are out of
    use, EAN-13 codes that begin with 4 are not.
    """
    if not _adds_up(digits) or not luhn.is_valid(digits) or len(set(digits)) == 1:
        return False
    if len(digits) == 13 and ean.is_valid(digits):
        return False
    return any(
        len(digits) in lengths and first <= digits[: len(first)] <= last
        for first, last, lengths in _ISSUERS
    )


def _adds_up(digits: str) -> bool:
    """Say whether the Luhn sum is right: ten times as fast as the library on most wrong numbers."""
    places = digits.encode()[::-1]
    return (sum(places[::2]) + sum(places[1::2].translate(_DOUBLED)) - 48 * len(places)) % 10 == 0


def is_fr_nir(digits: str) -> bool:
    """Say whether fifteen places are a French social security number."""
    return len(digits) == 15 and nir.is_valid(digits)


def is_tr_id(digits: str) -> bool:
    """Say whether eleven digits are a Turkish identity number."""
    # The last digit alone turns most numbers away, and is far cheaper.
    return sum(map(int, digits[:10])) % 10 == int(digits[10]) and tckimlik.is_valid(digits)


def is_de_tax_id(number: str) -> bool:
    """Say whether eleven digits, spaced or not, are a German tax identification number."""
    digits = number.replace(" ", "")
    return len(set(digits[:10])) in (8, 9) and idnr.is_valid(digits)


def is_us_ssn(digits: str) -> bool:
    """Say whether nine digits can be a US social security number (it has no check digit)."""
    return ssn.is_valid(digits)


def is_de_card(number: str) -> bool:
    """Say whether `number` is a German identity card number: nine places and a check digit."""
    body, check = number[:9], number[9:]
    if body[0] not in _CARD_SERIES or not any(place.isdigit() for place in body):
        return False
    total = sum(int(place, 36) * _CARD_WEIGHTS[i % 3] for i, place in enumerate(body))
    return check == str(total % 10)


def is_iban(number: str) -> bool:
    """Say whether a compact, upper-case number of the right shape has the right check digits."""
    return mod_97_10.is_valid(number[4:] + number[:4])


@lru_cache(maxsize=512)
def iban_pattern(country: str) -> re.Pattern[str] | None:
    """Return the shape of a country's IBAN, gaps allowed, or None for no such country."""
    info = numdb.get("iban").info(country)[0][1]
    if not info:
        return None
    letters = {"n": "[0-9]", "a": "[A-Za-z]", "c": "[A-Za-z0-9]"}
    parts = re.findall(r"([1-9][0-9]*)!([nac])", info["bban"])
    bban = "".join(f"(?:[{GAPS}]{{0,2}}{letters[kind]}){{{size}}}" for size, kind in parts)
    return re.compile(f"[A-Za-z]{{2}}[0-9]{{2}}{bban}(?![A-Za-z0-9])")
