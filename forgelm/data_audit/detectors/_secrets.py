"""Credentials by their published shapes."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, overload

from forgelm.data_audit.detectors._secret_shapes import SHAPES, SHORT_SHAPES, Shape
from forgelm.data_audit.detectors._spans import (
    Finding,
    KindCounts,
    Rule,
    RuleGroup,
    Span,
    anywhere,
    count,
    find,
    mask,
    plain_counts,
)

__all__ = ["SECRET_KINDS", "detect_secrets", "find_secrets", "mask_secrets"]


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
    *dict.fromkeys(shape.kind for shape in SHAPES),
    "gcp_service_account",
    *_PEM_KINDS,
    *dict.fromkeys(shape.kind for shape in SHORT_SHAPES),
)


_NAME_CHARS = 32


def _shape_rule(shape: Shape) -> Rule:
    pattern, accept, before = re.compile(shape.pattern), shape.accept, re.compile(shape.before)

    def is_named(match: re.Match[str]) -> bool:
        start = match.start(1)
        return before.search(match.string, max(0, start - _NAME_CHARS), start) is not None

    def spans(text: str, start: int, end: int) -> list[Span]:
        return [
            match.span(1)
            for match in pattern.finditer(text, start, end)
            if (not shape.before or is_named(match)) and accept(match[1])
        ]

    return Rule(shape.kind, spans)


def _shape_group(may_match: Callable[[str], bool], shapes: Sequence[Shape]) -> RuleGroup:
    rules = tuple(map(_shape_rule, shapes))
    needles = [
        (needle, rule)
        for shape, rule in zip(shapes, rules, strict=True)
        for needle in shape.needles
    ]

    def select(text: str) -> Iterable[Rule]:
        return dict.fromkeys([rule for needle, rule in needles if needle in text])

    return RuleGroup(anywhere(may_match), rules, select)


def _pem_spans(text: str, wanted: Callable[[str], bool]) -> Iterator[Span]:
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


def _service_account_spans(text: str, _start: int, _end: int) -> Iterator[Span]:
    if '"service_account"' in text or '\\"service_account\\"' in text:
        yield from _pem_spans(text, lambda label: label == "PRIVATE KEY")


# All but the short shapes have 20 characters in a row that are no space.
_TOKEN_TABLE = bytes(
    48 if chr(byte) in string.ascii_letters + string.digits + "_-./+=:%~" else 32
    for byte in range(256)
)
_LONG_TOKEN = b"0" * 20


def _has_long_token(text: str) -> bool:
    return _LONG_TOKEN in text.encode("utf-8", "surrogatepass").translate(_TOKEN_TABLE)


def _has_assignment(text: str) -> bool:
    return ":" in text or "=" in text or "assword" in text


def _pem_rule(kind: str, wanted: Callable[[str], bool]) -> Rule:
    return Rule(kind, lambda text, _start, _end: _pem_spans(text, wanted))


_SECRET_RULES = (
    RuleGroup(
        anywhere(lambda text: _BEGIN in text),
        (
            Rule("gcp_service_account", _service_account_spans),
            *(_pem_rule(kind, wanted) for kind, wanted in _PEM_KINDS.items()),
        ),
    ),
    _shape_group(_has_long_token, SHAPES),
    _shape_group(_has_assignment, SHORT_SHAPES),
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
