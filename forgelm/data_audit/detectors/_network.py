"""Addresses of people and machines: e-mail and IP."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

from forgelm.data_audit.detectors._spans import Span, words_before

__all__ = [
    "email_spans",
    "hidden_email_spans",
    "ip_v4_spans",
    "ip_v6_spans",
    "may_have_ip_v6",
    "may_hide_email",
]

# Letters of scripts that part words by spaces: taking in others would swallow the words around an
# address in running Chinese or Japanese text.
_LETTERS = "A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ӿ"
_LOCAL = re.compile(rf"[{_LETTERS}0-9._%+\-]*")
_NEVER_LOCAL = frozenset(c for c in map(chr, range(128)) if not c.isalnum() and c not in "._%+-")
_DOMAIN = re.compile(
    rf"@(?:[{_LETTERS}0-9\-]{{1,63}}\.){{1,8}}"
    rf"(?:xn--[A-Za-z0-9\-]{{2,59}}|[{_LETTERS}]{{2,24}})(?![{_LETTERS}0-9])"
)
# Other scripts only where white space or punctuation says where the address begins and ends.
_OTHER = "[^\\x00-\\x7f\\s\u2010-\u206f\u3000-\u303f\uff00-\uffef]"
_OTHER_LABEL = "[^\\x00-\\x2c\\x2e\\x2f\\x3a-\\x7f\\s\u2010-\u206f\u3000-\u303f\uff00-\uffef]"
_OTHER_SCRIPT = re.compile(
    rf"@(?:{_OTHER_LABEL}{{1,63}}[.\u3002]){{1,8}}{_OTHER}{{2,24}}(?![A-Za-z0-9])"
)
_OTHER_LOCAL = re.compile(rf"(?:{_OTHER_LABEL}|[._+]){{1,{65}}}\Z")
_DOT = r" ?(?:\.|[\[({<] ?(?:dot|DOT) ?[\])}>]) ?"
_HIDDEN_AT = re.compile(r"[\[({<] ?(?:at|AT) ?[\])}>]|%40")
_HIDDEN_DOMAIN = re.compile(
    rf" ?[A-Za-z0-9\-]{{1,63}}(?:{_DOT}[A-Za-z0-9\-]{{1,63}}){{0,4}}{_DOT}[A-Za-z]{{2,24}}(?![\w])"
)
_HIDDEN_LOCAL = re.compile(r"[A-Za-z0-9](?<![A-Za-z0-9._%+\-].)[A-Za-z0-9._%+\-]{0,63} ?$")
_USER_INFO = re.compile(r"[^\s/?]*")
_MAX_LOCAL = 64
_FILE_ENDINGS = frozenset(
    (
        *("png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "scss", "less", "js", "jsx"),
        *("ts", "tsx", "json", "html", "xml", "yaml", "yml", "toml", "txt", "pdf", "csv", "exe"),
        *("dll", "jar", "gz"),
    )
)
_V4 = re.compile(
    r"[0-9](?<![\w.\-].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![\w\-]|\.[0-9])(?P<port>:[0-9]{2,5}\b)?"
)
_V6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{4,35}(?![\w:])")
_ADDRESS_WORDS = frozenset(
    (
        *("ip", "ipv4", "address", "addr", "host", "client", "server", "login", "ssh", "ping"),
        *("remote", "peer", "from", "gateway", "connect", "visitor", "adresse", "dirección"),
    )
)
_VERSION_WORDS = frozenset(
    (
        *("v", "version", "versions", "ver", "release", "build", "firmware", "driver", "section"),
        *("oid", "chapter", "update", "upgrade", "agent", "chrome", "firefox", "safari", "nuget"),
    )
)


def email_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the spans of e-mail addresses."""
    past = start
    at = text.find("@", start, end)
    while at >= 0:
        if at > past and text[at - 1] not in _NEVER_LOCAL:
            span = _email_at(text, at, past)
            if span is not None:
                yield span
                past = span[1]
        at = text.find("@", at + 1 if at >= past else past, end)


def _email_at(text: str, at: int, past: int) -> Span | None:
    domain = _DOMAIN.match(text, at)
    if domain is None:
        return _other_script_at(text, at, past)
    # Matching what is before "@" from its end costs the least.
    local = _LOCAL.match(text[max(past, at - _MAX_LOCAL - 1) : at][::-1])
    if local is None or local.end() > _MAX_LOCAL:
        return None
    begin = at - len(local[0].rstrip("._%+-"))
    ending = domain[0].rpartition(".")[2].lower()
    clone_url = text[begin:at] == "git" and text[domain.end() : domain.end() + 1] == ":"
    if begin == at or ending in _FILE_ENDINGS or clone_url or _is_url_password(text, begin):
        return None
    return begin, domain.end()


def _is_url_password(text: str, begin: int) -> bool:
    """Say whether what stands before "@" is the end of the user in `scheme://user:password@host`."""
    scheme = text.rfind("://", max(0, begin - 160), begin)
    return scheme >= 0 and _USER_INFO.fullmatch(text, scheme + 3, begin) is not None


def _other_script_at(text: str, at: int, past: int) -> Span | None:
    domain = _OTHER_SCRIPT.match(text, at)
    if domain is None:
        return None
    local = _OTHER_LOCAL.search(text, max(past, at - _MAX_LOCAL - 1), at)
    begin = local.start() if local else at
    before = text[begin - 1 : begin] if begin else " "
    after = text[domain.end() : domain.end() + 1]
    if not 0 < at - begin <= _MAX_LOCAL or before.isalnum() or after.isalnum():
        return None
    return begin, domain.end()


def may_hide_email(text: str) -> bool:
    """Say whether "@" may be written as a word in brackets or as "%40"."""
    return ("(" in text or "[" in text or "{" in text or "<" in text or "%40" in text) and bool(
        _HIDDEN_AT.search(text)
    )


def hidden_email_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield addresses written like `alice [at] example [dot] com`."""
    past = start
    for sign in _HIDDEN_AT.finditer(text, start, end):
        local = _HIDDEN_LOCAL.search(text, max(past, sign.start() - _MAX_LOCAL - 2), sign.start())
        domain = _HIDDEN_DOMAIN.match(text, sign.end())
        if local and domain:
            yield local.start(), domain.end()
            past = domain.end()


def ip_v4_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield public IPv4 addresses that cannot be taken for a version.

    A port, a word before it, or three parts of two digits and more tell them apart.
    """
    for match in _V4.finditer(text, start, end):
        begin, stop = match.start(), match.end()
        if match["port"]:
            stop -= len(match["port"])
        parts = text[begin:stop].split(".")
        long = sum(len(part) >= 2 for part in parts) >= 3 and len("".join(parts)) >= 8
        if not _is_public(text[begin:stop]):
            continue
        words = words_before(text, begin, 24)
        if _VERSION_WORDS.isdisjoint(words) and (
            long or match["port"] or not _ADDRESS_WORDS.isdisjoint(words)
        ):
            yield begin, stop


def may_have_ip_v6(text: str) -> bool:
    """Say whether `text` has enough colons for an IPv6 address."""
    return text.count(":") >= 4


def ip_v6_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield public IPv6 addresses of at least four written groups."""
    for match in _V6.finditer(text, start, end):
        written = [group for group in match[0].split(":") if group]
        if len(written) >= 4 and _is_public(match[0]):
            yield match.span()


@lru_cache(maxsize=4096)
def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
