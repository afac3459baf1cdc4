"""A rotated log is one chain over its files; personal data can be erased without breaking it."""

from __future__ import annotations

import errno
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from audit_log_page import NAME, check_by_the_page

from forgelm import AuditLogger, verify_audit_log
from forgelm.compliance import Personal, verify_evidence
from forgelm.compliance.audit_log import file_lock
from forgelm.errors import AuditLogError

SECRET = "not-a-" + "real-secret"
PERSONAL = f"{NAME}.personal.jsonl"


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """Three files: 1, 2 | 3 | 4."""
    logger = AuditLogger(tmp_path, "fg-1")
    for n in (1, 2):
        logger.log_event("step", n=n)
    assert logger.rotate() == tmp_path / f"{NAME}.0001"
    logger.log_event("step", n=3)
    assert logger.rotate() == tmp_path / f"{NAME}.0002"
    logger.log_event("step", n=4)
    return tmp_path / NAME


def test_each_file_of_a_rotated_log_stands_alone_by_the_page(rotated: Path) -> None:
    files = [rotated.with_name(f"{NAME}.0001"), rotated.with_name(f"{NAME}.0002"), rotated]
    assert [[entry["event"] for entry in check_by_the_page(file)] for file in files] == [
        ["step", "step", "audit.log_rotated"],
        ["audit.log_continued", "step", "audit.log_rotated"],
        ["audit.log_continued", "step"],
    ]


@pytest.mark.parametrize(("name", "count"), [("", 8), (".0002", 6), (".0001", 3)])
def test_a_file_is_verified_with_all_that_it_continues(
    rotated: Path, name: str, count: int
) -> None:
    result = verify_audit_log(rotated.with_name(NAME + name))
    assert (result.valid, result.entries_count, result.notes) == (True, count, ())


