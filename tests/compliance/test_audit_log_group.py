"""Group commit: many writers share a flush, and nothing else about the log changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from audit_log_page import NAME, check_by_the_page

from forgelm import AuditLogger, verify_audit_log
from forgelm.errors import AuditLogError

WRITER = Path(__file__).with_name("audit_log_writer.py")


def _write_in_threads(folder: Path, threads: int, events: int) -> None:
    logger = AuditLogger(folder, group_commit=True)
    failures: list[BaseException] = []

    def write(first: int) -> None:
        try:
            for n in range(first, first + events):
                logger.log_event("step", n=n)
        except BaseException as error:  # noqa: BLE001 - the main thread judges it
            failures.append(error)

    running = [threading.Thread(target=write, args=(10_000 * k,)) for k in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert failures == []


def _write_in_processes(folder: Path, kinds: list[str], events: int) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, str(WRITER), str(folder), str(10_000 * k), str(events), kind]
        )
        for k, kind in enumerate(kinds)
    ]
    assert [writer.wait(timeout=280) for writer in writers] == [0] * len(kinds)


def _assert_all_there(folder: Path, writers: int, events: int) -> None:
    steps = [entry["n"] for entry in check_by_the_page(folder / NAME)]
    assert len(steps) == writers * events
    for k in range(writers):
        mine = [n - 10_000 * k for n in steps if n // 10_000 == k]
        assert mine == list(range(events))
    result = verify_audit_log(folder / NAME)
    assert (result.valid, result.anchored, result.notes) == (True, True, ())


def test_eight_threads_share_flushes_and_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushes: list[None] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushes.append(real(descriptor)))
    _write_in_threads(tmp_path, 8, 30)
    _assert_all_there(tmp_path, 8, 30)
    assert len(flushes) < 240


def test_processes_share_flushes_and_keep_their_order(tmp_path: Path) -> None:
    _write_in_processes(tmp_path, ["grouped"] * 4, 30)
    _assert_all_there(tmp_path, 4, 30)


def test_writers_with_and_without_group_commit_share_a_log(tmp_path: Path) -> None:
    _write_in_processes(tmp_path, ["grouped", "single", "grouped"], 30)
    _assert_all_there(tmp_path, 3, 30)


@pytest.mark.parametrize("grouped", [True, False])
def test_writers_and_a_rotation_at_once_lose_nothing(tmp_path: Path, grouped: bool) -> None:
    kind = "grouped" if grouped else "single"
    logger = AuditLogger(tmp_path, group_commit=grouped)
    logger.log_event("first")
    writers = [
        subprocess.Popen([sys.executable, str(WRITER), str(tmp_path), str(k * 100), "25", kind])
        for k in range(2)
    ]
    for _ in range(3):
        logger.rotate()
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    result = verify_audit_log(logger.path)
    assert (result.valid, result.reason) == (True, None)
    files = [*sorted(tmp_path.glob(f"{NAME}.0???")), logger.path]
    entries = [entry for file in files if file.exists() for entry in check_by_the_page(file)]
    steps = sorted(entry["n"] for entry in entries if entry["event"] == "step")
    assert steps == [*range(25), *range(100, 125)]


def test_a_line_that_no_writer_made_is_set_aside_between_two_grouped_events(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path, group_commit=True)
    logger.log_event("step", n=1)
    with open(logger.path, "ab") as log:
        log.write(b"no entry\n")
    logger.log_event("step", n=2)
    entries = check_by_the_page(logger.path)
    assert [entry["event"] for entry in entries] == ["step", "audit.tail_recovered", "step"]
    assert (tmp_path / entries[1]["saved_as"]).read_bytes() == b"no entry\n"
    assert verify_audit_log(logger.path).valid


def test_a_line_that_only_looks_like_the_next_is_found_before_it_counts(tmp_path: Path) -> None:
    """The writer that flushes reads whole what the others only follow by its links."""
    logger = AuditLogger(tmp_path, group_commit=True)
    logger.log_event("step", n=1)
    before = logger.path.read_bytes()
    link = hashlib.sha256(before[:-1]).hexdigest()
    forged = b'no entry ", "prev_hash": "%b"\n' % link.encode()
    with open(logger.path, "ab") as log:
        log.write(forged)
    with pytest.raises(AuditLogError, match=rf"line 2 \(byte {len(before)}\) is no entry"):
        logger.log_event("step", n=2)
    assert logger.path.read_bytes() == before + forged
    logger.log_event("step", n=2)
    entries = check_by_the_page(logger.path)
    assert [entry["event"] for entry in entries] == ["step", "audit.tail_recovered", "step"]
    assert [entry["n"] for entry in entries if entry["event"] == "step"] == [1, 2]
    assert verify_audit_log(logger.path).valid


@pytest.mark.slow
def test_eight_processes_and_eight_threads_write_a_thousand_events_each(tmp_path: Path) -> None:
    _write_in_threads(tmp_path / "threads", 8, 1000)
    _assert_all_there(tmp_path / "threads", 8, 1000)
    _write_in_processes(tmp_path / "grouped", ["grouped"] * 8, 1000)
    _assert_all_there(tmp_path / "grouped", 8, 1000)
    _write_in_processes(tmp_path / "single", ["single"] * 8, 1000)
    _assert_all_there(tmp_path / "single", 8, 1000)
