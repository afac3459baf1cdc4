"""Seeded texts with planted truth: easy forms, hard forms and hard negatives of every kind.

The forms follow the issuers' public documentation of how the numbers and tokens are written
(ISO 13616 for IBAN, ITU-T E.123 for telephone numbers, vendors' pages on their token formats), not
the detectors. Everything is made up at random; nothing was ever issued.
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
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

__all__ = ["FORMS", "NEGATIVES", "Form", "Plant", "planted", "prose"]

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


class Form(NamedTuple):
    """How one kind is written: text around the value, and the value in braces `{}`."""

    kind: str
    is_hard: bool
    make: Maker
    around: str = "{}"


class Plant(NamedTuple):
    """A text and the place of what was planted in it; for a negative, no kind."""

    text: str
    kind: str | None
    start: int
    end: int
    is_hard: bool
    form: int


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


def _with(prefix: str, count: int, alphabet: str = ALNUM) -> Maker:
    return lambda rng: prefix + token(rng, count - 1, alphabet) + rng.choice("23456789")


_INTERNATIONAL, _NATIONAL = PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL
_E164 = PhoneNumberFormat.E164
_EASY, _HARD = False, True
FORMS: tuple[Form, ...] = (
    Form("email", _EASY, lambda r: f"{token(r, 6, LOWER)}.{token(r, 5, LOWER)}@example.com"),
    Form("email", _HARD, lambda r: f"jürgen.{token(r, 4)}+x@bücher.example"),
    Form("email", _HARD, lambda r: f"{token(r, 4, 'абвгде')}@почта.рф"),
    Form("email", _HARD, lambda r: f"{token(r, 3, '用户名字')}@例子.广告"),
    Form("email", _HARD, lambda r: f"{token(r, 6, LOWER)} [at] example [dot] com"),
    Form("email", _HARD, lambda r: f"{token(r, 6, LOWER)}@mail.{token(r, 5, LOWER)}.co.uk", "<{}>"),
    Form("email", _HARD, lambda r: f"{token(r, 6, LOWER)}@example.org", "(mailto:{})"),
    Form("email", _HARD, lambda r: f"{token(r, 6, UPPER)}@EXAMPLE.COM", "E-MAIL:{}"),
    Form("email", _HARD, lambda r: f"{token(r, 6, LOWER)}@example.de", "请联系{}谢谢"),
    Form("email", _HARD, lambda r: f"{token(r, 6, LOWER)}_o'neil@example.ie"),
    Form("email", _HARD, lambda r: f"{token(r, 6, LOWER)}%40example.com", "?to={}&s=1"),
    Form("iban", _HARD, iban, "IBAN:{}."),
    Form("iban", _HARD, lambda r: grouped(iban(r), 4, "  ")),
    Form("credit_card", _HARD, lambda r: grouped(card(r), 4, "  ")),
    Form("credit_card", _HARD, lambda r: grouped(card(r), 4, "\u2011"), "Visa: {} exp 12/27"),
    Form("credit_card", _HARD, card, '{{"pan": {}, "cvv": "123"}}'),
    Form("us_ssn", _HARD, lambda r: hyphenated(american(r)).replace("-", "."), "SSN: {}"),
    Form("us_ssn", _HARD, lambda r: hyphenated(american(r)).replace("-", "\u2013")),
    Form("fr_ssn", _HARD, lambda r: spaced_french(r).replace(" ", "\u00a0"), "NIR : {}"),
    Form("de_id", _HARD, german, "Steuer-ID: {},"),
    Form("phone", _HARD, lambda r: telephone(r, _NATIONAL, "ES IN BR AU ZA NL CH BE SE JP KR")),
    Form("phone", _HARD, lambda r: telephone(r, _NATIONAL, "US").replace(" ", "."), "Fax {}"),
    Form("phone", _HARD, lambda r: telephone(r, _NATIONAL, "US") + " x123", "{}"),
    Form("phone", _HARD, lambda r: telephone(r, _INTERNATIONAL).replace(" ", "\u00a0")),
    Form("phone", _HARD, lambda r: telephone(r, PhoneNumberFormat.RFC3966), "<{}>"),
    Form("phone", _HARD, lambda r: "+49 (0)30 90" + digits(r, 4), "{}"),
    Form("ip_address", _HARD, public_ip, "http://{}/index.html"),
    Form("ip_address", _HARD, public_ip, '{{"ip":"{}"}}'),
    Form("ip_address", _HARD, public_ip, "sshd: Failed login from {}:50022"),
    Form("uk_nino", _HARD, lambda r: nino(r).lower(), "NI number: {}"),
    Form(
        "es_nif",
        _HARD,
        lambda r: (n := spanish(r)) and f"{n[:2]}.{n[2:5]}.{n[5:8]}-{n[8]}",
        "DNI {}",
    ),
    Form(
        "it_codice_fiscale",
        _HARD,
        lambda r: (n := italian(r)) and f"{n[:3]} {n[3:6]} {n[6:11]} {n[11:]}",
    ),
    Form("br_cpf", _HARD, brazilian, "CPF/MF: {}"),
    Form("aws_secret_key", _HARD, _with("", 40, ALNUM + "/+"), "export AWS_SECRET_ACCESS_KEY='{}'"),
    Form("aws_secret_key", _HARD, _with("", 40, ALNUM + "/+"), "aws.secretKey: {}"),
    Form("private_key", _HARD, lambda r: pem(r, "RSA PRIVATE KEY", "\r\n")),
    Form("private_key", _HARD, lambda r: pem(r, "EC PRIVATE KEY", "\n    "), "    {}"),
    Form("private_key", _HARD, lambda r: pem(r, "PRIVATE KEY", "\\\\n"), '\\"{}\\"'),
    Form("jwt", _HARD, lambda r: jwt(r).rpartition(".")[0] + ".", "id_token={}&x=1"),
    Form("password", _HARD, password, "--password={} --host db"),
    Form("password", _HARD, password, 'PGPASSWORD="{}" psql'),
    Form("password", _HARD, password, "Server=db;Uid=app;Pwd={};"),
    Form("password", _HARD, password, '{{\\"password\\": \\"{}\\"}}'),
    Form("password", _HARD, password, "<password>{}</password>"),
    Form("password", _HARD, password, "my password is {}"),
    Form("bearer_token", _HARD, _with("", 40), '{{"Authorization": "Bearer {}"}}'),
    Form("generic_secret", _HARD, _with("", 32), "x-api-key: {}"),
    Form("generic_secret", _HARD, _with("", 32), '{{"auth_token":"{}"}}'),
    Form("url_credentials", _HARD, password, "https://bot:{}@git.example.com/a/b.git"),
    Form("url_credentials", _HARD, _with("", 12), "jdbc:postgresql://app:{}@db:5432/x"),
    Form("slack_token", _HARD, lambda r: f"xoxe.xoxp-1-{token(r, 40)}"),
    Form("github_token", _HARD, _with("gho_", 36), "https://{}@github.com/a/b"),
    Form("google_api_key", _HARD, _with("AIza", 35), "apiKey: '{}',"),
    Form("iban", _EASY, iban),
    Form("iban", _EASY, lambda r: grouped(iban(r), 4, " ")),
    Form("iban", _HARD, lambda r: grouped(iban(r), 4, " ").lower()),
    Form("iban", _HARD, lambda r: grouped(iban(r), 4, r.choice([".", "-", "\u00a0", "\u202f"]))),
    Form("iban", _HARD, lambda r: iban(r), '{{"iban":"{}"}}'),
    Form("credit_card", _EASY, card),
    Form("credit_card", _EASY, lambda r: grouped(card(r), 4, " ")),
    Form("credit_card", _HARD, lambda r: grouped(card(r), 4, r.choice(["-", ".", "\u00a0"]))),
    Form("credit_card", _HARD, lambda r: (n := amex(r)) and f"{n[:4]} {n[4:10]} {n[10:]}"),
    Form("credit_card", _HARD, amex, "card={};"),
    Form("us_ssn", _EASY, lambda r: hyphenated(american(r))),
    Form("us_ssn", _HARD, american, "SSN {}"),
    Form("us_ssn", _HARD, lambda r: hyphenated(american(r)).replace("-", " "), "ssn: {}"),
    Form("fr_ssn", _EASY, french),
    Form("fr_ssn", _HARD, spaced_french),
    Form("tr_id", _EASY, turkish),
    Form("tr_id", _HARD, turkish, "TC:{}."),
    Form("de_id", _EASY, german),
    Form("de_id", _HARD, spaced_german),
    Form("phone", _EASY, lambda r: telephone(r, _INTERNATIONAL)),
    Form("phone", _EASY, lambda r: telephone(r, _E164)),
    Form("phone", _HARD, lambda r: telephone(r, _NATIONAL)),
    Form("phone", _HARD, lambda r: telephone(r, _NATIONAL, "ES IN BR AU ZA NL CH"), "tel. {}"),
    Form("phone", _HARD, lambda r: "00" + telephone(r, _INTERNATIONAL)[1:]),
    Form("phone", _HARD, lambda r: telephone(r, _E164, "US")[2:], "call me at {}"),
    Form("phone", _HARD, lambda r: "1-" + telephone(r, _INTERNATIONAL, "US")[3:]),
    Form("ip_address", _EASY, public_ip, "IP {}"),
    Form("ip_address", _HARD, public_ip),
    Form("ip_address", _HARD, lambda r: f"2a02:8108:{token(r, 4, HEX)}:3::{token(r, 3, HEX)}1"),
    Form("uk_nino", _EASY, lambda r: grouped(nino(r), 2, " ")),
    Form("uk_nino", _HARD, nino, "National Insurance number {}"),
    Form("es_nif", _EASY, spanish),
    Form("es_nif", _HARD, foreigner),
    Form("es_nif", _HARD, lambda r: (n := spanish(r)) and f"{n[:8]}-{n[8]}"),
    Form("it_codice_fiscale", _EASY, italian),
    Form("it_codice_fiscale", _HARD, lambda r: italian(r).lower()),
    Form("nl_bsn", _EASY, lambda r: checked(r, 8, bsn_check), "BSN {}"),
    Form("nl_bsn", _HARD, lambda r: grouped(checked(r, 8, bsn_check), 3, "."), "bsn: {}"),
    Form("pl_pesel", _EASY, polish, "PESEL {}"),
    Form("pl_pesel", _HARD, polish, "pesel:{},"),
    Form("br_cpf", _EASY, brazilian),
    Form("br_cpf", _HARD, lambda r: cpf.compact(brazilian(r)), "CPF nº {}"),
    Form("in_aadhaar", _EASY, lambda r: grouped(indian(r), 4, " "), "Aadhaar: {}"),
    Form("in_aadhaar", _HARD, indian, "my aadhar number is {}"),
    Form("ch_ahv", _EASY, swiss),
    Form("ch_ahv", _HARD, lambda r: swiss(r).replace(".", "")),
    Form("be_nn", _EASY, belgian),
    Form("se_personnummer", _EASY, swedish),
    Form("fi_hetu", _EASY, finnish),
    Form("passport", _EASY, lambda r: "C" + digits(r, 8), "passport no. {}"),
    Form("aws_access_key", _EASY, _with("AKIA", 16, UPPER)),
    Form("aws_access_key", _HARD, _with("ASIA", 16, UPPER), '"key":"{}"'),
    Form("aws_secret_key", _EASY, _with("", 40, ALNUM + "/+"), "aws_secret_access_key = {}"),
    Form("aws_secret_key", _HARD, _with("", 40, ALNUM + "/+"), '"SecretAccessKey": "{}"'),
    Form("github_token", _EASY, _with("ghp_", 36)),
    Form("github_token", _HARD, lambda r: f"github_pat_{token(r, 22)}_{token(r, 59)}"),
    Form("slack_token", _EASY, lambda r: f"xoxb-{digits(r, 12)}-{token(r, 24)}"),
    Form("slack_token", _HARD, lambda r: f"xoxp-{digits(r, 12)}-{token(r, 32, HEX)}", "({})"),
    Form(
        "slack_webhook",
        _EASY,
        lambda r: (
            "https://hooks.slack.com/" + f"services/T{token(r, 8)}/B{token(r, 8)}/1{token(r, 23)}"
        ),
    ),
    Form("openai_api_key", _EASY, _with("sk-", 48)),
    Form("openai_api_key", _HARD, _with("sk-proj-", 100)),
    Form("anthropic_api_key", _EASY, _with("sk-ant-api03-", 93, ALNUM + "_-")),
    Form("google_api_key", _EASY, _with("AIza", 35)),
    Form("google_api_key", _HARD, _with("AIza", 35, ALNUM + "_-"), "?key={}&v=1"),
    Form("huggingface_token", _EASY, _with("hf_", 34)),
    Form("huggingface_token", _HARD, _with("hf_", 34, string.ascii_letters), "HF_TOKEN={}"),
    Form("jwt", _EASY, jwt),
    Form("jwt", _HARD, jwt, "Authorization: Bearer {}"),
    Form("azure_storage_key", _EASY, lambda r: token(r, 86) + "==", "AccountKey={}"),
    Form("azure_storage_key", _HARD, lambda r: token(r, 86) + "==", '"account_key": "{}"'),
    Form("azure_sas", _EASY, lambda r: f"{token(r, 42)}1%3D", "?sv=2022-11-02&se=2030&sig={}&sp=r"),
    Form("gitlab_token", _EASY, _with("glpat-", 20)),
    Form("npm_token", _EASY, _with("npm_", 36)),
    Form("npm_token", _HARD, _with("npm_", 36), "//registry.npmjs.org/:_authToken={}"),
    Form("pypi_token", _EASY, _with("pypi-AgE" + "IcHlwaS5vcmc", 120, ALNUM + "_-")),
    Form("stripe_api_key", _EASY, _with("sk_live_", 24)),
    Form("stripe_api_key", _HARD, _with("rk_live_", 99)),
    Form("sendgrid_api_key", _EASY, lambda r: f"SG.{token(r, 22)}.{token(r, 43)}"),
    Form("twilio_api_key", _EASY, _with("SK", 32, HEX)),
    Form("telegram_bot_token", _EASY, lambda r: f"{digits(r, 10)}:AA{token(r, 33)}"),
    Form("private_key", _EASY, lambda r: pem(r, "PRIVATE KEY")),
    Form("private_key", _HARD, lambda r: pem(r, "ENCRYPTED PRIVATE KEY")),
    Form("private_key", _HARD, lambda r: pem(r, "RSA PRIVATE KEY", "\\n")),
    Form("private_key", _HARD, lambda r: pem(r, "EC PRIVATE KEY", is_whole=False), "{}#"),
    Form("openssh_private_key", _EASY, lambda r: pem(r, "OPENSSH PRIVATE KEY")),
    Form("pgp_private_key", _EASY, lambda r: pem(r, "PGP PRIVATE KEY BLOCK")),
    Form(
        "gcp_service_account",
        _EASY,
        lambda r: pem(r, "PRIVATE KEY", "\\n"),
        '{{"type": "service_account", "private_key": "{}\\n"}}',
    ),
    Form("bearer_token", _EASY, _with("", 40), "Authorization: Bearer {}"),
    Form("bearer_token", _HARD, _with("", 40), '-H "authorization: bearer {}"'),
    Form("url_credentials", _EASY, password, "postgres://app:{}@db.example.com:5432/main"),
    Form("url_credentials", _HARD, _with("", 14), "mongodb+srv://app:{}@cluster0.example.net"),
    Form("url_credentials", _HARD, _with("", 14), "redis://:{}@10.0.0.3:6379/0"),
    Form("basic_auth", _EASY, lambda r: _basic(r), "Authorization: Basic {}"),
    Form("password", _EASY, password, "password={}"),
    Form("password", _HARD, password, '"DB_PASSWORD": "{}",'),
    Form("password", _HARD, password, "Password: {}\n"),
    Form("generic_secret", _EASY, _with("", 40), 'api_key = "{}"'),
    Form("generic_secret", _HARD, _with("", 40, HEX), "CLIENT_SECRET={}"),
)


def bsn_check(body: str) -> str:
    """Return the check digit of a Dutch citizen service number; two digits mean there is none."""
    rest = sum((9 - i) * int(n) for i, n in enumerate(body)) % 11
    return str(rest) if rest < 10 and bsn.is_valid(body + str(rest)) else "x"


def _basic(rng: random.Random) -> str:
    return base64.b64encode(f"{token(rng, 5)}:{password(rng)}".encode()).decode()


NEGATIVES: dict[str, Maker] = {
    "part number": lambda r: f"part {token(r, 4, UPPER)}-{digits(r, 6)}",
    "part number, plain": lambda r: (
        f"part no. {token(r, 2, UPPER)}{digits(r, 6)}{token(r, 1, 'XYZ')}"
    ),
    "millisecond stamp": lambda r: f"at {r.randint(1_500_000_000_000, 1_800_000_000_000)}",
    "second stamp": lambda r: f"time={r.randint(1_500_000_000, 1_800_000_000)}",
    "version": lambda r: (
        f"v{r.randint(1, 20)}.{r.randint(0, 20)}.{r.randint(0, 9999)}-rc{r.randint(1, 9)}"
    ),
    "version of four": lambda r: (
        f"version {r.randint(1, 20)}.{r.randint(0, 20)}.{r.randint(0, 200)}.{r.randint(0, 9)}"
    ),
    "browser": lambda r: (
        f"Chrome/{r.randint(90, 140)}.0.{r.randint(1000, 9999)}.{r.randint(10, 200)}"
    ),
    "sha256": lambda r: f"sha256 {token(r, 64, HEX)}",
    "git sha": lambda r: f"commit {token(r, 40, HEX)}",
    "md5": lambda r: f"md5: {token(r, 32, HEX)}",
    "uuid": lambda r: str(uuid.UUID(int=r.getrandbits(128), version=4)),
    "isbn": lambda r: f"ISBN 978-{r.randint(0, 9)}-{digits(r, 4)}-{digits(r, 4)}-{r.randint(0, 9)}",
    "isbn, plain": lambda r: f"ISBN 978{digits(r, 10)}",
    "order number": lambda r: f"order {digits(r, r.randint(8, 16))}",
    "invoice number": lambda r: f"invoice no. {r.randint(2018, 2026)}-{digits(r, 6)}",
    "imei": lambda r: f"IMEI 35{digits(r, 13)}",
    "css class": lambda r: f"class sk-{r.choice(WORDS)}-{r.choice(WORDS)}-label-{r.randint(1, 99)}",
    "package": lambda r: (
        f"npm i @{token(r, 6, LOWER)}/{token(r, 7, LOWER)}@{r.randint(1, 20)}.4.{r.randint(0, 30)}"
    ),
    "image file": lambda r: f"{token(r, 6, LOWER)}@2x.png",
    "range": lambda r: f"{r.randint(100, 999)}-{r.randint(100, 999)} to {r.randint(1000, 9999)}",
    "iso date": lambda r: birth(r, "{y}-{m:02d}-{d:02d}T10:30:00.123456+0100"),
    "short date": lambda r: birth(r, "{d:02d}.{m:02d}.{y} 14:30"),
    "price": lambda r: f"{r.randint(1, 999)}.{r.randint(100, 999)}.{r.randint(100, 999)},00 EUR",
    "spaced number": lambda r: (
        f"{r.randint(1, 999)} {r.randint(100, 999)} {r.randint(100, 999)} people"
    ),
    "coordinates": lambda r: f"{r.uniform(-90, 90):.7f}, {r.uniform(-180, 180):.7f}",
    "base64 blob": lambda r: f"data:image/png;base64,{token(r, 200, ALNUM + '+/')}==",
    "private ip": lambda r: f"192.168.{r.randint(0, 255)}.{r.randint(0, 255)}:8080",
    "wrong card": lambda r: grouped((n := card(r))[:-1] + str((int(n[-1]) + 1) % 10), 4, " "),
    "wrong iban": lambda r: (n := iban(r))[:-1] + str((int(n[-1]) + 1) % 10),
    "placeholder": lambda r: r.choice(
        [
            *('password="<your password>"', "password=your_password", "PASSWORD=${DB_PASSWORD}"),
            *("password = os.environ['PW']", "api_key=YOUR_API_KEY_GOES_HERE_PLEASE"),
            *("http://user:password@host/", "Authorization: Bearer <token>", "passwd: ********"),
            *("password = getpass.getpass()", "password: str = Field(min_length=8)"),
        ]
    ),
    "integrity": lambda r: f"sha512-{token(r, 86, ALNUM + '+/')}==",
    "phone-like sku": lambda r: f"SKU {digits(r, 3)}-{digits(r, 4)}-{digits(r, 3)}",
    "url": lambda r: (
        f"https://example.com/{token(r, 8, LOWER)}/{digits(r, 9)}?page={r.randint(1, 99)}"
    ),
    "decimal": lambda r: f"{r.random():.16f}",
    "bracketed": lambda r: f"array[at] index ({r.randint(100, 999)}) of [{digits(r, 6)}]",
    "mac": lambda r: ":".join(token(r, 2, HEX) for _ in range(6)),
    "time span": lambda r: f"{r.randint(10, 23)}:{r.randint(10, 59)}:{r.randint(10, 59)}",
}


def planted(seed: int, each: int) -> Iterator[Plant]:
    """Yield every form and every negative so many times, each in prose of its own."""
    rng = random.Random(seed)
    names = list(NEGATIVES)
    for number, form in enumerate(FORMS):
        for _ in range(each):
            value = form.make(rng)
            before, after = form.around.format("\0").split("\0")
            head = f"{prose(rng, 6)} {NEGATIVES[rng.choice(names)](rng)}; {prose(rng, 3)} {before}"
            tail = f"{after} {prose(rng, 4)}"
            yield Plant(
                head + value + tail,
                form.kind,
                len(head),
                len(head) + len(value),
                form.is_hard,
                number,
            )
    for number, make in enumerate(NEGATIVES.values()):
        for _ in range(each):
            head = prose(rng, 6) + " "
            value = make(rng)
            text = f"{head}{value}, {prose(rng, 4)}"
            yield Plant(text, None, len(head), len(head) + len(value), False, number)
