"""Waiting for a flush of others: with a bell, without one, and with one that rings for nothing."""

from __future__ import annotations

import fcntl
import os
import socket
import threading
from pathlib import Path

import pytest
from audit_log_page import NAME, check_by_the_page

from forgelm import AuditLogger
from forgelm.compliance.audit_log import _bell
from forgelm.compliance.audit_log._bell import Bell
from forgelm.errors import AuditLogError


def _write(folder: Path, loggers: int, events: int) -> None:
    """Log from as many loggers at once, and check that nothing is lost or doubled."""

    def write(first: int) -> None:
        logger = AuditLogger(folder, group_commit=True)
        for n in range(first, first + events):
            logger.log_event("step", n=n)

    threads = [threading.Thread(target=write, args=(1000 * k,)) for k in range(loggers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    steps = sorted(entry["n"] for entry in check_by_the_page(folder / NAME))
    assert steps == [1000 * k + n for k in range(loggers) for n in range(events)]


def test_a_bell_wakes_whoever_waits_and_time_does_otherwise(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as log:
        mine, other = Bell(log.fileno()), Bell(log.fileno())
        assert (mine.is_heard, other.is_heard) == (True, True)
        assert not mine.wait(0)
        other.ring_others()
        assert mine.wait(0)
        assert not other.wait(0)
        mine.close()
        other.ring_others()  # nobody is there any more
        other.close()


def test_more_writers_than_bells_share_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bell, "_BELLS", 3)
    _write(tmp_path, 8, 20)


def test_a_bell_that_breaks_or_is_gone_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(socket.socket):
        def recv(self, *_: object) -> bytes:
            raise ConnectionResetError

    monkeypatch.setattr(socket, "socket", Broken)
    with open(tmp_path / "log", "wb") as log:
        bell = Bell(log.fileno())
        assert bell.is_heard
        assert not bell.wait(0)
        assert not bell.is_heard
        bell.close()
        bell.ring_others()
        assert not bell.wait(0)


def test_writers_that_do_not_hear_each_other_share_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in two containers that share a folder, but no network."""
    monkeypatch.setattr(Bell, "ring_others", lambda _: None)
    _write(tmp_path, 4, 30)


def test_where_there_are_no_bells_writers_share_a_log_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("not in this sandbox")

    monkeypatch.setattr(socket, "socket", refuse)
    _write(tmp_path, 4, 30)


def test_one_who_rings_without_end_wins_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait that somebody rings through is a poll, no busy loop; and it ends when it should."""
    logger = AuditLogger(tmp_path, group_commit=True)
    logger.log_event("step", n=1)
    logger.log_event("step", n=2)
    logger.lock_wait_s = 0.5
    looks: list[None] = []
    real = os.pread

    def counted(*args: int) -> bytes:
        looks.append(None)
        return real(*args)

    with open(tmp_path / f"{NAME}.head", "rb") as head, open(tmp_path / NAME, "rb") as log:
        fcntl.flock(head, fcntl.LOCK_EX)
        monkeypatch.setattr(os, "pread", counted)
        stop = threading.Event()

        def ring() -> None:
            bell = Bell(log.fileno())
            while not stop.is_set():
                bell.ring_others()
            bell.close()

        ringing = threading.Thread(target=ring)
        ringing.start()
        with pytest.raises(AuditLogError, match=r"another process flushed for 0\.5 s"):
            logger.log_event("step", n=3)
        stop.set()
        ringing.join()
    assert len(looks) < 2500
    logger.log_event("step", n=4)
    assert [entry["n"] for entry in check_by_the_page(tmp_path / NAME)] == [1, 2, 4]


def test_a_logger_that_is_gone_leaves_nothing_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    logger = AuditLogger(tmp_path, group_commit=True)
    logger.log_event("step", n=1)
    logger.log_event("step", n=2)
    assert len(os.listdir("/proc/self/fd")) == len(before) + 3
    del logger
    assert os.listdir("/proc/self/fd") == before
