"""Break the n-th call to the system while one event is logged, for every n, and see what is left.

Run as `python audit_log_faults.py SCENARIO FOLDER`. Each fault happens in a forked child of this
small process; the parent then logs on and checks that nothing was lost, doubled or made invalid.
Prints how many faults were tried, then one line for each that did harm.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from audit_log_page import NAME, check_by_the_page, write_page_log

from forgelm.compliance import AuditLogger, verify_audit_log
from forgelm.errors import AuditLogError

CALLS = {
    os: [
        "open",
        "fstat",
        "stat",
        "lstat",
        "lseek",
        "read",
        "pread",
        "write",
        "ftruncate",
        "fsync",
        "replace",
        "rename",
        "dup",
        "close",
    ],
    fcntl: ["flock"],
}
ACKNOWLEDGED, KILLED = 0, 9

# Set from the command line: "grouped" in front of the scenario's name.
GROUPED = sys.argv[1:2] != [] and sys.argv[1].startswith("grouped ")

Fault = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


class Breaker:
    """Stands before the calls to the system and breaks one, or all from one on until healed."""

    def __init__(self, at: int, fault: Fault, *, lasting: bool = False) -> None:
        self.names: list[str] = []
        self.healed = False
        self._at = at
        self._fault = fault
        self._lasting = lasting
        for module, names in CALLS.items():
            for name in names:
                setattr(module, name, self._guarded(name, getattr(module, name)))

    def _guarded(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.names.append(name)
            count = len(self.names)
            if count == self._at or (self._lasting and count > self._at and not self.healed):
                return self._fault(real, args, kwargs)
            return real(*args, **kwargs)

        return call


def kill_before(*_: Any) -> Any:
    os._exit(KILLED)


def kill_after(real: Any, args: Any, kwargs: Any) -> Any:
    real(*args, **kwargs)
    os._exit(KILLED)


def fail_with(code: int, *, done: bool) -> Fault:
    def fault(real: Any, args: Any, kwargs: Any) -> Any:
        if done or real.__name__ == "close":  # a close that fails has closed all the same
            real(*args, **kwargs)
        raise OSError(code, os.strerror(code))

    return fault


def write_part_then(size: int, then: str) -> Fault:
    """Write only the first bytes, then die, fail, or report the short count."""

    def fault(real: Any, args: Any, kwargs: Any) -> Any:
        if real.__name__ != "write":
            return real(*args, **kwargs)
        written = real(args[0], bytes(args[1])[:size])
        if then == "kill":
            os._exit(KILLED)
        if then == "fail":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written

    return fault


FAULTS: dict[str, Fault] = {
    "kill before": kill_before,
    "kill after": kill_after,
    "EIO": fail_with(errno.EIO, done=False),
    "EIO although done": fail_with(errno.EIO, done=True),
    "ENOSPC": fail_with(errno.ENOSPC, done=False),
    "short write": write_part_then(7, "report"),
    "short write, then full": write_part_then(7, "fail"),
    "short write, then killed": write_part_then(7, "kill"),
}


def new_logger(folder: Path) -> AuditLogger:
    return AuditLogger(folder, group_commit=GROUPED)


def prepare(scenario: str, folder: Path) -> list[int]:
    """Bring the folder into its state before the fault; return the numbers of its events."""
    if scenario == "empty":
        return []
    if scenario == "page":
        write_page_log(folder, [("step", {"n": 1}), ("step", {"n": 2})])
        return [1, 2]
    logger = new_logger(folder)
    for n in (1, 2, 3):
        logger.log_event("step", n=n)
    if scenario == "torn":
        with open(folder / NAME, "ab") as log:
            log.write(b'{"timestamp": "2026' + b"x" * 500)
    if scenario == "torn slot":
        with open(folder / f"{NAME}.head", "r+b") as head:
            head.write(b"x" * 100)
    if scenario == "lagging":
        old = (folder / f"{NAME}.head").read_bytes()
        logger.log_event("step", n=4)
        logger.log_event("step", n=5)
        (folder / f"{NAME}.head").write_bytes(old)
        return [1, 2, 3, 4, 5]
    if scenario == "gone":
        os.environ["FORGELM_ALLOW_AUDIT_REROOT"] = "1"
        (folder / NAME).unlink()
        return []
    return [1, 2, 3]


def log_nine(logger: AuditLogger) -> None:
    logger.log_event("step", n=9)


def victim(
    folder: Path,
    at: int,
    fault: Fault,
    *,
    lasting: bool,
    act: Callable[[AuditLogger], object] = log_nine,
    report: int = -1,
    held: bool = False,
) -> None:
    """In a child: log event 9 through the fault; after an error, log it again as advised.

    With `held` it is not the logger's first event: with group commit, its files are open by then.
    """
    logger = new_logger(folder)
    logger.lock_wait_s = 2
    if held:
        logger.log_event("step", n=8)
    breaker = Breaker(at, fault, lasting=lasting)
    try:
        act(logger)
    except AuditLogError:
        breaker.healed = True
        act(logger)
    if report >= 0:
        os.write(report, json.dumps(breaker.names).encode())
    os._exit(ACKNOWLEDGED)


def in_child(task: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 - nothing may escape into the parent's code
            print(f"unexpected {error!r}", file=sys.stderr)
        finally:
            os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def calls_of(scenario: str, folder: Path) -> list[str]:
    """The names of the calls that one undisturbed event makes."""
    prepare(scenario, folder)
    reading, writing = os.pipe()
    act = AuditLogger.rotate if scenario == "rotating" else log_nine
    held = scenario == "held"
    in_child(
        lambda: victim(folder, 0, kill_before, lasting=False, act=act, report=writing, held=held)
    )
    names: list[str] = json.loads(os.read(reading, 65536))
    return names


def harm(scenario: str, folder: Path, before: list[int], outcome: int) -> str | None:
    """Log on after the fault, and say what is wrong."""
    if scenario == "rotating":
        return harm_of_rotating(folder, outcome)
    new_logger(folder).log_event("after")
    result = verify_audit_log(folder / NAME)
    if not result.valid or not result.anchored:
        return f"not valid: {result.reason}"
    entries = check_by_the_page(folder / NAME, os.environ.get("FORGELM_AUDIT_SECRET") or None)
    steps = [entry["n"] for entry in entries if entry["event"] == "step"]
    allowed = [[*before, 9]] if outcome == ACKNOWLEDGED else [[*before, 9], before]
    if scenario == "gone" and entries[0]["event"] != "audit.chain_rerooted":
        return "a new chain was begun in silence"
    if steps not in allowed or outcome not in (ACKNOWLEDGED, KILLED):
        return f"events {steps} with outcome {outcome}"
    if entries[-1]["event"] != "after":
        return "the last event is not the last line"
    if scenario == "torn" and "audit.tail_recovered" not in [entry["event"] for entry in entries]:
        return "the torn bytes were cut in silence"
    for entry in entries:
        if entry["event"] == "audit.tail_recovered":
            saved = (folder / entry["saved_as"]).read_bytes()
            if hashlib.sha256(saved).hexdigest() != entry["torn_sha256"]:
                return "the torn bytes were not kept"
    return None


def harm_of_rotating(folder: Path, outcome: int) -> str | None:
    """Log on after a rotation that a fault struck, and count the events over all files."""
    new_logger(folder).log_event("step", n=9)
    result = verify_audit_log(folder / NAME)
    if not result.valid or not result.anchored:
        return f"not valid: {result.reason}"
    secret = os.environ.get("FORGELM_AUDIT_SECRET") or None
    files = [*sorted(folder.glob(f"{NAME}.0???")), folder / NAME]
    entries = [entry for file in files for entry in check_by_the_page(file, secret)]
    steps = [entry["n"] for entry in entries if entry["event"] == "step"]
    if steps != [1, 2, 3, 9] or outcome not in (ACKNOWLEDGED, KILLED):
        return f"events {steps} in {len(files)} files with outcome {outcome}"
    return None if result.entries_count == len(entries) else "lines were left out"


def trials(scenario: str, names: list[str]) -> Iterator[tuple[str, int, Fault, bool]]:
    if scenario == "every byte":
        writes = [at for at, name in enumerate(names, 1) if name == "write"]
        line = writes[0 if GROUPED else 1]
        for size in range(1, 250):
            yield f"{size} bytes, then killed", line, write_part_then(size, "kill"), False
        return
    for label, fault in FAULTS.items():
        for at, name in enumerate(names, 1):
            if name == "write" or not label.startswith("short"):
                yield f"{label} at call {at} ({name})", at, fault, False
            if label in ("EIO", "ENOSPC", "EIO although done"):
                yield f"{label} from call {at} ({name}) on", at, fault, True


def main(scenario: str, base: Path) -> None:
    names = calls_of(scenario, _fresh(base))
    print(" ".join(names))
    count, failures = 0, []
    for label, at, fault, lasting in trials(scenario, names):
        folder = _fresh(base)
        before = prepare(scenario, folder) + [8] * (scenario == "held")
        act = AuditLogger.rotate if scenario == "rotating" else log_nine
        outcome = in_child(
            lambda f=folder, a=at, x=fault, on=lasting, act=act: victim(
                f, a, x, lasting=on, act=act, held=scenario == "held"
            )
        )
        count += 1
        try:
            wrong = harm(scenario, folder, before, outcome)
        except (OSError, AssertionError) as error:
            wrong = repr(error)
        if wrong:
            failures.append(f"{label}: {wrong}")
    print(count)
    print("\n".join(failures))


def _fresh(base: Path) -> Path:
    shutil.rmtree(base / "run", ignore_errors=True)
    (base / "run").mkdir(parents=True)
    return base / "run"


if __name__ == "__main__":
    main(sys.argv[1].removeprefix("grouped "), Path(sys.argv[2]))
