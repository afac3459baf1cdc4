"""Speed of the audit log as ratios to the work that cannot be avoided; run it by hand.

python tests/benchmarks/bench_audit_log.py [ENTRIES [EVENTS [FOLDER]]]
python tests/benchmarks/bench_audit_log.py verify [ENTRIES]

BENCH_FLUSH_MS makes each flush take so much longer, to stand for a slower disk; one that takes the
flushes of all processes at once, so that it says nothing about bare writes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from forgelm import AuditLogger, verify_audit_log

SECRET = "bench-" + "secret"
LONG_LINE_MB = 100
WRITERS = 8
ROUNDS = 5


def build_log(path: Path, entries: int, secret: str | None) -> None:
    """Write a log of lines of about 330 bytes."""
    run_id, previous = "fg-0123456789ab", "genesis"
    key = hashlib.sha256(((secret or "") + run_id).encode()).digest()
    with open(path, "wb") as log:
        for number in range(entries):
            entry = {
                "timestamp": "2026-01-02T03:04:05.678901+00:00",
                "run_id": run_id,
                "operator": "airflow:dag-1234:run-5678",
                "event": "training.step",
                "prev_hash": previous,
                "step": number,
                "loss": 1 / (number + 1),
                "metrics": {"eval_loss": 0.43, "rouge_l": 0.61},
            }
            if secret:
                entry["_hmac"] = hmac.digest(key, json.dumps(entry).encode(), "sha256").hex()
            line = json.dumps(entry).encode()
            previous = hashlib.sha256(line).hexdigest()
            log.write(line + b"\n")


def hash_and_parse(path: Path, *, tagged: bool) -> None:
    """Do what no verifier can do without: hash and parse each line, and compute its tag."""
    key = bytes(32)
    with open(path, "rb") as log:
        for line in log:
            hashlib.sha256(line).hexdigest()
            json.loads(line)
            if tagged:
                hmac.digest(key, line, "sha256")


def seconds(*tasks: Callable[[], object], rounds: int = 3) -> list[float]:
    """Return the least processor time of each in a few rounds in turn: others do not count."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(rounds):
        for task, taken in zip(tasks, times, strict=True):
            begun = time.process_time()
            task()
            taken.append(time.process_time() - begun)
    return [min(taken) for taken in times]


def peak_mib(path: Path) -> float:
    """Return how far a process of its own grows while it verifies a log."""
    code = (
        "import sys, forgelm.compliance as c\n"
        "def kib(name):\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(line.split()[1]) for line in lines if line.startswith(name))\n"
        "verify, log = c.verify_audit_log, sys.argv[1]\n"
        "before = kib('VmRSS')\n"
        "verify(log)\n"
        "print(kib('VmHWM') - before)"
    )
    command = [sys.executable, "-c", code, str(path)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout) / 1024


def bench_verifying(path: Path, entries: int) -> None:
    """Print the ratios of verifying."""
    for secret in (None, SECRET):
        build_log(path, entries, secret)
        verify = partial(verify_audit_log, path, hmac_secret=secret, require_hmac=bool(secret))
        assert verify().valid
        least, ours = seconds(partial(hash_and_parse, path, tagged=bool(secret)), verify)
        kind = "tagged" if secret else "plain"
        print(f"verify {entries} lines, {kind}: {ours / least:.2f} x hashing and parsing them")
        print(f"  {ours / entries * 1e6:.1f} us a line")
        print(f"  memory above the interpreter's {peak_mib(path):.1f} MiB")
    logger = AuditLogger(path.parent / "long")
    logger.log_event("long", text="x" * (LONG_LINE_MB * 1_000_000))
    least, ours = seconds(
        partial(hash_and_parse, logger.path, tagged=False), partial(verify_audit_log, logger.path)
    )
    memory = peak_mib(logger.path)
    print(f"verify one line of {LONG_LINE_MB} MB: {ours / least:.2f} x, memory {memory:.0f} MiB")


def events_per_s(folder: Path, threads: int, events: int, *, grouped: bool) -> float:
    """Return how many events threads of one process log a second."""
    logger = AuditLogger(folder, group_commit=grouped)
    logger.log_event("warm")

    def write() -> None:
        for number in range(events):
            logger.log_event("training.step", step=number, loss=0.5)

    running = [threading.Thread(target=write) for _ in range(threads)]
    begun = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    elapsed = time.perf_counter() - begun
    assert verify_audit_log(logger.path).entries_count == threads * events + 1
    return threads * events / elapsed


