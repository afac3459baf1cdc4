"""Made-up values of every kind, valid by their check digits; nothing was ever issued."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from itertools import accumulate

import phonenumbers
from phonenumbers import PhoneNumberType
from stdnum import luhn, verhoeff
from stdnum.be import nn
from stdnum.br import cpf
from stdnum.ch import ssn as ahv
from stdnum.es import dni
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.iso7064 import mod_11_10, mod_97_10
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.tr import tckimlik

WORDS = [
    *("the", "of", "to", "and", "a", "in", "is", "it", "you", "that", "for", "on", "with", "your"),
    *("order", "parcel", "refund", "invoice", "account", "password", "router", "address", "please"),
    *("token", "secret", "key", "call", "number", "version", "from", "card", "phone", "server"),
    *(f"term{n}" for n in range(2000)),
]
ZIPF = list(accumulate(1 / (rank + 2.7) for rank in range(len(WORDS))))
DASHES = "-----"
UPPER, LOWER, HEX = string.ascii_uppercase, string.ascii_lowercase, "0123456789abcdef"
ALNUM = string.ascii_letters + string.digits

Maker = Callable[[random.Random], str]


def prose(rng: random.Random, words: int) -> str:
    """Return a sentence without anything to find."""
    return " ".join(rng.choices(WORDS, cum_weights=ZIPF, k=words)) + "."


def digits(rng: random.Random, count: int) -> str:
    """Return random digits, the first not 0."""
    return rng.choice("123456789") + "".join(rng.choices(string.digits, k=count - 1))


def token(rng: random.Random, count: int, alphabet: str = ALNUM) -> str:
    """Return random characters, as keys are made of."""
    return "".join(rng.choices(alphabet, k=count))


def grouped(text: str, size: int, separator: str) -> str:
    """Return `text` in groups of `size`."""
    return separator.join(text[i : i + size] for i in range(0, len(text), size))


def iban(rng: random.Random) -> str:
    """Return an IBAN of one of six countries."""
    country, bban = rng.choice(
        [
            ("DE", digits(rng, 18)),
            ("GB", token(rng, 4, UPPER) + digits(rng, 14)),
            ("NO", digits(rng, 11)),
            ("FR", digits(rng, 10) + token(rng, 11, string.digits) + digits(rng, 2)),
            ("NL", token(rng, 4, UPPER) + digits(rng, 10)),
            ("TR", "00061" + "0" + digits(rng, 16)),
        ]
    )
    return country + mod_97_10.calc_check_digits(bban + country) + bban


def card(rng: random.Random) -> str:
    """Return a Visa, Mastercard or Discover number."""
    body = (rng.choice(["4", "51", "55", "2223", "6011"]) + digits(rng, 14))[:15]
    return body + luhn.calc_check_digit(body)


def amex(rng: random.Random) -> str:
    """Return an American Express number."""
    body = rng.choice(["34", "37"]) + digits(rng, 12)
    return body + luhn.calc_check_digit(body)


def french(rng: random.Random) -> str:
    """Return a French social security number."""
    body = f"{rng.choice('12')}{rng.randint(10, 99)}{rng.randint(1, 12):02d}75{digits(rng, 6)}"
    return body + nir.calc_check_digits(body)


def spaced_french(rng: random.Random) -> str:
    """Return one as it is printed on the card."""
    n = french(rng)
    return f"{n[0]} {n[1:3]} {n[3:5]} {n[5:7]} {n[7:10]} {n[10:13]} {n[13:]}"


def turkish(rng: random.Random) -> str:
    """Return a Turkish identity number."""
    body = digits(rng, 9)
    return body + tckimlik.calc_check_digits(body)


def german(rng: random.Random) -> str:
    """Return a German tax number: one digit twice, the others at most once."""
    while True:
        places = rng.sample(string.digits, 9)
        places.insert(rng.randrange(9), rng.choice(places))
        if places[0] != "0":
            body = "".join(places)
            return body + mod_11_10.calc_check_digit(body)


def spaced_german(rng: random.Random) -> str:
    """Return one as the tax office writes it."""
    n = german(rng)
    return f"{n[:2]} {n[2:5]} {n[5:8]} {n[8:]}"


def american(rng: random.Random) -> str:
    """Return the nine digits of a social security number that can be given out."""
    area = rng.choice([*range(1, 666), *range(667, 900)])
    return f"{area:03d}{rng.randint(1, 99):02d}{rng.randint(1, 9999):04d}"


def hyphenated(nine: str) -> str:
    """Return nine digits as 3-2-4."""
    return f"{nine[:3]}-{nine[3:5]}-{nine[5:]}"


def telephone(rng: random.Random, style: int, regions: str = "US GB DE FR TR IT") -> str:
    """Return a number of one of the regions, in one of libphonenumber's styles."""
    while True:
        region = rng.choice(regions.split())
        kind = rng.choice([PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE])
        number = phonenumbers.example_number_for_type(region, kind)
        number.national_number = number.national_number // 1000 * 1000 + rng.randrange(1000)
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, style)


