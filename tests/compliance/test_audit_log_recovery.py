"""What a logger does with what it finds on the disk: go on, set torn bytes aside, or refuse."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

import pytest
from audit_log_page import NAME, check_by_the_page, write_page_log

from forgelm import AuditLogger, verify_audit_log
from forgelm.errors import AuditLogError

SECRET = "not-a-" + "real-secret"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    logger = AuditLogger(tmp_path, "fg-1")
    for n in (1, 2, 3):
        logger.log_event("step", n=n)
    return tmp_path / NAME


def _events(log: Path) -> list[str]:
    return [entry["event"] for entry in check_by_the_page(log)]


TORN = {
    "half a line": b'{"timestamp": "2026-01-02T03:04:05+00:00", "run',
    "zeros": b"\0" * 700,
    "zeros in the middle of a line": b'{"timestamp": "2026' + b"\0" * 512 + b'", "n": 4}\n',
    "one byte": b"{",
    "an empty line": b"\n",
}


@pytest.mark.parametrize("name", TORN)
@pytest.mark.parametrize("head_file", [True, False])
def test_an_interrupted_write_is_set_aside_and_recorded(
    log: Path, name: str, head_file: bool
) -> None:
    if not head_file:
        log.with_name(f"{NAME}.head").unlink()
    whole = log.read_bytes()
    log.write_bytes(whole + TORN[name])
    assert not verify_audit_log(log).valid

    AuditLogger(log.parent).log_event("next")

    assert _events(log) == ["step", "step", "step", "audit.tail_recovered", "next"]
    recovered = check_by_the_page(log)[3]
    assert recovered["at_byte"] == len(whole)
    assert recovered["torn_bytes"] == len(TORN[name])
    saved = log.with_name(recovered["saved_as"])
    assert saved.read_bytes() == TORN[name]
    assert saved.stat().st_mode & 0o777 == 0o600
    assert recovered["torn_sha256"] == hashlib.sha256(TORN[name]).hexdigest()
    assert verify_audit_log(log).valid


def test_whole_lines_above_a_lagging_head_file_are_kept(log: Path) -> None:
    """As after a power loss: the log was flushed, the head file was not."""
    head = log.with_name(f"{NAME}.head")
    old = head.read_bytes()
    AuditLogger(log.parent).log_event("step", n=4)
    AuditLogger(log.parent).log_event("step", n=5)
    head.write_bytes(old)
    lagging = verify_audit_log(log)
    assert lagging.valid
    assert lagging.notes == ("The lines after line 3 are not in the head file yet.",)
    AuditLogger(log.parent).log_event("step", n=6)
    assert [entry["n"] for entry in check_by_the_page(log)] == [1, 2, 3, 4, 5, 6]
    assert verify_audit_log(log).notes == ()


def _cut(content: bytes) -> bytes:
    return content[: content.index(b"\n") + 1]


DAMAGE = {
    "cut to fewer lines": _cut,
    "cut within a line": lambda content: content[:-20],
    "last line edited": lambda content: content.replace(b'"n": 3', b'"n": 7'),
    "a foreign line behind": lambda content: content + b'{"not": "ours"}\n',
    "last line repeated": lambda content: content + content.splitlines(keepends=True)[-1],
    "replaced by another log's lines": lambda content: content.replace(b'"step"', b'"stop"'),
}


@pytest.mark.parametrize("name", DAMAGE)
@pytest.mark.parametrize("reroot", ["0", "1"])
def test_damage_is_refused_and_nothing_is_changed(
    log: Path, monkeypatch: pytest.MonkeyPatch, name: str, reroot: str
) -> None:
    monkeypatch.setenv("FORGELM_ALLOW_AUDIT_REROOT", reroot)
    log.write_bytes(DAMAGE[name](log.read_bytes()))
    before = {path.name: path.read_bytes() for path in log.parent.iterdir()}

    with pytest.raises(AuditLogError, match=r"forgelm verify-audit .*audit_log.jsonl.* backup"):
        AuditLogger(log.parent).log_event("next")

    assert {path.name: path.read_bytes() for path in log.parent.iterdir()} == before


def test_a_first_line_that_the_manifest_does_not_pin_is_refused(tmp_path: Path) -> None:
    log = write_page_log(tmp_path, [("a", {}), ("b", {})])
    write_page_log(tmp_path, [("x", {}), ("y", {})], manifest=False)
    with pytest.raises(AuditLogError, match="line 1 is not the line that its manifest pins"):
        AuditLogger(tmp_path).log_event("next")
    assert len(log.read_bytes().splitlines()) == 2


@pytest.mark.parametrize("side", ["head", "manifest.json"])
def test_a_spoiled_side_file_is_refused(log: Path, side: str) -> None:
    log.with_name(f"{NAME}.{side}").write_bytes(b"spoiled")
    with pytest.raises(AuditLogError, match="Nothing was written"):
        AuditLogger(log.parent).log_event("next")


@pytest.mark.parametrize("gone", ["deleted", "emptied"])
@pytest.mark.parametrize("keep", ["head", "manifest.json", "both"])
@pytest.mark.parametrize("opened", ["before", "after"])
def test_a_log_that_is_gone_is_started_anew_only_when_that_is_allowed(
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    gone: str,
    keep: str,
    opened: str,
) -> None:
    logger = AuditLogger(log.parent, "fg-2")
    if opened == "before":
        logger.log_event("step", n=4)
    log.unlink() if gone == "deleted" else os.truncate(log, 0)
    for side in {"head", "manifest.json"} - {keep}:
        if keep != "both":
            log.with_name(f"{NAME}.{side}").unlink()
    with pytest.raises(AuditLogError, match="FORGELM_ALLOW_AUDIT_REROOT=1"):
        logger.log_event("next")

    monkeypatch.setenv("FORGELM_ALLOW_AUDIT_REROOT", "1")
    with caplog.at_level(logging.ERROR, "forgelm"):
        logger.log_event("next")

    assert "a new chain is started" in caplog.text
    rerooted, following = check_by_the_page(log)
    assert (rerooted["event"], following["event"]) == ("audit.chain_rerooted", "next")
    if keep != "manifest.json":
        assert rerooted["previous_entries"] == (4 if opened == "before" else 3)
    if keep != "head":
        assert rerooted["previous_run_id"] == "fg-1"
    result = verify_audit_log(log)
    assert (result.valid, result.notes) == (True, ())


def test_a_log_moved_away_under_an_open_logger_is_not_silently_begun_anew(log: Path) -> None:
    logger = AuditLogger(log.parent)
    logger.log_event("step", n=4)
    log.rename(log.with_name("archived.jsonl"))
    with pytest.raises(AuditLogError, match="is gone or empty"):
        logger.log_event("step", n=5)
    assert verify_audit_log(log.with_name("archived.jsonl")).entries_count == 4


def test_a_log_moved_away_with_its_side_files_is_begun_anew(log: Path, tmp_path: Path) -> None:
    logger = AuditLogger(log.parent)
    logger.log_event("step", n=4)
    (tmp_path / "archive").mkdir()
    for path in list(log.parent.glob(f"{NAME}*")):
        path.rename(tmp_path / "archive" / path.name)
    logger.log_event("step", n=5)
    assert verify_audit_log(log).entries_count == 1
    assert verify_audit_log(tmp_path / "archive" / NAME).entries_count == 4


def test_a_keyed_log_is_not_continued_without_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    AuditLogger(tmp_path).log_event("a")
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", "another")
    with pytest.raises(AuditLogError, match="the secret is another one"):
        AuditLogger(tmp_path).log_event("b")
    monkeypatch.delenv("FORGELM_AUDIT_SECRET")
    with pytest.raises(AuditLogError, match="Set FORGELM_AUDIT_SECRET"):
        AuditLogger(tmp_path).log_event("b")
    (tmp_path / f"{NAME}.head").unlink()
    with pytest.raises(AuditLogError, match="Set FORGELM_AUDIT_SECRET"):
        AuditLogger(tmp_path).log_event("b")
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    AuditLogger(tmp_path).log_event("b")
    assert verify_audit_log(tmp_path / NAME, require_hmac=True).entries_count == 2


def test_an_unkeyed_log_becomes_keyed_and_its_first_lines_stay_protected(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    AuditLogger(log.parent).log_event("keyed")
    assert verify_audit_log(log).valid
    strict = verify_audit_log(log, require_hmac=True)
    assert (strict.valid, strict.first_invalid_index) == (False, 1)
    log.write_bytes(log.read_bytes().replace(b'"n": 2', b'"n": 8'))
    assert not verify_audit_log(log).valid


@pytest.mark.parametrize("name", [NAME, f"{NAME}.head", f"{NAME}.manifest.json"])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_in_place_of_a_file_is_never_written_through(
    tmp_path: Path, name: str, dangling: bool
) -> None:
    victim = tmp_path / "victim"
    if not dangling:
        victim.write_bytes(b"precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(victim)
    with pytest.raises(AuditLogError):
        AuditLogger(tmp_path / "run").log_event("x")
    assert victim.exists() is not dangling
    assert dangling or victim.read_bytes() == b"precious"


def test_a_pipe_or_a_folder_in_place_of_the_log_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a" / NAME)
    with pytest.raises(AuditLogError, match="not a regular file"):
        AuditLogger(tmp_path / "a").log_event("x")
    (tmp_path / "b" / NAME).mkdir(parents=True)
    with pytest.raises(AuditLogError, match="directory"):
        AuditLogger(tmp_path / "b").log_event("x")
    (tmp_path / "file").touch()
    with pytest.raises(AuditLogError, match="'x' was not recorded"):
        AuditLogger(tmp_path / "file").log_event("x")


def test_a_hard_linked_log_stays_one_chain(log: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    os.link(log, tmp_path / "other" / NAME)
    AuditLogger(tmp_path / "other").log_event("from the other name")
    AuditLogger(log.parent).log_event("from the first")
    assert _events(log)[3:] == ["from the other name", "from the first"]
    assert verify_audit_log(tmp_path / "other" / NAME).valid


def test_a_crash_that_tore_the_newest_slot_needs_no_help(log: Path) -> None:
    head = log.with_name(f"{NAME}.head")
    for slot in (0, 1):
        content = bytearray(head.read_bytes())
        content[slot * 4096 + 100 : slot * 4096 + 200] = b"x" * 100
        head.write_bytes(content)
        AuditLogger(log.parent).log_event("step", n=4 + slot)
        assert verify_audit_log(log).valid
    assert [entry["n"] for entry in check_by_the_page(log)] == [1, 2, 3, 4, 5]


def test_a_slot_of_the_head_file_fits_one_disk_sector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    AuditLogger(tmp_path).log_event("x")
    head = (tmp_path / f"{NAME}.head").read_bytes()
    assert len(head) == 8192
    longest = json.loads(head[4096:]) | {
        "generation": 10**9,
        "entries": 10**9,
        "size_bytes": 10**11,
        "last_line_bytes": 10**5,
        "chain_head": "a" * 64,
        "anchored_from": 10**5,
        "pending_bytes": 10**5,
    }
    assert len(json.dumps(longest)) <= 512
