"""The quick look at a line says what the slow one says: no byte of it is taken on trust.

Lines are verified twice: as they are, where the quick look may accept them, and with a first field
nested so deeply that it cannot. Both must agree, and agree with the checker made from the page.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from audit_log_page import NAME, page_tag
from audit_log_spellings import ENVELOPE, FIELDS, RUN, SECRET, WHEN, two_lines, with_tag
from hypothesis import example, given, settings
from hypothesis import strategies as st

from forgelm import verify_audit_log

DEEP = b'"deep": {"a": {"b": {"c": {"d": 1}}}}, '


def _lines(fields: bytes, *, keyed: bool, deep: bool, when: bytes = WHEN) -> list[bytes]:
    return two_lines((DEEP if deep else b"") + fields, keyed=keyed, when=when)


def _verdict(folder: Path, lines: list[bytes], *, keyed: bool) -> tuple[bool, int | None]:
    (folder / NAME).write_bytes(b"".join(lines))
    result = verify_audit_log(folder / NAME, hmac_secret=SECRET if keyed else None)
    return result.valid, result.first_invalid_index


def _page_accepts(line: bytes) -> bool:
    """Say what the page says of the bytes of a line: strict JSON, encoded canonically."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("equal keys")
        return dict(pairs)

    try:
        entry = json.loads(line[:-1], parse_constant=refuse, object_pairs_hook=keep)
        return json.dumps(entry).encode() == line[:-1]
    except ValueError:
        return False


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("field", FIELDS)
def test_each_spelling_gets_the_verdict_of_the_slow_look(
    tmp_path: Path, field: str, keyed: bool
) -> None:
    encoded = field.encode("utf-8")
    quick = _lines(encoded, keyed=keyed, deep=False)
    verdict = _verdict(tmp_path, quick, keyed=keyed)
    assert verdict == _verdict(tmp_path, _lines(encoded, keyed=keyed, deep=True), keyed=keyed)
    accepted = _page_accepts(quick[1])
    if verdict[0] and field != '"a": {"b": 1, "b": 1}':
        assert accepted
    if accepted and not field.startswith(('"event', '"_')):
        assert verdict == (True, None)


_CHARACTERS = st.text(
    st.sampled_from('abe_.-+0159 ,:"\\/{}[]ntu\u00e9\x00\x1f\x7f'), min_size=1, max_size=24
)


