"""Each attack on a log, and the verdict it gets: what is wrong and where."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audit_log_page import NAME, write_page_log

from forgelm import AuditLogger, VerifyResult, verify_audit_log

SECRET = "not-a-" + "real-secret"
EVENTS: list[tuple[str, dict[str, Any]]] = [(f"event.{n}", {"n": n}) for n in range(1, 6)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Five events of ours, with manifest and head file; no secret."""
    logger = AuditLogger(tmp_path, "fg-1")
    for name, fields in EVENTS:
        logger.log_event(name, **fields)
    return tmp_path / NAME


@pytest.fixture
def keyed_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, tagged; the secret is in the environment."""
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    logger = AuditLogger(tmp_path, "fg-1")
    for name, fields in EVENTS:
        logger.log_event(name, **fields)
    return tmp_path / NAME


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def _rechained(lines: list[bytes]) -> list[bytes]:
    """Make the hashes fit again, as an attacker without a key can; tags are left as they are."""
    previous, fixed = "genesis", []
    for line in lines:
        entry = json.loads(line) | {"prev_hash": previous}
        raw = json.dumps(entry).encode()
        previous = hashlib.sha256(raw).hexdigest()
        fixed.append(raw + b"\n")
    return fixed


def _edit(line: bytes) -> bytes:
    return re.sub(rb'"n": \d', b'"n": 9', line)


Attack = Callable[[list[bytes]], list[bytes]]

# name -> (what is done to the five lines, line at fault, words of the reason)
ATTACKS: dict[str, tuple[Attack, int | None, str]] = {
    "edit a line": (lambda ls: [*ls[:2], _edit(ls[2]), *ls[3:]], 4, "line 3: that line was edited"),
    "edit the last line": (
        lambda ls: [*ls[:4], _edit(ls[4])],
        5,
        "not the line that the head file",
    ),
    "edit the first line": (lambda ls: [_edit(ls[0]), *ls[1:]], 1, "the manifest pins"),
    "edit and rechain": (
        lambda ls: _rechained([*ls[:2], _edit(ls[2]), *ls[3:]]),
        5,
        "it, or lines before it, were edited",
    ),
    "remove a line": (lambda ls: [*ls[:2], *ls[3:]], 3, "were removed, inserted or reordered"),
    "remove the first line": (lambda ls: ls[1:], 1, "lines before it were removed"),
    "remove the last line": (lambda ls: ls[:4], 5, "1 line was removed at the end"),
    "remove the last two": (lambda ls: ls[:3], 4, "2 lines were removed at the end: the log has 3"),
    "remove and rechain": (lambda ls: _rechained([*ls[:2], *ls[3:]]), 5, "removed at the end"),
    "swap two lines": (lambda ls: [ls[0], ls[2], ls[1], *ls[3:]], 2, "reordered"),
    "repeat a line": (lambda ls: [*ls[:3], ls[2], *ls[3:]], 4, "inserted"),
    "insert and rechain": (
        lambda ls: _rechained([*ls[:2], ls[1], *ls[2:]]),
        5,
        "head file records",
    ),
    "cut within the last line": (lambda ls: [*ls[:4], ls[4][:40]], 5, "the end was cut"),
    "cut the last newline": (lambda ls: [*ls[:4], ls[4][:-1]], 5, "the end was cut"),
    "torn bytes behind": (
        lambda ls: [*ls, ls[4][:40]],
        6,
        "the next AuditLogger will set it aside",
    ),
    "blank line behind": (lambda ls: [*ls, b"\n"], 6, "it is blank"),
    "blank line within": (lambda ls: [*ls[:2], b"  \n", *ls[2:]], 3, "it is blank"),
    "CRLF": (lambda ls: [line[:-1] + b"\r\n" for line in ls], 1, "CRLF"),
    "CRLF at the end": (lambda ls: [*ls[:4], ls[4][:-1] + b"\r\n"], 5, "CRLF"),
    "compact JSON": (
        lambda ls: [*ls[:4], json.dumps(json.loads(ls[4]), separators=(",", ":")).encode() + b"\n"],
        5,
        "re-encoded",
    ),
    "sorted keys": (
        lambda ls: [*ls[:4], json.dumps(json.loads(ls[4]), sort_keys=True).encode() + b"\n"],
        5,
        "its first keys are not timestamp, run_id, operator, event, prev_hash",
    ),
    "an escape more": (
        lambda ls: [*ls[:4], ls[4].replace(b"event.5", b"\\u0065vent.5")],
        5,
        "re-enc",
    ),
    "two keys of one name": (
        lambda ls: [*ls[:4], ls[4].replace(b'"n": 5', b'"n": 5, "run_id": "fg-1"')],
        5,
        "re-encoded",
    ),
    "byte order mark": (lambda ls: [b"\xef\xbb\xbf" + ls[0], *ls[1:]], 1, "non-ASCII text is not"),
    "not UTF-8": (lambda ls: [*ls[:2], b"\xff" + ls[2], *ls[3:]], 3, "not UTF-8 (at byte 0"),
    "not JSON": (lambda ls: [*ls[:2], b"hello\n", *ls[2:]], 3, "not strict JSON"),
    "a list": (lambda ls: [*ls[:2], b"[]\n", *ls[2:]], 3, "not one JSON object"),
    "two objects": (lambda ls: [*ls[:2], ls[2][:-1] + ls[3], ls[4]], 3, "not one JSON object"),
    "NaN": (lambda ls: [*ls[:4], ls[4].replace(b'"n": 5', b'"n": NaN')], 5, "NaN is no JSON value"),
    "NUL bytes": (lambda ls: [*ls, b"\0" * 512], 6, "no newline ends it"),
    "no operator": (lambda ls: [*ls[:1], b'{"timestamp": "x"}\n'], 2, "it lacks run_id, operator"),
    "local time": (lambda ls: [*ls[:4], ls[4].replace(b"+00:00", b"+02:00")], 5, "not an ISO-8601"),
    "number as run_id": (
        lambda ls: [*ls[:4], ls[4].replace(b'"fg-1"', b"1")],
        5,
        "run_id is not a",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_an_unkeyed_log_is_found(log: Path, name: str) -> None:
    attack, line, words = ATTACKS[name]
    log.write_bytes(b"".join(attack(_lines(log))))

    result = verify_audit_log(log)

    assert not result.valid
    assert result.first_invalid_index == line
    assert result.reason is not None
    assert words in result.reason
    if "removed at the end" not in result.reason:
        assert re.match(rf"line {line} \(byte \d+\): ", result.reason)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_a_keyed_log_is_found(keyed_log: Path, name: str) -> None:
    attack, line, _ = ATTACKS[name]
    attacked = attack(_lines(keyed_log))
    assert attacked != _lines(keyed_log)
    keyed_log.write_bytes(b"".join(attacked))
    result = verify_audit_log(keyed_log, require_hmac=True)
    assert not result.valid
    assert result.first_invalid_index is not None
    assert result.first_invalid_index <= (line or 1)


def test_with_a_key_an_edited_line_is_named_itself(keyed_log: Path) -> None:
    lines = _lines(keyed_log)
    keyed_log.write_bytes(b"".join([*lines[:2], _edit(lines[2]), *lines[3:]]))
    result = verify_audit_log(keyed_log)
    assert result.first_invalid_index == 3
    assert result.entries_count == 3
    assert result.entries_checked == 2
    assert "_hmac tag does not match" in str(result.reason)
    assert result.chain_head == hashlib.sha256(lines[1][:-1]).hexdigest()


def test_tags_cannot_be_stripped_from_the_end_on(keyed_log: Path) -> None:
    lines = [json.loads(line) for line in _lines(keyed_log)]
    for entry in lines[2:]:
        del entry["_hmac"]
    keyed_log.write_bytes(b"".join(_rechained([json.dumps(entry).encode() for entry in lines])))
    result = verify_audit_log(keyed_log, hmac_secret="")
    assert (result.valid, result.first_invalid_index) == (False, 3)
    assert "no _hmac tag" in str(result.reason)


@pytest.mark.parametrize("require_hmac", [True, False])
def test_tags_cannot_be_stripped_from_the_whole_log(keyed_log: Path, require_hmac: bool) -> None:
    lines = [json.loads(line) for line in _lines(keyed_log)]
    for entry in lines:
        del entry["_hmac"]
    keyed_log.write_bytes(b"".join(_rechained([json.dumps(entry).encode() for entry in lines])))
    (keyed_log.parent / f"{NAME}.manifest.json").unlink()
    assert not verify_audit_log(keyed_log, require_hmac=require_hmac).valid


def test_an_untagged_line_does_not_pass_where_tags_are_required(tmp_path: Path) -> None:
    path = write_page_log(tmp_path, EVENTS)
    result = verify_audit_log(path, hmac_secret=SECRET, require_hmac=True)
    assert (result.valid, result.first_invalid_index) == (False, 1)
    lenient = verify_audit_log(path, hmac_secret=SECRET)
    assert lenient.valid
    assert "No line carries a tag: the secret proves nothing here." in lenient.notes


def test_another_secret_fails_at_line_1(keyed_log: Path) -> None:
    (keyed_log.parent / f"{NAME}.head").unlink()
    result = verify_audit_log(keyed_log, hmac_secret="another")
    assert (result.valid, result.first_invalid_index) == (False, 1)
    assert "the secret is another one" in str(result.reason)


def test_requiring_tags_without_a_secret_never_passes(log: Path) -> None:
    result = verify_audit_log(log, hmac_secret=None, require_hmac=True)
    assert not result.valid
    assert "pass hmac_secret= or set FORGELM_AUDIT_SECRET" in str(result.reason)


def test_without_a_secret_the_chain_is_checked_and_the_tags_are_said_not_to_be(
    keyed_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORGELM_AUDIT_SECRET")
    result = verify_audit_log(keyed_log)
    assert result.valid
    assert result.notes == ("The tags were not checked: no secret was given.",)


@pytest.mark.parametrize("keyed", [True, False])
def test_a_head_file_forged_without_the_secret_is_found(keyed_log: Path, keyed: bool) -> None:
    """The last lines are cut and a head file without a MAC is made to fit."""
    kept = _lines(keyed_log)[:3]
    keyed_log.write_bytes(b"".join(kept))
    head = keyed_log.parent / f"{NAME}.head"
    slot = json.loads(head.read_bytes()[:4096]) | {
        "entries": 3,
        "size_bytes": len(b"".join(kept)),
        "last_line_bytes": len(kept[-1]),
        "chain_head": hashlib.sha256(kept[-1][:-1]).hexdigest(),
        "keyed": keyed,
    }
    del slot["hmac"], slot["sha256"]
    slot["sha256"] = hashlib.sha256(json.dumps(slot).encode()).hexdigest()
    head.write_bytes((json.dumps(slot).encode().ljust(4095) + b"\n") * 2)
    result = verify_audit_log(keyed_log)
    assert not result.valid
    assert ("carries no MAC" if keyed else "the head file records none") in str(result.reason)


@pytest.mark.parametrize("slot", [0, 1])
def test_spoiling_one_slot_of_the_head_file_hides_no_removed_line(log: Path, slot: int) -> None:
    head = log.parent / f"{NAME}.head"
    content = bytearray(head.read_bytes())
    content[slot * 4096 : slot * 4096 + 8] = bytes(8)
    head.write_bytes(content)
    assert verify_audit_log(log).valid
    log.write_bytes(b"".join(_lines(log)[:4]))
    result = verify_audit_log(log)
    assert (result.valid, result.first_invalid_index) == (False, 5)


def test_a_spoiled_head_file_is_a_finding(log: Path) -> None:
    (log.parent / f"{NAME}.head").write_bytes(b"x" * 8192)
    result = verify_audit_log(log)
    assert result == VerifyResult(False, 0, None, result.reason)
    assert "neither of its two slots is whole" in str(result.reason)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b"[" * 60_000, b'{"first_entry_sha256": 1}']
)
def test_a_spoiled_manifest_is_a_finding(log: Path, content: bytes) -> None:
    (log.parent / f"{NAME}.manifest.json").write_bytes(content)
    result = verify_audit_log(log)
    assert not result.valid
    assert "manifest" in str(result.reason)


@pytest.mark.parametrize("name", ["head", "manifest.json"])
def test_a_missing_side_file_is_noted_and_a_link_in_its_place_is_a_finding(
    log: Path, name: str
) -> None:
    side = log.parent / f"{NAME}.{name}"
    moved = side.rename(log.parent / "elsewhere")
    result = verify_audit_log(log)
    assert result.valid
    assert result.anchored is (name != "head")
    assert len(result.notes) == 1
    side.symlink_to(moved)
    result = verify_audit_log(log)
    assert not result.valid
    assert "symbolic link" in str(result.reason)


def test_a_log_deleted_from_beside_its_side_files_is_called_deleted(log: Path) -> None:
    log.unlink()
    result = verify_audit_log(log)
    assert result == VerifyResult(False, 0, None, result.reason)
    assert "its lines were deleted" in str(result.reason)
    log.touch()
    assert "its lines were deleted" in str(verify_audit_log(log).reason)


@pytest.mark.parametrize("path", ["no/such/log.jsonl", "a\0b", ""])
def test_a_missing_log_is_a_verdict(tmp_path: Path, path: str) -> None:
    result = verify_audit_log(str(tmp_path / path) if path else "missing.jsonl")
    assert result == VerifyResult(False, 0, None, result.reason)
    assert result.reason


def test_an_empty_log_is_a_verdict(tmp_path: Path) -> None:
    (tmp_path / NAME).touch()
    assert verify_audit_log(tmp_path / NAME).reason == f"{tmp_path / NAME} is empty"


def test_what_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        verify_audit_log(tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        verify_audit_log("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        verify_audit_log(tmp_path / "pipe")