ATTACKS = {
    "a line of an earlier file edited": (
        lambda log: log.with_name(f"{NAME}.0001").write_bytes(
            log.with_name(f"{NAME}.0001").read_bytes().replace(b'"n": 1', b'"n": 8')
        ),
        1,
        f"{NAME}.0001: line 1 ",
    ),
    "an earlier file cut at its end": (
        lambda log: log.with_name(f"{NAME}.0002").write_bytes(
            b"".join(log.with_name(f"{NAME}.0002").read_bytes().splitlines(True)[:2])
        ),
        6,
        f"{NAME}.0002: 1 line was removed at the end",
    ),
    "an earlier file deleted": (
        lambda log: log.with_name(f"{NAME}.0001").unlink(),
        None,
        f"{NAME}.0001, which {NAME}.0002 continues, is not beside it",
    ),
    "an earlier file swapped for another": (
        lambda log: [
            log.with_name(f"{NAME}.0001{side}").write_bytes(
                log.with_name(f"{NAME}.0002{side}").read_bytes()
            )
            for side in ("", ".head", ".manifest.json")
        ],
        None,
        "it names a later file as the one it continues",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_an_earlier_file_is_found_from_the_newest(rotated: Path, name: str) -> None:
    attack, line, words = ATTACKS[name]
    attack(rotated)
    result = verify_audit_log(rotated)
    assert (result.valid, result.first_invalid_index) == (False, line)
    assert words in str(result.reason)


def test_a_whole_earlier_file_rewritten_with_its_side_files_is_found(rotated: Path) -> None:
    other = rotated.parent / "other"
    forger = AuditLogger(other, "fg-1")
    for n in (1, 9):
        forger.log_event("step", n=n)
    forger.rotate()
    for path in other.glob(f"{NAME}.0001*"):
        path.replace(rotated.with_name(path.name))
    result = verify_audit_log(rotated)
    assert not result.valid
    assert "which is not how that file ends" in str(result.reason)


def test_a_head_kept_before_the_rotation_is_found_in_the_earlier_file(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    kept = verify_audit_log(logger.path)
    logger.rotate()
    logger.log_event("step", n=2)
    for only_new in (False, True):
        result = verify_audit_log(logger.path, expected_head=kept, only_new_lines=only_new)
        assert (result.valid, result.entries_count) == (True, 4)


def test_an_empty_log_is_not_rotated_and_an_interrupted_rotation_is_finished(
    tmp_path: Path,
) -> None:
    logger = AuditLogger(tmp_path)
    with pytest.raises(AuditLogError, match="nothing to archive"):
        logger.rotate()
    logger.log_event("step", n=1)
    archive = logger.rotate()
    _forget_the_new_file(logger.path)
    archive.with_name(f"{archive.name}.head").rename(tmp_path / f"{NAME}.head")
    logger.log_event("step", n=2)
    assert verify_audit_log(logger.path).entries_count == 4


def _forget_the_new_file(log: Path) -> None:
    """Leave what a crash right after the archiving leaves."""
    for side in ("", ".head", ".manifest.json"):
        log.with_name(NAME + side).unlink()


def test_the_file_after_an_archive_begins_at_once_so_that_a_missing_one_was_deleted(
    tmp_path: Path,
) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    logger.rotate()
    assert [entry["event"] for entry in check_by_the_page(logger.path)] == ["audit.log_continued"]
    result = verify_audit_log(logger.path)
    assert (result.valid, result.entries_count, result.anchored) == (True, 3, True)
    _forget_the_new_file(logger.path)
    verdict = verify_evidence(tmp_path)
    assert verdict.altered
    assert [(part.name, part.valid) for part in verdict.parts[:2]] == [
        (NAME, False),
        (f"{NAME}.0001", True),
    ]
    assert "or its newest file was deleted" in str(verdict.reason)


def test_a_log_that_cannot_begin_anew_is_archived_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    real = os.rename

    def fill_the_disk(source: object, target: object) -> None:
        real(source, target)  # type: ignore[arg-type]
        if str(target).endswith(f"{NAME}.0001.manifest.json"):
            monkeypatch.setattr(os, "write", _full)

    def _full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fill_the_disk)
        assert logger.rotate().name == f"{NAME}.0001"
    monkeypatch.undo()
    assert "the next event begins the new file" in caplog.text
    logger.log_event("step", n=2)
    assert verify_audit_log(logger.path).entries_count == 4


def test_a_keyed_log_stays_keyed_over_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", SECRET)
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    logger.rotate()
    monkeypatch.delenv("FORGELM_AUDIT_SECRET")
    with pytest.raises(AuditLogError, match="is keyed: its lines carry HMAC tags"):
        AuditLogger(tmp_path).log_event("step", n=2)
    _forget_the_new_file(logger.path)
    with pytest.raises(AuditLogError, match="is keyed: set FORGELM_AUDIT_SECRET"):
        AuditLogger(tmp_path).log_event("step", n=2)
    logger.log_event("step", n=2)
    assert verify_audit_log(logger.path, hmac_secret=SECRET, require_hmac=True).entries_count == 4


@pytest.fixture
def with_people(tmp_path: Path) -> AuditLogger:
    logger = AuditLogger(tmp_path)
    logger.log_event("granted", approver=Personal("Ada"), people=[{"name": Personal("Ben")}])
    logger.log_event("rejected", approver=Personal("Ada"))
    return logger


def test_the_log_holds_a_commitment_and_a_private_file_the_value(
    with_people: AuditLogger,
) -> None:
    log = with_people.path
    assert b"Ada" not in log.read_bytes()
    first, second = (entry for entry in check_by_the_page(log))
    assert list(first["approver"]) == ["personal_commitment"]
    assert first["approver"] != second["approver"]
    beside = log.with_name(PERSONAL)
    assert beside.stat().st_mode & 0o777 == 0o600
    values = [json.loads(line)["value"] for line in beside.read_bytes().splitlines() if line]
    assert values == ["Ada", "Ben", "Ada"]
    assert list(verify_audit_log(log).personal_data.values()) == ["matches"] * 3
    assert repr(Personal("Ada")) == "Personal(...)"


def test_erasing_leaves_the_chain_whole_and_says_so(with_people: AuditLogger) -> None:
    log = with_people.path
    before = log.read_bytes()
    assert with_people.erase_personal_data("Ada", reason="request 7") == 2
    assert with_people.erase_personal_data("Ada") == 0
    assert b"Ada" not in log.with_name(PERSONAL).read_bytes()
    assert log.read_bytes().startswith(before)
    event = check_by_the_page(log)[-1]
    assert (event["event"], len(event["commitments"])) == ("audit.personal_data_erased", 2)
    result = verify_audit_log(log)
    assert result.valid
    assert list(result.personal_data.values()) == ["erased", "matches", "erased"]


def test_a_value_that_was_edited_or_lost_is_told_apart(with_people: AuditLogger) -> None:
    beside = with_people.path.with_name(PERSONAL)
    content = beside.read_bytes()
    beside.write_bytes(content.replace(b"Ben", b"Bob"))
    result = verify_audit_log(with_people.path)
    assert not result.valid
    assert "1 of the personal values beside the log do not match" in str(result.reason)
    beside.write_bytes(b"".join(content.splitlines(keepends=True)[1:]) + b'\n{"half a li')
    result = verify_audit_log(with_people.path)
    assert result.valid
    assert sorted(result.personal_data.values()) == ["matches", "matches", "missing"]
    with_people.log_event("granted", approver=Personal("Cy"))
    assert verify_audit_log(with_people.path).valid


def test_the_value_of_an_event_that_failed_does_not_stay(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("a")
    logger.path.write_bytes(b"")
    with pytest.raises(AuditLogError):
        logger.log_event("b", approver=Personal("Ada"))
    assert b"Ada" not in logger.path.with_name(PERSONAL).read_bytes()


def test_a_rotation_while_the_log_is_verified_loses_no_line(tmp_path: Path) -> None:
    """The verifier has opened the log and waits for the writer, who archives it meanwhile."""
    names = [f"{NAME}{side}" for side in ("", ".head", ".manifest.json")]
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    logger.rotate()
    logger.log_event("step", n=2)
    later = tmp_path / "later"
    later.mkdir()
    for name in names:
        (tmp_path / name).rename(later / name)
        (tmp_path / name.replace(NAME, f"{NAME}.0001")).rename(tmp_path / name)

    with ThreadPoolExecutor() as pool, open(logger.path, "rb") as archived:
        with file_lock(archived.fileno(), wait_s=1):
            verdict = pool.submit(verify_audit_log, logger.path)
            time.sleep(0.2)
            for name in names:
                (tmp_path / name).rename(tmp_path / name.replace(NAME, f"{NAME}.0001"))
                (later / name).rename(tmp_path / name)
        result = verdict.result(timeout=60)
    assert (result.valid, result.entries_count) == (True, 4)


def test_a_log_verified_while_another_thread_rotates_it_never_has_fewer_lines(
    tmp_path: Path,
) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("step")
    written = [1]

    def write() -> None:
        for _ in range(20):
            logger.rotate()
            logger.log_event("step")
            written[0] += 3  # the end of one file, the beginning of the next, and the event

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while not writing.done():
            acknowledged = written[0]
            result = verify_audit_log(logger.path)
            assert result.valid, result.reason
            assert result.entries_count >= acknowledged
        writing.result()
    assert verify_audit_log(logger.path).entries_count == 61