def events_per_s_of_processes(folder: Path, writers: int, events: int, kind: str) -> float:
    """Return how many events processes log a second.

    Args:
        folder: Of the log.
        writers: How many processes.
        events: How many each logs.
        kind: "grouped", "single", or "bare" for no more than to write and flush.
    """
    command = [sys.executable, __file__, "writer", str(folder), str(events), kind]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(writers)
    ]
    for writer in running:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in running:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    times = [json.loads(writer.communicate()[0]) for writer in running]
    assert [writer.returncode for writer in running] == [0] * writers
    if kind != "bare":
        assert verify_audit_log(folder / "audit_log.jsonl").entries_count == writers * (events + 1)
    return writers * events / (max(end for _, end in times) - min(begin for begin, _ in times))


def events_per_flush(folder: Path) -> float:
    """Return how many lines of a log with group commit shared a flush: a generation is one."""
    slots = (folder / "audit_log.jsonl.head").read_bytes()
    heads = [json.loads(slots[start : start + 4096]) for start in (0, 4096)]
    return float(heads[0]["entries"] / max(head["generation"] for head in heads))


def be_a_writer(folder: str, events: int, kind: str) -> None:
    """Log when told to, as one of many processes; print when that began and ended, seconds."""
    logger = AuditLogger(folder, group_commit=kind == "grouped")
    logger.log_event("warm")
    print("ready", flush=True)
    sys.stdin.readline()
    begun = time.monotonic()
    if kind == "bare":
        write_and_flush(logger.path.with_name("bare"), events)
    else:
        for number in range(events):
            logger.log_event("training.step", step=number, loss=0.5)
    print([begun, time.monotonic()])


def write_and_flush(path: Path, events: int) -> None:
    """Do what no writer can do without."""
    with open(path, "ab", buffering=0) as file:
        for _ in range(events):
            file.write(b"x" * 330 + b"\n")
            os.fsync(file.fileno())


def bench_writing(folder: Path, events: int) -> None:
    """Print the rates of writing, the medians of rounds in turn: a disk is not always as fast."""
    rates: dict[str, list[float]] = {}
    for turn in range(ROUNDS):
        place = folder / str(turn)
        place.mkdir()
        found = {
            "bare": events_per_s_of_processes(place / "bare", 1, events, "bare"),
            "bares": events_per_s_of_processes(place / "bares", WRITERS, events, "bare"),
            "thread": events_per_s(place / "thread", 1, events, grouped=False),
            "threads": events_per_s(place / "threads", WRITERS, events, grouped=True),
            "process": events_per_s_of_processes(place / "process", 1, events, "single"),
            "processes": events_per_s_of_processes(place / "processes", WRITERS, events, "grouped"),
            "shared": events_per_flush(place / "processes"),
        }
        for name, rate in found.items():
            rates.setdefault(name, []).append(rate)
    median = {name: statistics.median(values) for name, values in rates.items()}
    print(f"bare write and flush: {median['bare']:.0f} a second")
    bares = median["bares"] / median["bare"]
    print(f"bare write and flush, {WRITERS} processes: {bares:.1f} x one")
    print(f"log_event, one writer: {median['process']:.0f} events a second")
    threads = median["threads"] / median["thread"]
    processes = median["processes"] / median["process"]
    print(f"group commit, {WRITERS} threads: {threads:.1f} x one writer")
    print(f"group commit, {WRITERS} processes: {processes:.1f} x one writer")
    print(f"  events that shared a flush: {median['shared']:.1f}")


def slow_down_flushes(milliseconds: float) -> None:
    """Let each flush of this process take so much longer."""
    flush = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(milliseconds / 1000)
        flush(descriptor)

    setattr(os, "fsync", slow)  # noqa: B010 - a function of another signature


if __name__ == "__main__":
    if "BENCH_FLUSH_MS" in os.environ:
        slow_down_flushes(float(os.environ["BENCH_FLUSH_MS"]))
    os.environ.setdefault("FORGELM_OPERATOR", "bench")
    if sys.argv[1:2] == ["writer"]:
        be_a_writer(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    elif sys.argv[1:2] == ["verify"]:
        with tempfile.TemporaryDirectory() as made:
            bench_verifying(Path(made, "built.jsonl"), int((sys.argv[2:] or ["1000000"])[0]))
    else:
        counts = [int(text) for text in sys.argv[1:3]]
        with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as made:
            bench_writing(Path(made), (counts[1:] or [200])[0])
            bench_verifying(Path(made, "built.jsonl"), (counts or [1_000_000])[0])
