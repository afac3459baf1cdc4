"""A line that is read in pieces gets the verdict that a short one gets, in little memory.

A line is read in pieces where it takes more than a block of 256 KiB. The same line is verified
short and with a long text in it, which puts any of its bytes at the end of a piece.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from audit_log_page import NAME, page_lines
from audit_log_spellings import ENVELOPE, FIELDS, RUN, SECRET, WHEN, two_lines, with_tag
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm import AuditLogger, Personal, verify_audit_log
from forgelm.compliance import create_signing_key, sign_checkpoint
from forgelm.compliance.checkpoints import MerkleTree
from forgelm.errors import AuditLogError

PIECE_BYTES = 256 * 1024
INSERTED = [b"", *(bytes([byte]) for byte in b' ,:"\\[]{}0-.1eu/t\t\r\x00\x7f\xc3\xff')]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def _body(fields: bytes, previous: str, pad: int) -> bytes:
    head = ENVELOPE % (WHEN, RUN, previous.encode())
    return head + b'"pad": "' + b"x" * pad + b'", ' + fields + b"}"


def _padding(before_cut: int) -> int:
    """Return how long a text must be for a piece to end that many bytes into the fields."""
    return PIECE_BYTES - len(_body(b"", "0" * 64, 0)) + 1 - before_cut


def _verdict(path: Path, line: bytes, *, keyed: bool) -> tuple[bool, int | None, str | None]:
    first = two_lines(b'"a": 1', keyed=keyed)[0]
    path.write_bytes(first + line)
    result = verify_audit_log(path, hmac_secret=SECRET if keyed else None)
    reason = re.sub(r"JSON \(.*\)|\d+", "", result.reason or "")
    return result.valid, result.first_invalid_index, reason


def _short_and_long(path: Path, fields: bytes, cut: int, *, keyed: bool) -> list[Any]:
    first = two_lines(b'"a": 1', keyed=keyed)[0]
    previous = hashlib.sha256(first[:-1]).hexdigest()
    verdicts = []
    for pad in (1, _padding(cut)):
        body = _body(fields, previous, pad)
        line = (with_tag(body) if keyed else body) + b"\n"
        assert pad == 1 or len(line) > PIECE_BYTES
        verdicts.append(_verdict(path, line, keyed=keyed))
    return verdicts


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("field", FIELDS)
def test_each_spelling_gets_one_verdict_wherever_a_piece_ends(
    tmp_path: Path, field: str, keyed: bool
) -> None:
    fields = field.encode("utf-8")
    for cut in range(0, len(fields) + 1, 1 if len(fields) < 12 else 3):
        short, long = _short_and_long(tmp_path / NAME, fields, cut, keyed=keyed)
        assert short == long, cut


@settings(max_examples=250, deadline=None)
@given(data=st.data(), value=VALUES, keyed=st.booleans(), mutations=st.integers(0, 2))
def test_any_value_spelled_in_any_way_gets_one_verdict(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    value: Any,
    keyed: bool,
    mutations: int,
) -> None:
    spelled = json.dumps(
        value,
        ensure_ascii=data.draw(st.sampled_from([True, True, False])),
        separators=data.draw(st.sampled_from([(", ", ": "), (", ", ": "), (",", ":")])),
    )
    fields = b'"v": ' + spelled.encode("utf-8", "surrogatepass")
    for _ in range(mutations):
        at = data.draw(st.integers(0, len(fields)))
        new = data.draw(st.sampled_from(INSERTED))
        fields = fields[:at] + new + fields[at + data.draw(st.integers(0, 1)) :]
    path = tmp_path_factory.getbasetemp() / "long.jsonl"
    cut = data.draw(st.integers(0, len(fields)))
    short, long = _short_and_long(path, fields.replace(b"\n", b""), cut, keyed=keyed)
    assert short == long


@settings(max_examples=120, deadline=None)
@given(data=st.data(), keyed=st.booleans())
def test_any_byte_of_the_envelope_or_the_end_changed_gets_one_verdict(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, keyed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "envelope.jsonl"
    previous = hashlib.sha256(two_lines(b'"a": 1', keyed=keyed)[0][:-1]).hexdigest()
    head, _, tail = _body(b'"a": [1, {"b": "c"}]', previous, 0).partition(b'"pad": "')
    if keyed:
        tail = with_tag(tail)
    at = data.draw(st.integers(-len(tail), len(head)))
    new = data.draw(st.sampled_from(INSERTED))
    kept = data.draw(st.integers(0, 1))
    verdicts = []
    for pad in (b"x", b"x" * PIECE_BYTES):
        line = head + b'"pad": "' + pad + tail + b"\n"
        edited = line[:at] + new + line[at + 1 - kept :] if at else line
        verdicts.append(_verdict(path, edited, keyed=keyed))
        if not keyed:
            continue
        # The tag is of neither line, so both must say so where nothing else is wrong.
        assert not verdicts[-1][0]
    assert verdicts[0] == verdicts[1]


def test_names_that_differ_or_are_equal_behind_many_characters_are_told_apart(
    tmp_path: Path,
) -> None:
    name = "n" * PIECE_BYTES
    for other, valid in (("m", True), ("", False)):
        fields = f'"{name}": 1, "{name}{other}": 2'.encode()
        line = two_lines(fields, keyed=False)[1]
        assert _verdict(tmp_path / NAME, line, keyed=False)[0] is valid


@pytest.mark.parametrize("where", ["timestamp", "operator", "event", "prev_hash", "run_id"])
def test_a_long_text_in_the_envelope_is_judged_as_it_is(tmp_path: Path, where: str) -> None:
    (line,) = page_lines([("e", {})])
    entry = json.loads(line)
    entry[where] = "x" * 1_000_000
    (tmp_path / NAME).write_bytes(json.dumps(entry).encode() + b"\n")
    assert verify_audit_log(tmp_path / NAME).valid is (where in ("operator", "event", "run_id"))


def test_the_tag_of_a_long_line_is_checked_with_the_key_of_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    monkeypatch.setenv("FORGELM_AUDIT_KEY_ID", "first")
    logger = AuditLogger(tmp_path, "r\u00e9" * 100)
    for text in ("short", "x" * 1_000_000, "short"):
        logger.log_event("e", text=text)
    assert verify_audit_log(logger.path, require_hmac=True).valid
    monkeypatch.delenv("FORGELM_AUDIT_SECRET")
    content = logger.path.read_bytes()
    at = content.index(b"xxxx") + 500_000
    logger.path.write_bytes(content[:at] + b"y" + content[at + 1 :])
    result = verify_audit_log(logger.path, hmac_keys={"first": SECRET})
    assert result.first_invalid_index == 2
    assert "its _hmac tag does not match" in str(result.reason)


def test_what_happened_to_long_lines_is_told(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path)
    for letter in "abcd":
        logger.log_event("e", text=letter * 400_000)
    lines = logger.path.read_bytes().splitlines(keepends=True)
    for order, told in (("0213", "reordered"), ("01123", "it repeats line 2")):
        logger.path.write_bytes(b"".join(lines[int(index)] for index in order))
        assert told in str(verify_audit_log(logger.path).reason)


@pytest.mark.parametrize("before", range(0, 120, 7))
def test_commitments_at_the_end_of_a_piece_are_seen_and_seen_erased(
    tmp_path: Path, before: int
) -> None:
    logger = AuditLogger(tmp_path)
    fields = {"pad": "x" * (PIECE_BYTES - 330 + before), "who": Personal("Ada")}
    logger.log_event("e", **fields)
    assert list(verify_audit_log(logger.path).personal_data.values()) == ["matches"]
    (tmp_path / f"{NAME}.personal.jsonl").unlink()
    (name,) = verify_audit_log(logger.path).personal_data
    for event, state in (("other", "missing"), ("audit.personal_data_erased", "erased")):
        logger.log_event(event, pad="x" * (PIECE_BYTES - 300 + before), commitments=[name])
        assert verify_audit_log(logger.path).personal_data == {name: state}


def test_more_fields_and_deeper_ones_than_a_line_may_have_are_refused(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path / "own")
    fields = {f"field_{number}": number for number in range(32_768)}
    logger.log_event("e", **fields)
    with pytest.raises(AuditLogError, match="at most 32768"):
        logger.log_event("e", more=1, **fields)
    assert verify_audit_log(logger.path).valid
    many = ", ".join(f'"field_{number}": {number}' for number in range(32_780)).encode()
    assert _verdict(tmp_path / NAME, two_lines(many, keyed=False)[1], keyed=False)[0] is False
    for pad in (1, PIECE_BYTES):
        for depth, valid in ((499, True), (500, False), (100_000, False)):
            nested = b'"a": ' + b"[" * (depth - 3) + b"1, [[[2]]]" + b"]" * (depth - 3)
            line = two_lines(b'"pad": "%b", ' % (b"x" * pad) + nested, keyed=False)[1]
            assert _verdict(tmp_path / NAME, line, keyed=False)[0] is valid


HUGE = {
    "text": b'"a": "%b"' % (b"x" * 5_000_000),
    "escapes": b'"a": "%b"' % (b"\\u00e9" * 800_000),
    "texts": b'"a": [%b]' % b", ".join([b'"some text"'] * 100_000),
    "numbers": b'"a": [%b]' % b", ".join([b"0.12345678901234568"] * 100_000),
    "objects": b'"a": [%b]' % b", ".join([b'{"b": {"c": [1, true, null]}}'] * 100_000),
    "digits": b'"a": ' + b"9" * 5_000_000,
    "odd escapes": b'"a": "%b"' % (b"\\/" * 2_500_000),
    "odd numbers": b'"a": [%b]' % b",".join([b"1"] * 2_500_000),
    "spaces": b'"a": ' + b" " * 5_000_000 + b"1",
    "brackets": b'"a": ' + b"[" * 5_000_000,
    "a name": b'"%b": 1' % (b"x" * 5_000_000),
    "quotes": b'"a": [%b]' % b", ".join([b'""'] * 1_000_000),
}


VALID = ("text", "escapes", "texts", "numbers", "objects", "a name", "quotes")


@pytest.mark.parametrize("kind", HUGE)
def test_a_line_of_many_megabytes_takes_few(tmp_path: Path, kind: str) -> None:
    (tmp_path / NAME).write_bytes(b"".join(two_lines(HUGE[kind], keyed=True)))
    verify_audit_log(tmp_path / "none")
    tracemalloc.start()
    try:
        result = verify_audit_log(tmp_path / NAME, hmac_secret=SECRET)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.valid is (kind in VALID)
    assert peak < 4 * 1024 * 1024


def test_checkpoints_of_a_log_with_a_huge_line_take_as_little_memory(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    logger = AuditLogger(tmp_path)
    for _ in range(2):
        logger.log_event("e", text="x" * 5_000_000)
    public = create_signing_key(tmp_path / "key", "acme.example/audit")
    checkpoint = sign_checkpoint(logger.path, tmp_path / "key")
    whole = MerkleTree()
    for line in logger.path.read_bytes().splitlines():
        whole.append(line)
    assert checkpoint.root == base64.b64encode(whole.root()).decode()
    tracemalloc.start()
    try:
        result = verify_audit_log(logger.path, public_key=public)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "The first 2 lines are those that were signed." in result.notes
    assert peak < 4 * 1024 * 1024


def test_a_huge_first_line_is_not_held_to_see_what_it_continues(tmp_path: Path) -> None:
    (line,) = page_lines([("audit.log_continued", {"pad": "x" * 5_000_000})])
    (tmp_path / NAME).write_bytes(line + b"\n")
    result = verify_audit_log(tmp_path / NAME)
    assert "it takes more than 65536 bytes to say what it continues" in str(result.reason)
    (line,) = page_lines([("e", {"inner": {"event": "audit.log_continued"}, "pad": "x" * 500_000})])
    (tmp_path / NAME).write_bytes(line + b"\n")
    assert verify_audit_log(tmp_path / NAME).valid
