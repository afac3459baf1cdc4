"""Kills, failing calls, full disks and power losses: no event is lost, none is doubled."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit_log_page import NAME, check_by_the_page

from forgelm import AuditLogger, verify_audit_log
from forgelm.errors import AuditLogError

DRIVER = Path(__file__).with_name("audit_log_faults.py")
SECRET = "not-a-" + "real-secret"


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: hundreds of flushes cost nothing there."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


# What lies in the folder when the fault strikes -> how many faults there are at least.
SCENARIOS = {
    "empty": 300,
    "steady": 200,
    "torn": 350,
    "torn slot": 200,
    "lagging": 200,
    "page": 250,
    "gone": 300,
    "every byte": 249,
    "rotating": 350,
    "grouped empty": 300,
    "grouped steady": 300,
    "grouped held": 200,
    "grouped torn": 300,
    "grouped torn slot": 300,
    "grouped lagging": 300,
    "grouped every byte": 249,
    "grouped rotating": 350,
}
# A secret adds no call: without one, only what a log is begun with, and the plain way, differ.
UNKEYED = ("empty", "steady", "page", "every byte", "rotating")


@pytest.mark.parametrize(
    ("scenario", "secret"),
    [(name, "") for name in UNKEYED]
    + [pytest.param(name, SECRET, marks=pytest.mark.slow) for name in SCENARIOS if name != "page"],
)
def test_a_fault_at_any_call_and_any_byte_loses_and_doubles_nothing(
    quick_folder: Path, scenario: str, secret: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", str(DRIVER), scenario, str(quick_folder)],
        env={**os.environ, "FORGELM_AUDIT_SECRET": secret},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    _, count, *harmful = run.stdout.splitlines()
    assert [line for line in harmful if line] == [], run.stderr
    assert int(count) >= SCENARIOS[scenario]
    assert run.returncode == 0, run.stderr


CALLS = ("open", "dup", "write", "ftruncate", "fsync")


class Disk:
    """Remembers every write and flush, so that states after a power loss can be rebuilt."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.history: list[tuple[str, str, int, bytes]] = []
        self._paths: dict[int, str] = {}
        self._real = {name: getattr(os, name) for name in CALLS}
        self._folder = folder
        for name in self._real:
            patch.setattr(os, name, getattr(self, name))

    def open(self, path: Any, *args: Any, **kwargs: Any) -> int:
        descriptor: int = self._real["open"](path, *args, **kwargs)
        self._paths[descriptor] = Path(path).name
        return descriptor

    def dup(self, descriptor: int) -> int:
        copy: int = self._real["dup"](descriptor)
        self._paths[copy] = self._paths[descriptor]
        return copy

    def write(self, descriptor: int, data: Any) -> int:
        offset = os.lseek(descriptor, 0, os.SEEK_CUR)
        self.history.append(("write", self._paths[descriptor], offset, bytes(data)))
        written: int = self._real["write"](descriptor, data)
        return written

    def ftruncate(self, descriptor: int, size: int) -> None:
        self.history.append(("cut", self._paths[descriptor], size, b""))
        self._real["ftruncate"](descriptor, size)

    def fsync(self, descriptor: int) -> None:
        self.history.append(("flush", self._paths[descriptor], 0, b""))
        self._real["fsync"](descriptor)

    def acknowledge(self, n: int) -> None:
        self.history.append(("acknowledged", "", n, b""))


def _after_power_loss(
    durable: dict[str, bytes], history: list[tuple[str, str, int, bytes]], chance: random.Random
) -> dict[str, bytes]:
    """One state the disk can be in: of what was not flushed, any sectors, in any order."""
    files = {name: bytearray(content) for name, content in durable.items()}
    for name in files:
        mine = [step for step in history if step[1] == name]
        flushes = [number for number, step in enumerate(mine) if step[0] == "flush"]
        flushed = flushes[-1] if flushes else -1
        for number, (kind, _, offset, data) in enumerate(mine):
            if kind != "write":
                continue
            for start in range(0, len(data), 512):
                if number < flushed or chance.random() < 0.5:
                    end = offset + min(start + 512, len(data))
                    files[name].extend(bytes(max(0, end - len(files[name]))))
                    files[name][offset + start : end] = data[start : start + 512]
    return {name: bytes(content) for name, content in files.items()}


