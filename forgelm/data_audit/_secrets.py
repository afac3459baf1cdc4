"""Credentials by their published shapes."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, overload

from forgelm.data_audit._spans import (
    Finding,
    KindCounts,
    Rule,
    RuleGroup,
    count,
    find,
    mask,
    plain_counts,
)

__all__ = ["SECRET_KINDS", "detect_secrets", "find_secrets", "mask_secrets"]


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


class _Shape(NamedTuple):
    kind: str
    needles: tuple[str, ...]  # one of these is in every match
    pattern: str  # group 1 is the credential
    accept: Callable[[str], bool] = _always


# A bounded repeat and a look-behind each: linear on runs such as "-eyJhbGc-eyJhbGc".
_SHAPES = (
    _Shape(
        "jwt",
        ("eyJ",),
        r"(?<![A-Za-z0-9_\-])(eyJ[A-Za-z0-9_\-]{8,4096}(?:\.[A-Za-z0-9_\-]{0,8192}){2,4})",
        _is_jwt,
    ),
    _Shape(
        "aws_access_key",
        ("AKIA", "ASIA"),
        r"(?<![A-Za-z0-9])((?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])",
    ),
    _Shape(
        "aws_secret_key",
        ("aws", "AWS", "Aws", "SecretAccessKey", "secret_access_key"),
        r"(?i:aws_?secret_?(?:access_?)?key|secret_?access_?key)[\"'\\]{0,2}\s{0,3}[=:]{1,2}\s{0,3}"
        r"[\"'\\]{0,2}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        _looks_random,
    ),
    _Shape(
        "github_token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        r"(?<![A-Za-z0-9])(gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"
        r"(?![A-Za-z0-9_])",
    ),
    _Shape(
        "slack_token",
        ("xox",),
        r"(?<![A-Za-z0-9])(xox[abeoprs]-[A-Za-z0-9\-]{16,250})(?![A-Za-z0-9\-])",
        _has_digit,
    ),
    _Shape(
        "slack_webhook",
        ("hooks.slack.com/",),
        r"(?<![A-Za-z0-9])(https://hooks\.slack\.com/(?:services|workflows|triggers)/"
        r"[A-Za-z0-9/_\-]{20,200})",
        _has_digit,
    ),
    _Shape(
        "anthropic_api_key",
        ("sk-ant-",),
        r"(?<![A-Za-z0-9_\-])(sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_\-]{32,200})(?![A-Za-z0-9_\-])",
    ),
    _Shape(
        "openai_api_key",
        ("sk-",),
        r"(?<![A-Za-z0-9_\-])(sk-(?:(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,220}"
        r"|[A-Za-z0-9]{20,220}))(?![A-Za-z0-9_\-])",
        _looks_random,
    ),
    _Shape(
        "google_api_key", ("AIza",), r"(?<![A-Za-z0-9])(AIza[A-Za-z0-9_\-]{35})(?![A-Za-z0-9_])"
    ),
    _Shape(
        "azure_storage_key",
        ("==",),
        r"(?i:account_?key|storage_?key|shared_?access_?key|azure_storage_key)[\"'\\]{0,2}"
        r"\s{0,3}[=:]\s{0,3}[\"'\\]{0,2}([A-Za-z0-9+/]{86}==)",
    ),
    _Shape(
        "huggingface_token",
        ("hf_",),
        r"(?<![A-Za-z0-9_])(hf_[A-Za-z0-9]{34,40})(?![A-Za-z0-9_])",
        lambda token: len(set(token)) > 8,
    ),
    _Shape(
        "stripe_api_key",
        ("k_live_", "k_test_"),
        r"(?<![A-Za-z0-9])([rs]k_(?:live|test)_[A-Za-z0-9]{16,247})(?![A-Za-z0-9])",
        _has_digit,
    ),
    _Shape(
        "gitlab_token",
        ("glpat-",),
        r"(?<![A-Za-z0-9])(glpat-[A-Za-z0-9_\-]{20,64})(?![A-Za-z0-9_\-])",
    ),
    _Shape(
        "npm_token",
        ("npm_",),
        r"(?<![A-Za-z0-9_])(npm_[A-Za-z0-9]{36})(?![A-Za-z0-9_])",
        _has_digit,
    ),
    _Shape(
        "pypi_token",
        ("pypi-AgE",),
        r"(?<![A-Za-z0-9])(pypi-AgE[A-Za-z0-9_\-]{50,250})(?![A-Za-z0-9_\-])",
    ),
)

_BEGIN = "-----BEGIN "
_KEY_LABEL = re.compile(r"-----BEGIN ((?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?)-----")
_KEY_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s\\,:.]|-(?!----))+")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/]{16}")
_PEM_KINDS = {
    "openssh_private_key": lambda label: label == "OPENSSH PRIVATE KEY",
    "pgp_private_key": lambda label: label == "PGP PRIVATE KEY BLOCK",
    "private_key": lambda label: label not in ("OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
}
SECRET_KINDS: tuple[str, ...] = (
    *(shape.kind for shape in _SHAPES),
    "gcp_service_account",
    *_PEM_KINDS,
)


def _shape_rule(shape: _Shape) -> Rule:
    pattern, accept, needles = re.compile(shape.pattern), shape.accept, shape.needles

    def spans(text: str) -> Iterator[tuple[int, int]]:
        if any(needle in text for needle in needles):
            for match in pattern.finditer(text):
                if accept(match[1]):
                    yield match.span(1)

    return Rule(shape.kind, spans)


def _pem_spans(text: str, wanted: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    # Each BEGIN looks for its END only as far as the next BEGIN: linear even for a million of them.
    for match in _KEY_LABEL.finditer(text):
        label = match[1]
        if not wanted(label):
            continue
        limit = text.find(_BEGIN, match.end())
        closing = f"-----END {label}-----"
        end = text.find(closing, match.end(), limit if limit >= 0 else len(text))
        body = _KEY_BODY.match(text, match.end())
        if end >= 0:
            yield match.start(), end + len(closing)
        elif body and _BASE64_RUN.search(body[0]):
            yield match.start(), body.end()


def _service_account_spans(text: str) -> Iterator[tuple[int, int]]:
    if '"service_account"' in text or '\\"service_account\\"' in text:
        yield from _pem_spans(text, lambda label: label == "PRIVATE KEY")


# Every shape has 20 characters in a row that are no space: one pass over the bytes tells.
_TOKEN_TABLE = bytes(
    48 if chr(byte) in string.ascii_letters + string.digits + "_-./+=" else 32
    for byte in range(256)
)
_LONG_TOKEN = b"0" * 20


def _has_long_token(text: str) -> bool:
    return _LONG_TOKEN in text.encode("utf-8", "surrogatepass").translate(_TOKEN_TABLE)


def _pem_rule(kind: str, wanted: Callable[[str], bool]) -> Rule:
    return Rule(kind, lambda text: _pem_spans(text, wanted))


_SECRET_RULES = (
    RuleGroup(
        lambda text: _BEGIN in text,
        (
            Rule("gcp_service_account", _service_account_spans),
            *(_pem_rule(kind, wanted) for kind, wanted in _PEM_KINDS.items()),
        ),
    ),
    RuleGroup(_has_long_token, tuple(_shape_rule(shape) for shape in _SHAPES)),
)


def find_secrets(text: str) -> list[Finding]:
    """Return every credential in `text`: its kind and its span, in order."""
    return find(text, _SECRET_RULES)


def detect_secrets(text: str) -> KindCounts:
    """Count the credentials in `text` by kind.

    Returns:
        A dict, equal to a plain one. Its keys also carry `.kind`, `.span` (the first place) and
        `.spans` (all places).
    """
    return count(find_secrets(text))


@overload
def mask_secrets(
    text: str, replacement: str = ..., *, return_counts: Literal[False] = ...
) -> str: ...
@overload
def mask_secrets(
    text: str, replacement: str = ..., *, return_counts: Literal[True]
) -> tuple[str, dict[str, int]]: ...
def mask_secrets(
    text: str, replacement: str = "[REDACTED-SECRET]", *, return_counts: bool = False
) -> str | tuple[str, dict[str, int]]:
    """Return `text` with credentials replaced; anything that is not a `str` comes back as it is.

    Args:
        text: Any text.
        replacement: What stands in for each finding.
        return_counts: Also return the counts by kind.
    """
    findings = find_secrets(text)
    masked = mask(text, findings, replacement) if findings else text
    return (masked, plain_counts(count(findings))) if return_counts else masked