def birth(rng: random.Random, style: str) -> str:
    """Return a day of the years 1950 to 1999."""
    year, month, day = rng.randint(1950, 1999), rng.randint(1, 12), rng.randint(1, 28)
    return style.format(y=year, yy=year % 100, m=month, d=day)


def spanish(rng: random.Random) -> str:
    """Return a Spanish identity number."""
    body = f"{rng.randrange(10**8):08d}"
    return body + dni.calc_check_digit(body)


def foreigner(rng: random.Random) -> str:
    """Return the identity number of a foreigner in Spain."""
    first, body = rng.choice("XYZ"), digits(rng, 7)
    return first + body + dni.calc_check_digit(str("XYZ".index(first)) + body)


def italian(rng: random.Random) -> str:
    """Return a codice fiscale."""
    consonants = "BCDFGLMNPRSTV"
    body = (
        f"{token(rng, 6, consonants)}{rng.randint(50, 99)}{rng.choice('ABCDEHLMPRST')}"
        f"{rng.randint(1, 28):02d}H501"
    )
    return body + codicefiscale.calc_check_digit(body)


def checked(rng: random.Random, count: int, check: Callable[[str], str]) -> str:
    """Return digits followed by their check digits."""
    while True:
        body = digits(rng, count)
        done = check(body)
        if done.isdigit():
            return body + done


def swiss(rng: random.Random) -> str:
    """Return a Swiss AHV number in its printed form."""
    body = "756" + digits(rng, 9)
    n = body + ahv.ean.calc_check_digit(body)
    return f"{n[:3]}.{n[3:7]}.{n[7:11]}.{n[11:]}"


def belgian(rng: random.Random) -> str:
    """Return a Belgian national number in its printed form."""
    body = birth(rng, "{yy:02d}{m:02d}{d:02d}") + f"{rng.randint(1, 997):03d}"
    n = body + f"{97 - int(body) % 97:02d}"
    return nn.format(n)


def swedish(rng: random.Random) -> str:
    """Return a Swedish personnummer."""
    body = birth(rng, "{yy:02d}{m:02d}{d:02d}") + digits(rng, 3)
    return f"{body[:6]}-{body[6:]}{luhn.calc_check_digit(body)}"


def finnish(rng: random.Random) -> str:
    """Return a Finnish identity code."""
    body = birth(rng, "{d:02d}{m:02d}{yy:02d}") + f"-{rng.randint(2, 899):03d}"
    return body + hetu._calc_checksum(body.replace("-", ""))


def polish(rng: random.Random) -> str:
    """Return a PESEL."""
    body = birth(rng, "{yy:02d}{m:02d}{d:02d}") + digits(rng, 4)
    return body + pesel.calc_check_digit(body)


def brazilian(rng: random.Random) -> str:
    """Return a CPF in its printed form."""
    body = digits(rng, 9)
    return cpf.format(body + cpf._calc_check_digits(body))


def nino(rng: random.Random) -> str:
    """Return a National Insurance number."""
    return rng.choice(["AB", "JG", "CE", "PW", "SX"]) + digits(rng, 6) + rng.choice("ABCD")


def indian(rng: random.Random) -> str:
    """Return an Aadhaar number."""
    body = rng.choice("23456789") + digits(rng, 10)
    return body + verhoeff.calc_check_digit(body)


def public_ip(rng: random.Random) -> str:
    """Return an address of a range that providers use."""
    return f"{rng.choice([81, 84, 93, 145, 185])}." + ".".join(
        str(rng.randint(10, 250)) for _ in range(3)
    )


def pem(rng: random.Random, label: str, newline: str = "\n", is_whole: bool = True) -> str:
    """Return a made-up key block."""
    body = newline.join("MII" + token(rng, 61) for _ in range(3))
    end = f"{newline}{DASHES}END {label}{DASHES}" if is_whole else newline
    return f"{DASHES}BEGIN {label}{DASHES}{newline}{body}{end}"


def jwt(rng: random.Random) -> str:
    """Return a signed token."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
    body = json.dumps({"sub": token(rng, 8), "exp": rng.randrange(10**9)}).encode()
    return f"{head}.{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}.{token(rng, 43)}"


def password(rng: random.Random) -> str:
    """Return a password with a digit and a sign."""
    return token(rng, 6, string.ascii_letters) + digits(rng, 3) + rng.choice("!#%*") + token(rng, 2)


def prefixed(prefix: str, count: int, alphabet: str = ALNUM) -> Maker:
    """Return a maker of random characters behind a prefix, the last one a digit."""
    return lambda rng: prefix + token(rng, count - 1, alphabet) + rng.choice("23456789")


def bsn_check(body: str) -> str:
    """Return the check digit of a Dutch citizen service number; two digits mean there is none."""
    rest = sum((9 - i) * int(n) for i, n in enumerate(body)) % 11
    return str(rest) if rest < 10 and bsn.is_valid(body + str(rest)) else "x"


def basic(rng: random.Random) -> str:
    """Return a name and a password as HTTP sends them."""
    return base64.b64encode(f"{token(rng, 5)}:{password(rng)}".encode()).decode()
