"""Seeded texts with planted truth: easy forms, hard forms and hard negatives of every kind.

The forms follow the issuers' public documentation of how the numbers and tokens are written
(ISO 13616 for IBAN, ITU-T E.123 for telephone numbers, vendors' pages on their token formats), not
the detectors. Everything is made up at random; nothing was ever issued.
"""

from __future__ import annotations

import random
import string
import uuid
from collections.abc import Iterator
from typing import NamedTuple

from audit_values import (
    ALNUM,
    HEX,
    LOWER,
    UPPER,
    WORDS,
    Maker,
    american,
    amex,
    basic,
    belgian,
    birth,
    brazilian,
    bsn_check,
    card,
    checked,
    digits,
    finnish,
    foreigner,
    french,
    german,
    grouped,
    hyphenated,
    iban,
    indian,
    italian,
    jwt,
    nino,
    password,
    pem,
    polish,
    prefixed,
    prose,
    public_ip,
    spaced_french,
    spaced_german,
    spanish,
    swedish,
    swiss,
    telephone,
    token,
    turkish,
)
from phonenumbers import PhoneNumberFormat
from stdnum.br import cpf

__all__ = ["FORMS", "NEGATIVES", "Form", "Plant", "planted"]


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
    Form(
        "aws_secret_key", _HARD, prefixed("", 40, ALNUM + "/+"), "export AWS_SECRET_ACCESS_KEY='{}'"
    ),
    Form("aws_secret_key", _HARD, prefixed("", 40, ALNUM + "/+"), "aws.secretKey: {}"),
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
    Form("bearer_token", _HARD, prefixed("", 40), '{{"Authorization": "Bearer {}"}}'),
    Form("generic_secret", _HARD, prefixed("", 32), "x-api-key: {}"),
    Form("generic_secret", _HARD, prefixed("", 32), '{{"auth_token":"{}"}}'),
    Form("url_credentials", _HARD, password, "https://bot:{}@git.example.com/a/b.git"),
    Form("url_credentials", _HARD, prefixed("", 12), "jdbc:postgresql://app:{}@db:5432/x"),
    Form("slack_token", _HARD, lambda r: f"xoxe.xoxp-1-{token(r, 40)}"),
    Form("github_token", _HARD, prefixed("gho_", 36), "https://{}@github.com/a/b"),
    Form("google_api_key", _HARD, prefixed("AIza", 35), "apiKey: '{}',"),
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
    Form("aws_access_key", _EASY, prefixed("AKIA", 16, UPPER)),
    Form("aws_access_key", _HARD, prefixed("ASIA", 16, UPPER), '"key":"{}"'),
    Form("aws_secret_key", _EASY, prefixed("", 40, ALNUM + "/+"), "aws_secret_access_key = {}"),
    Form("aws_secret_key", _HARD, prefixed("", 40, ALNUM + "/+"), '"SecretAccessKey": "{}"'),
    Form("github_token", _EASY, prefixed("ghp_", 36)),
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
    Form("openai_api_key", _EASY, prefixed("sk-", 48)),
    Form("openai_api_key", _HARD, prefixed("sk-proj-", 100)),
    Form("anthropic_api_key", _EASY, prefixed("sk-ant-api03-", 93, ALNUM + "_-")),
    Form("google_api_key", _EASY, prefixed("AIza", 35)),
    Form("google_api_key", _HARD, prefixed("AIza", 35, ALNUM + "_-"), "?key={}&v=1"),
    Form("huggingface_token", _EASY, prefixed("hf_", 34)),
    Form("huggingface_token", _HARD, prefixed("hf_", 34, string.ascii_letters), "HF_TOKEN={}"),
    Form("jwt", _EASY, jwt),
    Form("jwt", _HARD, jwt, "Authorization: Bearer {}"),
    Form("azure_storage_key", _EASY, lambda r: token(r, 86) + "==", "AccountKey={}"),
    Form("azure_storage_key", _HARD, lambda r: token(r, 86) + "==", '"account_key": "{}"'),
    Form("azure_sas", _EASY, lambda r: f"{token(r, 42)}1%3D", "?sv=2022-11-02&se=2030&sig={}&sp=r"),
    Form("gitlab_token", _EASY, prefixed("glpat-", 20)),
    Form("npm_token", _EASY, prefixed("npm_", 36)),
    Form("npm_token", _HARD, prefixed("npm_", 36), "//registry.npmjs.org/:_authToken={}"),
    Form("pypi_token", _EASY, prefixed("pypi-AgE" + "IcHlwaS5vcmc", 120, ALNUM + "_-")),
    Form("stripe_api_key", _EASY, prefixed("sk_live_", 24)),
    Form("stripe_api_key", _HARD, prefixed("rk_live_", 99)),
    Form("sendgrid_api_key", _EASY, lambda r: f"SG.{token(r, 22)}.{token(r, 43)}"),
    Form("twilio_api_key", _EASY, prefixed("SK", 32, HEX)),
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
    Form("bearer_token", _EASY, prefixed("", 40), "Authorization: Bearer {}"),
    Form("bearer_token", _HARD, prefixed("", 40), '-H "authorization: bearer {}"'),
    Form("url_credentials", _EASY, password, "postgres://app:{}@db.example.com:5432/main"),
    Form("url_credentials", _HARD, prefixed("", 14), "mongodb+srv://app:{}@cluster0.example.net"),
    Form("url_credentials", _HARD, prefixed("", 14), "redis://:{}@10.0.0.3:6379/0"),
    Form("basic_auth", _EASY, lambda r: basic(r), "Authorization: Basic {}"),
    Form("password", _EASY, password, "password={}"),
    Form("password", _HARD, password, '"DB_PASSWORD": "{}",'),
    Form("password", _HARD, password, "Password: {}\n"),
    Form("generic_secret", _EASY, prefixed("", 40), 'api_key = "{}"'),
    Form("generic_secret", _HARD, prefixed("", 40, HEX), "CLIENT_SECRET={}"),
)


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
