"""National numbers of people beyond those with a name in the first audits.

A number counts when its form is unmistakable and its check digits are right, or when a word before
it says what it is. Source: python-stdnum for check digits and birth dates; HMRC NIM39110 for the
prefixes of National Insurance numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from stdnum.au import tfn
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cn import ric
from stdnum.cz import rc
from stdnum.dk import cpr
from stdnum.es import dni, nie
from stdnum.fi import hetu
from stdnum.gb import nhs
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import pesel
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp
from stdnum.se import personnummer
from stdnum.us import itin
from stdnum.za import idnr

from forgelm.data_audit.detectors._places import (
    GAPS,
    PART_WORD,
    code_places,
    number_places,
    without_gaps,
)
from forgelm.data_audit.detectors._spans import (
    Rule,
    RuleGroup,
    Span,
    anywhere,
    follows,
    matches,
    words_before,
    words_in,
)

__all__ = [
    "CODE_IDS",
    "LONG_IDS",
    "NAMED_IDS",
    "NATIONAL_KINDS",
    "PAN_IDS",
    "PASSPORTS",
    "SHORT_IDS",
]

Valid = Callable[[str], bool]

_END = r"(?!\w|[.,\-][0-9])"


def _digits(count: int) -> str:
    """Return the pattern of so many digits with single gaps, that stand by themselves."""
    return rf"[0-9](?<![\w.+].)(?:[{GAPS}/]?[0-9]){{{count - 1}}}{_END}"


def _rule(kind: str, pattern: str, valid: Valid, *needs: str) -> Rule:
    def accept(match: re.Match[str]) -> bool:
        return valid(without_gaps(match[0])) and not follows(match, PART_WORD)

    return Rule(kind, matches(re.compile(pattern), accept), needs)


def _written(kind: str, pattern: str, valid: Valid, *needs: str) -> Rule:
    """Return a rule whose check sees the number as it is written: its hyphens say something."""

    def accept(match: re.Match[str]) -> bool:
        return valid(match[0]) and not follows(match, PART_WORD)

    return Rule(kind, matches(re.compile(pattern), accept), needs)


def _named(kind: str, pattern: str, valid: Valid, words: str) -> Rule:
    wanted = frozenset(words.split("|"))

    def accept(match: re.Match[str]) -> bool:
        if wanted.isdisjoint(words_before(match.string, match.start())):
            return False
        return valid(without_gaps(match[0]).replace("/", "").upper())

    _NAMES.update(wanted)
    return Rule(kind, matches(re.compile(pattern), accept))


_NAMES: set[str] = set()
_PASSPORT_WORD = re.compile(
    r"\b(?:passport|reisepass|passeport|pasaporte|passnummer)(?:nummer)?"
    r"(?:\s(?:no|number|nr|num|id|núm))?\.?[\s:#]{0,3}(?:is\s)?$",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]")
_NINO_PREFIX = r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
_NAMED_RULES = (
    _named("nl_bsn", _digits(9), bsn.is_valid, "bsn|burgerservicenummer|sofinummer|sofi"),
    _named("pl_pesel", _digits(11), pesel.is_valid, "pesel"),
    _named("br_cpf", _digits(11), cpf.is_valid, "cpf"),
    _named("in_aadhaar", _digits(12), aadhaar.is_valid, "aadhaar|aadhar|adhaar|uidai"),
    _named("ca_sin", _digits(9), sin.is_valid, "sin|nas|social insurance|assurance sociale"),
    _named("au_tfn", _digits(9), tfn.is_valid, "tfn|tax file"),
    _named("dk_cpr", _digits(10), cpr.is_valid, "cpr|cprnr"),
    _named("pt_nif", _digits(9), pt_nif.is_valid, "nif|contribuinte"),
    _named("za_id", _digits(13), idnr.is_valid, "id number|identity number|rsa id|sa id|za id"),
    _named("uk_nhs", _digits(10), nhs.is_valid, "nhs"),
    _named(
        "be_nn", _digits(11), nn.is_valid, "rijksregisternummer|rijksregister|niss|insz|national"
    ),
    _named("ro_cnp", _digits(13), cnp.is_valid, "cnp|numeric personal"),
    _named("cz_rc", _digits(10), rc.is_valid, "rodné číslo|rodne cislo|rč"),
    _named("us_itin", _digits(9), itin.is_valid, "itin|taxpayer identification"),
)


def _named_places(text: str) -> Sequence[Span]:
    return [
        (start, end)
        for start, end in number_places(text)
        if not _NAMES.isdisjoint(words_in(text[max(0, start - 24) : end]))
    ]


NAMED_IDS = RuleGroup(_named_places, _NAMED_RULES)

SHORT_IDS = (
    _rule(
        "es_nif", r"[0-9](?<![\w.\-].)[0-9]{7}[ \-]?[A-HJ-NP-TV-Z](?![\w\-])", dni.is_valid, "0" * 8
    ),
    _rule(
        "es_nif",
        r"[0-9](?<![\w.\-].)[0-9]?(?:\.[0-9]{3}){2}-?[A-Z](?![\w\-])",
        dni.is_valid,
        ".000.000",
    ),
    _rule(
        "es_nif",
        r"[XYZxyz](?<![\w.\-].)[ \-]?[0-9]{7}[ \-]?[A-Za-z](?![\w\-])",
        nie.is_valid,
        "0" * 7,
    ),
    _written(
        "se_personnummer",
        r"[0-9](?<![\w.\-].)(?:[0-9]{2})?[0-9]{5}[\-+][0-9]{4}" + _END,
        personnummer.is_valid,
        *("00000-0000", "00000+0000"),
    ),
    _written(
        "fi_hetu",
        r"[0-3](?<![\w.\-].)[0-9][01][0-9]{3}[\-+][0-9]{3}[0-9A-FHJ-NPR-Y](?![\w\-])",
        hetu.is_valid,
        *("000000-000", "000000+000"),
    ),
)
LONG_IDS = (
    _rule(
        "br_cpf",
        r"[0-9](?<![\w.].)[0-9]{2}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}(?!\w)",
        cpf.is_valid,
        "000.000.000-00",
    ),
    _rule("ch_ahv", r"756(?<![\w.].{3})\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}" + _END, ahv.is_valid),
    _rule(
        "be_nn",
        r"[0-9](?<![\w.].)[0-9]\.[0-9]{2}\.[0-9]{2}[ \-][0-9]{3}[ .\-][0-9]{2}(?!\w)",
        nn.is_valid,
        "00.00.00",
    ),
    _rule(
        "no_fnr",
        r"[0-3](?<![\w.\-+].)[0-9][01][0-9][0-9]{2} ?[0-9]{5}" + _END,
        fodselsnummer.is_valid,
        *("000000 00000", "0" * 11),
    ),
    _rule(
        "cn_ric",
        r"[1-8](?<![\w.\-].)[0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx](?![\w\-])",
        ric.is_valid,
        "0" * 17,
    ),
    _rule(
        "kr_rrn",
        r"[0-9](?<![\w.\-].)[0-9][01][0-9][0-3][0-9]-[0-9]{7}(?![\w\-])",
        rrn.is_valid,
        "000000-0000000",
    ),
)


def _is_nino(match: re.Match[str]) -> bool:
    # Without its spaces it looks like any part number, so a word must say what it is.
    if match[0].count(" ") == 4 and match[0].isupper():
        return not follows(match, PART_WORD)
    return not _NINO_WORDS.isdisjoint(words_before(match.string, match.start()))


_NINO_WORDS = frozenset(("nino", "ni", "insurance", "insurance number", "ni number"))


def _is_passport(match: re.Match[str]) -> bool:
    number = match[0]
    return (
        sum(map(str.isdigit, number)) >= 4
        and not _DATE.fullmatch(number)
        and follows(match, _PASSPORT_WORD)
    )


PASSPORTS = RuleGroup(
    anywhere(
        lambda text: any(
            word in text for word in ("asspor", "ASSPOR", "eisepass", "asaport", "ASAPORT")
        )
    ),
    (
        Rule(
            "passport",
            matches(
                re.compile(r"[A-Z0-9](?<![\w.\-].)[A-Z0-9]{5,8}(?![\w\-]|[.,][0-9])"), _is_passport
            ),
        ),
    ),
)
PAN_IDS = RuleGroup(
    anywhere(lambda text: "PAN" in text),
    (
        _named(
            "in_pan",
            r"[A-Z](?<![\w\-].)[A-Z]{2}P[A-Z][0-9]{4}[A-Z](?![\w\-])",
            pan.is_valid,
            "pan|account number|pan card|pan number",
        ),
    ),
)
CODE_IDS = RuleGroup(
    code_places,
    (
        _rule(
            "it_codice_fiscale",
            r"(?<![A-Za-z0-9])[A-Za-z]{3} ?[A-Za-z]{3} ?[0-9]{2}[A-EHLMPR-Ta-ehlmpr-t][0-9]{2} ?"
            r"[A-Za-z][0-9]{3}[A-Za-z](?![A-Za-z0-9])",
            codicefiscale.is_valid,
        ),
        _rule(
            "mx_curp",
            r"(?<![A-Za-z0-9])[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9](?![A-Za-z0-9])",
            curp.is_valid,
        ),
        _written(
            "fi_hetu",
            r"[0-3](?<![\w.\-].)[0-9][01][0-9]{3}[A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y](?![\w\-])",
            hetu.is_valid,
        ),
        Rule(
            "uk_nino",
            matches(
                re.compile(
                    rf"(?i:(?<![\w\-]){_NINO_PREFIX}(?: ?[0-9]{{2}}){{3}} ?[A-D](?![\w\-]))"
                ),
                _is_nino,
            ),
        ),
    ),
)


NATIONAL_KINDS = tuple(
    dict.fromkeys(
        rule.kind
        for rule in (
            *_NAMED_RULES,
            *SHORT_IDS,
            *LONG_IDS,
            *CODE_IDS.rules,
            *PAN_IDS.rules,
            *PASSPORTS.rules,
        )
    )
)