@pytest.mark.parametrize("secret", ["", SECRET], ids=["unkeyed", "keyed"])
def test_a_power_loss_at_any_point_loses_no_acknowledged_event(
    quick_folder: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", secret)
    logger = AuditLogger(quick_folder)
    logger.log_event("step", n=1)
    durable = {path.name: path.read_bytes() for path in quick_folder.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, quick_folder)
        for n in (2, 3, 4):
            logger.log_event("step", n=n, text="x" * 700)
            disk.acknowledge(n)
    chance = random.Random(7)
    recovered = 0
    for cut in range(len(disk.history) + 1):
        past = disk.history[:cut]
        acknowledged = [1, *(step[2] for step in past if step[0] == "acknowledged")]
        for _ in range(25):
            state = _after_power_loss(durable, past, chance)
            for path in quick_folder.iterdir():
                path.unlink()
            for name, content in state.items():
                (quick_folder / name).write_bytes(content)

            AuditLogger(quick_folder).log_event("after")

            assert verify_audit_log(quick_folder / NAME).valid
            entries = check_by_the_page(quick_folder / NAME, secret or None)
            steps = [entry["n"] for entry in entries if entry["event"] == "step"]
            assert steps in (acknowledged, [*acknowledged, acknowledged[-1] + 1])
            recovered += any(entry["event"] == "audit.tail_recovered" for entry in entries)
    assert recovered > 0


def test_a_power_loss_while_threads_share_flushes_loses_no_acknowledged_event(
    quick_folder: Path,
) -> None:
    """Several lines are in the log unflushed: any of them may be lost, torn or spared."""
    logger = AuditLogger(quick_folder, group_commit=True)
    logger.log_event("step", n=0)
    logger.log_event("step", n=1)
    durable = {path.name: path.read_bytes() for path in quick_folder.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        disk = Disk(patch, quick_folder)
        logger = AuditLogger(quick_folder, group_commit=True)

        def write(first: int) -> None:
            for n in range(first, first + 4):
                logger.log_event("step", n=n, text="x" * 400)
                disk.acknowledge(n)

        threads = [threading.Thread(target=write, args=(10 * number,)) for number in (1, 2, 3, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    chance = random.Random(7)
    recovered = 0
    for cut in range(len(disk.history) + 1):
        past = disk.history[:cut]
        acknowledged = {0, 1, *(step[2] for step in past if step[0] == "acknowledged")}
        for _ in range(8):
            state = _after_power_loss(durable, past, chance)
            for path in quick_folder.iterdir():
                path.unlink()
            for name, content in state.items():
                (quick_folder / name).write_bytes(content)

            AuditLogger(quick_folder, group_commit=cut % 2 == 0).log_event("after")

            assert verify_audit_log(quick_folder / NAME).valid
            entries = check_by_the_page(quick_folder / NAME)
            steps = [entry["n"] for entry in entries if entry["event"] == "step"]
            assert len(steps) == len(set(steps))
            assert acknowledged <= set(steps)
            recovered += any(entry["event"] == "audit.tail_recovered" for entry in entries)
    assert recovered > 0


def test_a_disk_that_is_full_and_then_is_not_takes_each_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    with monkeypatch.context() as patch:
        real = os.write
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]) * 0)
        for _ in range(3):
            with pytest.raises(AuditLogError, match=r"'step' was not recorded: .*took no bytes"):
                logger.log_event("step", n=2)
    logger.log_event("step", n=2)
    assert [entry["n"] for entry in check_by_the_page(tmp_path / NAME)] == [1, 2]


def test_the_error_carries_the_systems_number_and_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = AuditLogger(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        AuditLogError, match=r"No space left on device\. Once the cause is"
    ) as caught:
        logger.log_event("step")
    assert caught.value.errno == 28
    assert isinstance(caught.value, OSError)


def test_the_names_of_new_files_are_flushed_before_the_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        flushed.append((kind, len(list(tmp_path.iterdir()))))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    AuditLogger(tmp_path).log_event("step")
    # The head file and its name, the manifest (a temporary file first) and its name, the line.
    assert flushed == [("file", 2), ("folder", 2), ("file", 3), ("folder", 3), ("file", 3)]


def test_one_event_costs_one_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    flushes = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushes.append(real(descriptor)))
    for n in range(10):
        logger.log_event("step", n=n)
    assert len(flushes) == 10


def test_a_file_system_that_is_full_and_frees_up_takes_each_event_once(tmp_path: Path) -> None:
    """A real limit of the system stands for the full disk: a file may have so many bytes."""
    code = """
        import resource, signal, sys
        from forgelm.compliance import AuditLogger

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        logger = AuditLogger(sys.argv[1], group_commit=sys.argv[2] == "grouped")
        logger.log_event("step", n=1)
        full = logger.path.stat().st_size + 100
        resource.setrlimit(resource.RLIMIT_FSIZE, (max(full, 8192), resource.RLIM_INFINITY))
        refused = 0
        for n in range(2, 60):
            try:
                logger.log_event("step", n=n, text="x" * 300)
            except OSError:
                refused += 1
                resource.setrlimit(
                    resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                )
                logger.log_event("step", n=n, text="x" * 300)
        print(refused)
    """
    for kind in ("single", "grouped"):
        folder = tmp_path / kind
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(code), str(folder), kind],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (run.returncode, run.stdout.strip()) == (0, "1"), run.stderr
        steps = [entry["n"] for entry in check_by_the_page(folder / NAME)]
        assert steps == list(range(1, 60))
