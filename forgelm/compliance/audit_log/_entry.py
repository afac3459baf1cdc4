"""The bytes of one line: how an entry is encoded, and what is wrong with a line that is not so."""

from __future__ import annotations

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
    "MAX_LINE_BYTES",
    "Entry",
    "encode",
    "read_entry",
    "seal",
]

MAX_LINE_BYTES = 128 * 1024 * 1024
ENVELOPE = ("timestamp", "run_id", "operator", "event", "prev_hash")

BLANK = "it is blank"
INCOMPLETE = "it is incomplete, no newline ends it"
_RE_ENCODED = "its bytes are not the canonical encoding of the entry: it was re-encoded"

KEY_ID = re.compile("[A-Za-z0-9_.-]{1,64}")
_SHA256_HEX = re.compile("[0-9a-f]{64}")


class Entry(NamedTuple):
    """What the chain needs to know of a line."""

    run_id: str
    prev_hash: str
    hmac: str | None
    key_id: str | None


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
    problem = _framing_problem(line)
    if problem:
        return problem
    try:
        body = line[:-1].decode("ascii")
    except UnicodeDecodeError:
        return _encoding_problem(line)
    try:
        return _read_object(body)
    except (ValueError, RecursionError) as error:
        return f"it is not strict JSON ({_short(error)})"


def _framing_problem(line: bytes) -> str | None:
    if len(line) > MAX_LINE_BYTES:
        return f"it is longer than {MAX_LINE_BYTES} bytes"
    if line[-1:] != b"\n":
        return INCOMPLETE
    if line[-2:] == b"\r\n":
        return "it ends in CRLF, where the log has a single newline"
    return BLANK if line.isspace() else None


def _encoding_problem(line: bytes) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"it is not UTF-8 (at byte {error.start} of the line)"
    return f"{_RE_ENCODED} (non-ASCII text is not escaped)"


def _read_object(body: str) -> Entry | str:
    entry, end = _DECODER.raw_decode(body)
    if not isinstance(entry, dict) or end != len(body):
        return "it is not one JSON object"
    problem = _envelope_problem(entry)
    if problem:
        return problem
    if _ENCODER.encode(entry) != body and not _is_canonical(body):
        return _RE_ENCODED
    return Entry(entry["run_id"], entry["prev_hash"], entry.get("_hmac"), _key_id(entry))


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