@settings(max_examples=400, deadline=None)
@given(text=_CHARACTERS, keyed=st.booleans(), as_value=st.booleans())
@example(text='x", "event": "y', keyed=False, as_value=False)
def test_any_text_as_a_field_gets_the_verdict_of_the_slow_look(
    tmp_path_factory: pytest.TempPathFactory, text: str, keyed: bool, as_value: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "plain-lines"
    folder.mkdir(exist_ok=True)
    fields = (f'"v": {text}' if as_value else text).encode("utf-8")
    quick, slow = (_lines(fields, keyed=keyed, deep=deep) for deep in (False, True))
    assert _verdict(folder, quick, keyed=keyed) == _verdict(folder, slow, keyed=keyed)


@settings(max_examples=200, deadline=None)
@given(value=st.floats() | st.integers() | st.text() | st.lists(st.floats(), max_size=3))
def test_any_canonical_value_is_accepted_quick_and_slow(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    folder = tmp_path_factory.getbasetemp() / "plain-lines"
    folder.mkdir(exist_ok=True)
    fields = b'"v": ' + json.dumps(value).encode()
    strict = "NaN" not in fields.decode() and "Infinity" not in fields.decode()
    for deep in (False, True):
        valid = _verdict(folder, _lines(fields, keyed=False, deep=deep), keyed=False)[0]
        assert valid or not strict or isinstance(value, int)


TIMES = {
    "2026-02-28T23:59:59.999999+00:00": True,
    "2026-02-29T00:00:00.000000+00:00": False,
    "2028-02-29T00:00:00.000000+00:00": True,
    "2026-04-31T00:00:00.000000+00:00": False,
    "2026-12-31T00:00:00.000000+00:00": True,
    "2026-13-01T00:00:00.000000+00:00": False,
    "2026-01-02T24:30:00.000000+00:00": False,
    "2026-01-02T03:04:60.000000+00:00": False,
    "0000-01-02T03:04:05.000000+00:00": False,
    "2026-01-02T03:04:05+00:00": True,
    "2026-01-02T03:04:05.000000+01:00": False,
}


@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("deep", [True, False])
def test_a_time_that_does_not_exist_is_found(tmp_path: Path, when: str, deep: bool) -> None:
    lines = _lines(b'"a": 1', keyed=False, deep=deep, when=when.encode())
    assert _verdict(tmp_path, lines, keyed=False)[0] is TIMES[when]


@pytest.mark.parametrize("run", ["fg-1", "a\\\\b", "\\u00e9", "x y"])
def test_the_key_of_a_run_is_derived_from_its_name_however_it_is_escaped(
    tmp_path: Path, run: str
) -> None:
    name = json.loads(f'"{run}"')
    entry = {
        "timestamp": "2026-01-02T03:04:05.000000+00:00",
        "run_id": name,
        "operator": "ci",
        "event": "e",
        "prev_hash": "genesis",
    }
    entry["_hmac"] = page_tag(SECRET, name, entry)
    first = json.dumps(entry).encode()
    second = {**entry, "prev_hash": hashlib.sha256(first).hexdigest()}
    del second["_hmac"]
    second["_hmac"] = page_tag(SECRET, name, second)
    (tmp_path / NAME).write_bytes(first + b"\n" + json.dumps(second).encode() + b"\n")
    assert verify_audit_log(tmp_path / NAME, hmac_secret=SECRET, require_hmac=True).valid
    assert not verify_audit_log(tmp_path / NAME, hmac_secret="other", require_hmac=True).valid


MIXED = [
    {"a": 1},
    {"a": 0.1, "m": {"b": 2}},
    {"a": 0.12345678901234568},
    {"a b": 1},
    {"a": {"x": 1, "a": 2}, "b": [[[[[1]]]]]},
    {"a": "\u00e9, 0.12345678901234567,"},
    {},
]


@settings(max_examples=100, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(MIXED), min_size=1, max_size=30),
    keyed_from=st.integers(0, 40),
    damaged=st.integers(0, 40),
    at=st.integers(0, 400),
)
def test_of_plain_and_other_lines_in_any_order_the_damaged_one_is_found(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: list[dict[str, Any]],
    keyed_from: int,
    damaged: int,
    at: int,
) -> None:
    lines: list[bytes] = []
    for number, fields in enumerate(kinds):
        previous = hashlib.sha256(lines[-1]).hexdigest() if lines else "genesis"
        body = (
            ENVELOPE % (WHEN, RUN, previous.encode()) + json.dumps({**fields, "z": 0})[1:].encode()
        )
        lines.append(with_tag(body) if number >= keyed_from else body)
    path = tmp_path_factory.getbasetemp() / "mixed.jsonl"
    path.write_bytes(b"\n".join([*lines, b""]))
    for secret in (SECRET, None):
        assert verify_audit_log(path, hmac_secret=secret).valid
    if damaged >= len(lines):
        return
    line = lines[damaged]
    at %= len(line)
    lines[damaged] = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
    path.write_bytes(b"\n".join([*lines, b""]))
    # A value that still is one is missed by the last line of a log that no tag protects, or that
    # none does any more: the name of the only tag may be what is damaged.
    protected = damaged > keyed_from or b', "_hmac": "' in lines[damaged]
    unseen = damaged == len(lines) - 1 and not protected
    found = verify_audit_log(path, hmac_secret=SECRET).first_invalid_index
    assert found in (damaged + 1, damaged + 2, None if unseen else damaged + 1)
