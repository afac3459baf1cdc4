"""Many writers at once: threads, processes, forked children, signal handlers, and a stuck one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from audit_log_page import NAME, check_by_the_page

from forgelm import AuditLogger, verify_audit_log
from forgelm.errors import AuditLogError

WRITER = Path(__file__).with_name("audit_log_writer.py")


def _steps(folder: Path) -> list[int]:
    return [entry["n"] for entry in check_by_the_page(folder / NAME)]


# The main thread of a process that has no other holds signals back; else another thread writes.
kinds_of_process = pytest.mark.parametrize("beside", ["", "a thread"])
kinds_of_flush = pytest.mark.parametrize("grouped", ["", "grouped"])
_A_THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"


def _run(code: str, folder: Path, beside: str = "", grouped: str = "") -> str:
    """Run a small program in a process of its own: forks and signals stay out of the tests'."""
    prelude = _A_THREAD if beside else ""
    run = subprocess.run(
        [
            *(sys.executable, "-W", "error", "-c", f"{prelude}\n{textwrap.dedent(code)}"),
            *(str(folder), grouped),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("shared", [True, False], ids=["one logger", "a logger each"])
def test_eight_threads_write_one_chain(tmp_path: Path, shared: bool) -> None:
    logger = AuditLogger(tmp_path)
    failures: list[BaseException] = []

    def write(first: int) -> None:
        mine = logger if shared else AuditLogger(tmp_path)
        try:
            for n in range(first, first + 40):
                mine.log_event("step", n=n)
        except BaseException as error:  # noqa: BLE001 - the main thread judges it
            failures.append(error)

    threads = [threading.Thread(target=write, args=(100 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    steps = _steps(tmp_path)
    assert len(steps) == 320
    for number in range(8):
        mine = [n for n in steps if n // 100 == number]
        assert mine == list(range(100 * number, 100 * number + 40))
    assert verify_audit_log(tmp_path / NAME).valid


def test_four_processes_write_one_chain(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, str(WRITER), str(tmp_path), str(1000 * number), "60"])
        for number in range(4)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0, 0, 0]
    steps = _steps(tmp_path)
    assert sorted(steps) == [1000 * number + n for number in range(4) for n in range(60)]
    assert verify_audit_log(tmp_path / NAME).notes == ()


def test_a_log_can_be_verified_while_it_is_written(tmp_path: Path) -> None:
    AuditLogger(tmp_path).log_event("step", n=-1)
    writer = subprocess.Popen([sys.executable, str(WRITER), str(tmp_path), "0", "150"])
    verdicts = []
    while writer.poll() is None:
        verdicts.append(verify_audit_log(tmp_path / NAME))
    assert writer.returncode == 0
    assert [verdict.reason for verdict in verdicts if not verdict.valid] == []
    assert len(verdicts) > 1


def test_a_stuck_writer_is_waited_for_only_so_long(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path)
    assert logger.lock_wait_s == 30
    logger.log_event("step", n=1)
    stuck = subprocess.Popen(
        [sys.executable, str(WRITER), str(tmp_path), "0", "0", "held"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stuck.stdout is not None
    assert stuck.stdout.readline() == "held\n"
    logger.lock_wait_s = 0.05
    with pytest.raises(AuditLogError, match=r"another process held the lock for 0\.05 s"):
        logger.log_event("step", n=2)
    result = verify_audit_log(tmp_path / NAME)
    assert result.valid
    assert "could not be locked" in result.notes[0]
    stuck.communicate("")
    logger.log_event("step", n=3)
    assert _steps(tmp_path) == [1, 3]


def test_a_log_moved_away_while_a_writer_waits_does_not_get_its_event(tmp_path: Path) -> None:
    logger = AuditLogger(tmp_path)
    logger.log_event("step", n=1)
    archive = tmp_path / "archive"
    archive.mkdir()
    with open(logger.path, "ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=logger.log_event, args=("step",), kwargs={"n": 2})
        waiting.start()
        while sum(os.path.samestat(os.fstat(held.fileno()), stat) for stat in _open_files()) < 2:
            time.sleep(0.001)
        for path in list(tmp_path.glob(f"{NAME}*")):
            path.rename(archive / path.name)
    waiting.join()
    assert _steps(tmp_path) == [2]
    assert _steps(archive) == [1]


def _open_files() -> list[os.stat_result]:
    """What the descriptors of this process lead to."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.stat(f"/proc/self/fd/{name}"))
    return found


def test_a_logger_used_in_a_forked_child_says_what_to_do(tmp_path: Path) -> None:
    code = """
        import os, sys
        from forgelm.compliance import AuditLogger

        logger = AuditLogger(sys.argv[1])
        logger.log_event("step", n=1)
        child = os.fork()
        if child == 0:
            try:
                logger.log_event("step", n=2)
            except OSError as error:
                print(error, flush=True)
            AuditLogger(sys.argv[1]).log_event("step", n=3)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        logger.log_event("step", n=4)
    """
    assert "Construct a new AuditLogger in each forked child" in _run(code, tmp_path)
    assert _steps(tmp_path) == [1, 3, 4]


def test_children_forked_while_threads_log_neither_hang_nor_hold_the_lock(tmp_path: Path) -> None:
    code = """
        import os, sys, threading, warnings
        from forgelm.compliance import AuditLogger

        warnings.simplefilter("ignore")  # forking a process with threads is the point
        logger = AuditLogger(sys.argv[1])
        logger.log_event("step", n=0)

        def write():
            for n in range(1, 41):
                logger.log_event("step", n=n)

        threads = [threading.Thread(target=write) for _ in range(2)]
        for thread in threads:
            thread.start()
        children = []
        for n in range(8):
            child = os.fork()
            if child == 0:
                mine = AuditLogger(sys.argv[1])
                mine.lock_wait_s = 20
                mine.log_event("step", n=1000 + n)
                os._exit(0)
            children.append(child)
        for thread in threads:
            thread.join()
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    """
    _run(code, tmp_path)
    assert sorted(_steps(tmp_path)) == sorted([0, *range(1, 41), *range(1, 41), *range(1000, 1008)])


def _run_until_the_parent_is_killed(code: str, folder: Path) -> None:
    """Run a program that prints the number of a child which sleeps on, and kill that at the end."""
    run = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    sleeper = int(run.stdout.readline())
    try:
        assert run.wait(timeout=60) == 0
    finally:
        os.kill(sleeper, 9)
        run.stdout.close()


def test_a_child_outliving_a_killed_parent_does_not_keep_its_lock(tmp_path: Path) -> None:
    """The parent forks while it holds the lock, and is killed; the child sleeps on."""
    code = """
        import os, signal, sys, threading, time, warnings
        from forgelm.compliance import AuditLogger

        warnings.simplefilter("ignore")
        folder = sys.argv[1]
        AuditLogger(folder).log_event("step", n=0)
        parent = os.fork()
        if parent == 0:
            inside = threading.Event()
            real = os.fsync
            def slow(descriptor):
                real(descriptor)
                inside.set()
                time.sleep(60)
            os.fsync = slow
            logger = AuditLogger(folder)
            threading.Thread(target=logger.log_event, args=("step",), kwargs={"n": 1}).start()
            inside.wait(20)
            sleeper = os.fork()
            if sleeper == 0:
                time.sleep(60)
            print(sleeper, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(parent, 0)
        logger = AuditLogger(folder)
        logger.lock_wait_s = 10
        logger.log_event("step", n=2)
    """
    _run_until_the_parent_is_killed(code, tmp_path)
    assert _steps(tmp_path) == [0, 1, 2]


def test_a_child_keeps_no_lock_of_a_parent_that_keeps_its_files_open(tmp_path: Path) -> None:
    """The parent forks between two events, and is killed during the second; the child sleeps on."""
    code = """
        import os, signal, sys, time
        from forgelm.compliance import AuditLogger

        folder = sys.argv[1]
        parent = os.fork()
        if parent == 0:
            logger = AuditLogger(folder, group_commit=True)
            logger.log_event("step", n=0)
            logger.log_event("step", n=1)
            sleeper = os.fork()
            if sleeper == 0:
                del logger
                time.sleep(60)
            print(sleeper, flush=True)
            real = os.fsync
            def fatal(descriptor):
                real(descriptor)
                os.kill(os.getpid(), signal.SIGKILL)
            os.fsync = fatal
            logger.log_event("step", n=2)
        os.waitpid(parent, 0)
        for grouped in (True, False):
            logger = AuditLogger(folder, group_commit=grouped)
            logger.lock_wait_s = 10
            logger.log_event("step", n=3 + (not grouped))
    """
    _run_until_the_parent_is_killed(code, tmp_path)
    assert _steps(tmp_path) == [0, 1, 2, 3, 4]


@kinds_of_process
@kinds_of_flush
def test_a_signal_handler_may_log_while_an_event_is_being_logged(
    tmp_path: Path, beside: str, grouped: str
) -> None:
    code = """
        import signal, sys
        from forgelm.compliance import AuditLogger

        logger = AuditLogger(sys.argv[1], group_commit=bool(sys.argv[2]))
        handled = 0

        def on_alarm(number, frame):
            global handled
            handled += 1
            logger.log_event("step", n=999 + handled)

        signal.signal(signal.SIGALRM, on_alarm)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.011)
        n = 0
        while handled < 15:
            logger.log_event("step", n=n)
            n += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(n, handled)
    """
    written, handled = map(int, _run(code, tmp_path, beside, grouped).split())
    steps = _steps(tmp_path)
    assert [n for n in steps if n < 1000] == list(range(written))
    assert sorted(n for n in steps if n >= 1000) == list(range(1000, 1000 + handled))


@kinds_of_process
@kinds_of_flush
def test_ctrl_c_leaves_a_whole_event_or_none(tmp_path: Path, beside: str, grouped: str) -> None:
    code = """
        import signal, sys
        from forgelm.compliance import AuditLogger

        logger = AuditLogger(sys.argv[1], group_commit=bool(sys.argv[2]))
        interrupts = 0
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        n = 0
        while interrupts < 20:
            signal.setitimer(signal.ITIMER_REAL, 0.0007 * (1 + interrupts % 7))
            try:
                while True:
                    n += 1
                    logger.log_event("step", n=n)
            except KeyboardInterrupt:
                interrupts += 1
    """
    _run(code, tmp_path, beside, grouped)
    steps = _steps(tmp_path)
    assert steps == sorted(set(steps))
    assert verify_audit_log(tmp_path / NAME).notes == ()


@kinds_of_process
@kinds_of_flush
def test_ctrl_c_ends_the_wait_for_a_stuck_writer(tmp_path: Path, beside: str, grouped: str) -> None:
    code = """
        import fcntl, signal, sys, time
        from forgelm.compliance import AuditLogger

        logger = AuditLogger(sys.argv[1], group_commit=bool(sys.argv[2]))
        logger.log_event("step", n=1)
        log = open(logger.path, "ab")
        fcntl.flock(log, fcntl.LOCK_EX)
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        begun = time.monotonic()
        try:
            logger.log_event("step", n=2)
        except KeyboardInterrupt:
            print("interrupted", time.monotonic() - begun < 20)
    """
    assert _run(code, tmp_path, beside, grouped) == "interrupted True\n"
    assert _steps(tmp_path) == [1]


@kinds_of_process
@kinds_of_flush
def test_a_handler_that_only_takes_note_does_not_cost_the_event(
    tmp_path: Path, beside: str, grouped: str
) -> None:
    """It comes while the event waits for a stuck writer, and is what frees the lock."""
    code = """
        import fcntl, signal, sys
        from forgelm.compliance import AuditLogger, Personal

        logger = AuditLogger(sys.argv[1], group_commit=bool(sys.argv[2]))
        logger.log_event("step", n=1)
        log = open(logger.path, "ab")
        fcntl.flock(log, fcntl.LOCK_EX)
        signal.signal(signal.SIGALRM, lambda *_: fcntl.flock(log, fcntl.LOCK_UN))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        logger.log_event("step", n=2, who=Personal("Ada"))
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before == set()
        print(logger.erase_personal_data("Ada"))
    """
    assert _run(code, tmp_path, beside, grouped) == "1\n"
    entries = check_by_the_page(tmp_path / NAME)
    assert [entry.get("n") for entry in entries] == [1, 2, None]


def test_a_process_of_one_thread_stays_one(tmp_path: Path) -> None:
    code = """
        import os, sys
        from forgelm.compliance import AuditLogger

        AuditLogger(sys.argv[1]).log_event("step", n=1)
        print(len(os.listdir("/proc/self/task")))
    """
    assert _run(code, tmp_path) == "1\n"
    assert _run(code, tmp_path, "a thread") == "3\n"


def test_an_event_logged_while_the_interpreter_shuts_down_is_kept(tmp_path: Path) -> None:
    code = """
        import atexit, sys
        from forgelm.compliance import AuditLogger

        logger = AuditLogger(sys.argv[1])
        atexit.register(logger.log_event, "step", n=1)
    """
    _run(code, tmp_path)
    assert _steps(tmp_path) == [1]
