"""Published shapes of credentials.

Source: the vendors' documentation of their token formats, GitHub's list of supported secret
scanning patterns, and the rules of gitleaks (MIT licence).
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["SHAPES", "SHORT_SHAPES", "Shape"]


def _looks_random(token: str) -> bool:
    """Tell a key from a name: digits and letters, at least 3 bits a character (Shannon)."""
    if not any(c.isdigit() for c in token) or not any(c.isalpha() for c in token):
        return False
    size = len(token)
    return -sum(n / size * math.log2(n / size) for n in Counter(token).values()) >= 3.0


def _has_digit(token: str) -> bool:
    return any(c.isdigit() for c in token)


def _always(_token: str) -> bool:
    return True


def _is_jwt(token: str) -> bool:
    header = token.partition(".")[0]
    try:
        document = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "alg" in document


def _is_basic(token: str) -> bool:
    try:
        return b":" in base64.b64decode(token + "=" * (-len(token) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False


_STAND_IN = re.compile(
    r"(?i)(?:your|my|the|some|a|new|old|enter|insert|example|sample|change|replace|dummy|test_?)?"
    r"[_\-. ]?(?:pass(?:word|wd|phrase)?|pwd|pw|secret|token|key|here|me|value|string|redacted)"
    r"(?:[_\-. ]?(?:here|value|hash|field|input|[0-9]{0,2}))?[!.]?|[x*.#\-_]+|null|none|true|false"
)


def _is_password(value: str) -> bool:
    """Tell a password from a word, a variable or a stand-in for one."""
    kinds = (
        any(c.isdigit() for c in value),
        any(c.isalpha() for c in value),
        any(not c.isalnum() for c in value),
    )
    return sum(kinds) >= 2 and len(set(value)) >= 5 and not _STAND_IN.fullmatch(value)


def _is_assigned_password(value: str) -> bool:
    # Words joined by signs are code or prose: "user.password", "at-least-eight-characters".
    return _has_digit(value) and _is_password(value)


def _is_told_password(value: str) -> bool:
    # In prose the next word may be "base64-encoded" or "SHA256".
    mixed = value.lower() != value != value.upper() and "-" not in value
    return mixed and _is_assigned_password(value)


def _is_url_password(value: str) -> bool:
    return len(set(value)) >= 3 and not _STAND_IN.fullmatch(value)


class Shape(NamedTuple):
    """How a credential looks.

    Attributes:
        kind: Its name in a report.
        needles: One of these is in every match.
        pattern: Group 1 is the credential. A look-behind and bounded repeats keep it linear.
        accept: Says whether what matched is a credential.
        before: What must stand right before the match, where looking for that first is slow.
    """

    kind: str
    needles: tuple[str, ...]
    pattern: str
    accept: Callable[[str], bool] = _always
    before: str = ""


def _prefixed(
    kind: str, prefix: str, body: str, accept: Callable[[str], bool] = _has_digit
) -> Shape:
    pattern = rf"(?<![A-Za-z0-9_])({re.escape(prefix)}{body})(?![A-Za-z0-9_])"
    return Shape(kind, (prefix,), pattern, accept)


_ASSIGN = r"[\"'\\]{0,2}\s{0,3}(?:=>|:=|[=:]{1,2})\s{0,3}[\"'\\]{0,2}"
_PASSWORD_CHAR = r"[^\s\"'`\\<>{}\[\]()$,;|]"
_WORD_CHARS = r"[A-Za-z0-9_\-]"
_HEX = "[0-9a-f]"


def _assigned_password(name: str, needles: tuple[str, ...]) -> Shape:
    # Begins with a literal, which `re` finds fast: "password" is a frequent word.
    pattern = (
        rf"{name}(?:{_ASSIGN}|>)({_PASSWORD_CHAR}{{7,63}}(?!\.){_PASSWORD_CHAR})"
        r"(?![^\s\"'`\\<>,;|&)\]}.])"
    )
    return Shape("password", needles, pattern, _is_assigned_password)


SHAPES: tuple[Shape, ...] = (
    Shape(
        "jwt",
        ("eyJ",),
        r"(?<![A-Za-z0-9_\-])(eyJ[A-Za-z0-9_\-]{8,4096}(?:\.[A-Za-z0-9_\-]{0,8192}){2,4})",
        _is_jwt,
    ),
    Shape(
        "aws_secret_key",
        ("aws", "AWS", "Aws", "ecretAccessKey", "secret_access_key", "SECRET_ACCESS_KEY"),
        r"(?i:aws.?secret.?(?:access.?)?(?:key)?|secret.?access.?key)"
        rf"{_ASSIGN}([A-Za-z0-9/+]{{40}})(?![A-Za-z0-9/+=])",
        _looks_random,
    ),
    Shape(
        "aws_secret_key",
        ("AKIA", "ASIA"),
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}[\"']?[,;:|\s]{1,3}[\"']?"
        r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        _looks_random,
    ),
    Shape(
        "aws_access_key",
        ("AKIA", "ASIA"),
        r"(?<![A-Za-z0-9])((?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])",
    ),
    Shape(
        "github_token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?<![A-Za-z0-9])(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"
        r"(?![A-Za-z0-9_])",
    ),
    Shape(
        "slack_token",
        ("xox", "xapp-"),
        r"(?<![A-Za-z0-9])(xox[abeoprs]-[A-Za-z0-9\-]{16,250}|xapp-[0-9]-[A-Za-z0-9\-]{20,200})"
        r"(?![A-Za-z0-9\-])",
        _has_digit,
    ),
    Shape(
        "slack_webhook",
        ("hooks.slack.com/",),
        r"(?<![A-Za-z0-9])(https://hooks\.slack\.com/(?:services|workflows|triggers)/"
        r"[A-Za-z0-9/_\-]{20,200})",
        _has_digit,
    ),
    Shape(
        "discord_webhook",
        ("/api/webhooks/",),
        r"(https://(?:(?:canary|ptb)\.)?discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/"
        r"[A-Za-z0-9_\-]{60,80})",
    ),
    Shape(
        "anthropic_api_key",
        ("sk-ant-",),
        r"(?<![A-Za-z0-9_\-])(sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_\-]{32,200})(?![A-Za-z0-9_\-])",
    ),
    Shape(
        "openai_api_key",
        ("sk-",),
        r"(?<![A-Za-z0-9_\-])(sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,220}"
        r"|[A-Za-z0-9]{20,220}))(?![A-Za-z0-9_\-])",
        _looks_random,
    ),
    Shape("google_api_key", ("AIza",), r"(?<![A-Za-z0-9])(AIza[A-Za-z0-9_\-]{35})(?![A-Za-z0-9_])"),
    _prefixed("google_oauth_secret", "GOCSPX-", _WORD_CHARS + "{28}", _always),
    _prefixed("google_oauth_token", "ya29.", _WORD_CHARS + "{40,1000}", _looks_random),
    Shape(
        "azure_storage_key",
        ("==",),
        r"(?i:account_?key|storage_?key|shared_?access_?key|azure_storage_key)"
        rf"{_ASSIGN}([A-Za-z0-9+/]{{86}}==)",
    ),
    Shape(
        "azure_sas",
        ("sig=",),
        r"[?&;]sig=([A-Za-z0-9%+/]{43,70}(?:%3[Dd]|=))(?![A-Za-z0-9%])",
        _has_digit,
    ),
    Shape(
        "azure_client_secret",
        ("Q~",),
        r"(?<![A-Za-z0-9_~.\-])([A-Za-z0-9_~.\-]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34})"
        r"(?![A-Za-z0-9_~\-])",
    ),
    Shape(
        "huggingface_token",
        ("hf_", "api_org_"),
        r"(?<![A-Za-z0-9_])((?:hf|api_org)_[A-Za-z0-9]{34,40})(?![A-Za-z0-9_])",
        lambda token: len(set(token)) > 8,
    ),
    Shape(
        "stripe_api_key",
        ("k_live_", "k_test_", "whsec_"),
        r"(?<![A-Za-z0-9])([rs]k_(?:live|test)_[A-Za-z0-9]{16,247}|whsec_[A-Za-z0-9+/]{32,64})"
        r"(?![A-Za-z0-9])",
        _has_digit,
    ),
    Shape(
        "gitlab_token",
        ("glpat-", "gldt-", "glrt-", "glptt-", "glcbt-", "gloas-"),
        r"(?<![A-Za-z0-9])(gl(?:pat|dt|rt|ptt|cbt|oas)-[A-Za-z0-9_\-]{20,64}(?:\.[a-z0-9.]{9,24})?)"
        r"(?![A-Za-z0-9_\-])",
    ),
    _prefixed("npm_token", "npm_", "[A-Za-z0-9]{36}"),
    Shape(
        "pypi_token",
        ("pypi-AgE",),
        r"(?<![A-Za-z0-9])(pypi-AgE[A-Za-z0-9_\-]{50,250})(?![A-Za-z0-9_\-])",
    ),
    Shape(
        "sendgrid_api_key",
        ("SG.",),
        r"(?<![A-Za-z0-9_.\-])(SG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{16,64})(?![A-Za-z0-9_\-])",
        _looks_random,
    ),
    Shape("twilio_api_key", ("SK",), rf"(?<![A-Za-z0-9])(SK{_HEX}{{32}})(?![A-Za-z0-9])"),
    Shape(
        "telegram_bot_token",
        (":AA",),
        r"(?<![0-9A-Za-z])([0-9]{8,10}:AA[A-Za-z0-9_\-]{32,33})(?![A-Za-z0-9_\-])",
    ),
    Shape("mailgun_api_key", ("key-",), rf"(?<![\w\-])(key-{_HEX}{{32}})(?![A-Za-z0-9])"),
    Shape("mailchimp_api_key", ("-us",), rf"(?<!\w)({_HEX}{{32}}-us[0-9]{{1,2}})(?!\w)"),
    Shape(
        "digitalocean_token",
        ("_v1_",),
        rf"(?<![A-Za-z0-9])(do[opr]_v1_{_HEX}{{64}})(?![A-Za-z0-9])",
    ),
    Shape(
        "shopify_token",
        ("shpat_", "shpss_", "shpca_", "shppa_"),
        r"(?<![A-Za-z0-9])(shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32})(?![A-Za-z0-9])",
    ),
    _prefixed("databricks_token", "dapi", _HEX + "{32}(?:-[0-9]{1,2})?", _always),
    _prefixed("docker_token", "dckr_pat_", _WORD_CHARS + "{27}", _always),
    _prefixed("grafana_token", "glsa_", r"[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}", _always),
    _prefixed("vault_token", "hvs.", _WORD_CHARS + "{90,120}"),
    _prefixed("groq_api_key", "gsk_", "[A-Za-z0-9]{48,56}"),
    _prefixed("replicate_token", "r8_", "[A-Za-z0-9]{37}"),
    _prefixed("atlassian_token", "ATATT3", r"[A-Za-z0-9_\-=]{60,260}", _looks_random),
    _prefixed("rubygems_token", "rubygems_", _HEX + "{48}"),
    _prefixed("age_secret_key", "AGE-SECRET-KEY-1", "[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    Shape(
        "bearer_token",
        ("earer ", "EARER "),
        r"(?<![A-Za-z])(?i:bearer) {1,3}([A-Za-z0-9._~+/\-]{20,2048}=*)",
        _looks_random,
    ),
    Shape(
        "generic_secret",
        ("key", "KEY", "Key", "secret", "SECRET", "Secret", "token", "TOKEN", "Token"),
        r"(?<![A-Za-z0-9_\-+/.~])([A-Za-z0-9_\-+/.~]{20,200}=*)(?![A-Za-z0-9_\-+/.~(\[{])",
        lambda value: _looks_random(value) and not _STAND_IN.fullmatch(value),
        r"(?i:api[_\-]?key|secret[_\-]?key|client[_\-]?secret|access[_\-]?token|auth[_\-]?token"
        r"|private[_\-]?token|(?:app|signing|webhook|api)[_\-]?secret|api[_\-]?token)"
        rf"{_ASSIGN}\Z",
    ),
)

# These may be shorter than the twenty characters in a row that all the others have.
SHORT_SHAPES: tuple[Shape, ...] = (
    Shape(
        "url_credentials",
        ("://",),
        r"://(?<=[A-Za-z0-9].{3})[^\s:/@\"'<>\[\]{}$]{0,64}:([^\s:/@\"'<>\[\]{}$]{3,128})@[A-Za-z0-9\[]",
        _is_url_password,
    ),
    Shape(
        "basic_auth",
        ("asic ",),
        r"(?i:authorization)[\"'\\]{0,2}\s{0,3}[:=]\s{0,3}[\"'\\]{0,2}(?i:basic) "
        r"([A-Za-z0-9+/]{8,512}={0,2})",
        _is_basic,
    ),
    _assigned_password("assw(?:or)?d", ("assword", "asswd")),
    _assigned_password("ASSW(?:OR)?D", ("ASSWORD", "ASSWD")),
    _assigned_password("(?i:passphrase|pwd)", ("assphrase", "ASSPHRASE", "pwd", "PWD", "Pwd")),
    Shape(
        "password",
        ("assword is", "assword was"),
        rf"assword (?:is|was):? ({_PASSWORD_CHAR}{{7,63}}(?!\.){_PASSWORD_CHAR})"
        rf"(?!{_PASSWORD_CHAR}{{2}})",
        _is_told_password,
    ),
)
