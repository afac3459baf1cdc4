"""The bytes of one line: how an entry is encoded, and what is wrong with a line that is not so."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

__all__ = [
    "BLANK",
    "ENVELOPE",
    "INCOMPLETE",
    "KEY_ID",
    "MAX_DEPTH",
    "MAX_FIELDS",
    "MAX_LINE_BYTES",
    "NOT_ONE_OBJECT",
    "NOT_STRICT_JSON",
    "RE_ENCODED",
    "TAG_BYTES",
    "Entry",
    "encode",
    "framing_problem",
    "non_ascii_problem",
    "read_entry",
    "read_object",
    "seal",
]

MAX_LINE_BYTES = 128 * 1024 * 1024
MAX_FIELDS = 32_768  # of the caller; more than a line of one block can have
MAX_DEPTH = 500  # of containers; what Python can parse depends on who calls
ENVELOPE = ("timestamp", "run_id", "operator", "event", "prev_hash")
TAG_BYTES = len(', "_hmac": ""}') + 64  # at the end of a tagged line, its newline aside

BLANK = "it is blank"
INCOMPLETE = "it is incomplete, no newline ends it"
NOT_STRICT_JSON = "it is not strict JSON"
NOT_ONE_OBJECT = "it is not one JSON object"
RE_ENCODED = "its bytes are not the canonical encoding of the entry: it was re-encoded"

KEY_ID = re.compile("[A-Za-z0-9_.-]{1,64}")
_SHA256_HEX = re.compile("[0-9a-f]{64}")
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[][{}]')


class Entry(NamedTuple):
    """What the chain needs to know of a line.

    Attributes:
        run_id: The run it is of.
        prev_hash: What it says the line before hashes to.
        hmac: Its tag.
        key_id: The id of the key of that.
        sha256: Hash of its bytes, newline excluded.
        size_bytes: Their number, newline included.
    """

    run_id: str
    prev_hash: str
    hmac: str | None
    key_id: str | None
    sha256: str = ""
    size_bytes: int = 0


def encode(entry: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes of `entry`, without a newline."""
    return _ENCODER.encode(entry).encode("ascii")


def seal(payload: bytes, name: str, digest: str) -> bytes:
    """Return the JSON object in `payload` with one more key at its end."""
    return payload[:-1] + f', "{name}": "{digest}"}}'.encode("ascii")


def read_entry(line: bytes) -> Entry | str:
    """Return what a line says, or a clause that says why it is no line of an audit log.

    Args:
        line: The raw bytes up to and including the newline.
    """
    problem = framing_problem(len(line), line[-2:], blank=line.isspace())
    if problem:
        return problem
    try:
        body = line[:-1].decode("ascii")
    except UnicodeDecodeError:
        return _encoding_problem(line)
    try:
        found = read_object(body)
    except (ValueError, RecursionError) as error:
        return f"{NOT_STRICT_JSON} ({_short(error)})"
    if isinstance(found, str):
        return found
    return Entry(*found[:4], hashlib.sha256(line[:-1]).hexdigest(), len(line))


def framing_problem(size: int, end: bytes, *, blank: bool) -> str | None:
    """Return what is wrong with the length of a line, its last two bytes or it being blank."""
    if size > MAX_LINE_BYTES:
        return f"it is longer than {MAX_LINE_BYTES} bytes"
    if end[-1:] != b"\n":
        return INCOMPLETE
    if end == b"\r\n":
        return "it ends in CRLF, where the log has a single newline"
    return BLANK if blank else None


def _encoding_problem(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return non_ascii_problem(error.start)
    return non_ascii_problem(None)


def non_ascii_problem(at_byte: int | None) -> str:
    """Return what is wrong with a line that is not ASCII, and not UTF-8 from some byte on."""
    if at_byte is None:
        return f"{RE_ENCODED} (non-ASCII text is not escaped)"
    return f"it is not UTF-8 (at byte {at_byte} of the line)"


def read_object(body: str) -> Entry | str:
    """Return what the JSON text of a line says, its bytes aside, or what is wrong with it.

    Raises:
        ValueError: It is not strict JSON.
        RecursionError: It is nested too deeply.
    """
    entry, end = _DECODER.raw_decode(body)
    if _is_too_deep(body):
        raise RecursionError
    if not isinstance(entry, dict) or end != len(body):
        return NOT_ONE_OBJECT
    problem = _envelope_problem(entry)
    if problem:
        return problem
    if _ENCODER.encode(entry) != body and not _is_canonical(body):
        return RE_ENCODED
    return Entry(entry["run_id"], entry["prev_hash"], entry.get("_hmac"), _key_id(entry))


def _is_too_deep(body: str) -> bool:
    if body.count("{") + body.count("[") <= MAX_DEPTH:
        return False
    steps = {"{": 1, "[": 1, "}": -1, "]": -1}
    brackets = (found[0] for found in _STRING_OR_BRACKET.finditer(body))
    return max(itertools.accumulate(steps.get(each, 0) for each in brackets)) > MAX_DEPTH


def _key_id(entry: dict[str, Any]) -> str | None:
    """Return the `_kid` right before the tag, where there is one."""
    if "_hmac" not in entry or "_kid" not in entry:
        return None
    names, found = list(entry), entry["_kid"]
    named = names[-2] == "_kid" and isinstance(found, str) and KEY_ID.fullmatch(found)
    return found if named else None


def _envelope_problem(entry: dict[str, Any]) -> str | None:
    if tuple(entry)[:5] != ENVELOPE:
        missing = [name for name in ENVELOPE if name not in entry]
        if missing:
            return f"it lacks {', '.join(missing)}"
        return f"its first keys are not {', '.join(ENVELOPE)} in this order"
    for name in ENVELOPE:
        if not isinstance(entry[name], str):
            return f"its {name} is not a string"
    if not _is_utc_time(entry["timestamp"]):
        return "its timestamp is not an ISO-8601 time in UTC (+00:00)"
    if "_hmac" in entry and not _has_tag(entry):
        return "its _hmac is not 64 lower-case hex digits under the last key"
    return None


def _has_tag(entry: dict[str, Any]) -> bool:
    found = entry["_hmac"]
    is_last = next(reversed(entry)) == "_hmac"
    return is_last and isinstance(found, str) and _SHA256_HEX.fullmatch(found) is not None


def _is_utc_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return text.endswith("+00:00")


def _is_canonical(body: str) -> bool:
    """Say whether `body` is canonical when equal keys of an inner object are kept apart.

    `json.dumps` writes `{1: .., "1": ..}` with the same key twice, which a dict cannot hold.
    """
    entry = _PAIRS_DECODER.decode(body)
    return len(entry) == len(entry.items()) and _ENCODER.encode(entry) == body


class _Pairs(dict[str, Any]):
    """A JSON object that keeps equal keys apart; the encoder writes what `items` gives."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _short(error: Exception) -> str:
    """Return why parsing failed, without text of the line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos} of the line"
    return str(error).partition(";")[0]


_ENCODER = json.JSONEncoder(default=str, check_circular=False)
_DECODER = json.JSONDecoder(parse_constant=_reject_constant)
_PAIRS_DECODER = json.JSONDecoder(parse_constant=_reject_constant, object_pairs_hook=_Pairs)
