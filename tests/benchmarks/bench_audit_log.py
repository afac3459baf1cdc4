"""Speed of the audit log as ratios to the work that cannot be avoided; run it by hand.

python tests/benchmarks/bench_audit_log.py [ENTRIES [EVENTS [FOLDER]]]
python tests/benchmarks/bench_audit_log.py verify [ENTRIES]

BENCH_FLUSH_MS makes each flush take so much longer, to stand for a slower disk.
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


def events_per_s_of_processes(folder: Path, events: int) -> float:
    """Return how many events eight processes with group commit log a second."""
    command = [sys.executable, __file__, "writer", str(folder), str(events)]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    begun = time.perf_counter()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0] * WRITERS
    elapsed = time.perf_counter() - begun
    assert verify_audit_log(folder / "audit_log.jsonl").entries_count == WRITERS * (events + 1)
    return WRITERS * events / elapsed


def events_per_flush(folder: Path) -> float:
    """Return how many lines of a log with group commit shared a flush: two slots are one flush."""
    slots = (folder / "audit_log.jsonl.head").read_bytes()
    heads = [json.loads(slots[start : start + 4096]) for start in (0, 4096)]
    return float(2 * heads[0]["entries"] / max(head["generation"] for head in heads))


def be_a_writer(folder: str, events: int) -> None:
    """Log when told to, as one of many processes."""
    logger = AuditLogger(folder, group_commit=True)
    logger.log_event("warm")
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(events):
        logger.log_event("training.step", step=number, loss=0.5)


def flushes_per_s(path: Path, events: int) -> float:
    """Return how many bare writes with a flush each the disk takes a second."""
    with open(path, "ab", buffering=0) as file:
        begun = time.perf_counter()
        for _ in range(events):
            file.write(b"x" * 330 + b"\n")
            os.fsync(file.fileno())
        return events / (time.perf_counter() - begun)


def bench_writing(folder: Path, events: int) -> None:
    """Print the rates of writing, the medians of rounds in turn: a disk is not always as fast."""
    bare, single, threads, processes, shared = [], [], [], [], []
    for turn in range(ROUNDS):
        place = folder / str(turn)
        place.mkdir()
        bare.append(flushes_per_s(place / "bare", events))
        single.append(events_per_s(place / "single", 1, events, grouped=False))
        threads.append(events_per_s(place / "threads", WRITERS, events, grouped=True))
        processes.append(events_per_s_of_processes(place / "processes", events))
        shared.append(events_per_flush(place / "processes"))
    one = statistics.median(single)
    print(f"bare write and flush: {statistics.median(bare):.0f} a second")
    print(f"log_event, one writer: {one:.0f} events a second")
    print(f"group commit, {WRITERS} threads: {statistics.median(threads) / one:.1f} x one writer")
    print(
        f"group commit, {WRITERS} processes: {statistics.median(processes) / one:.1f} x one writer"
    )
    print(f"  events that shared a flush: {statistics.median(shared):.1f}")


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
        be_a_writer(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["verify"]:
        with tempfile.TemporaryDirectory() as made:
            bench_verifying(Path(made, "built.jsonl"), int((sys.argv[2:] or ["1000000"])[0]))
    else:
        counts = [int(text) for text in sys.argv[1:3]]
        with tempfile.TemporaryDirectory(dir=sys.argv[3] if len(sys.argv) > 3 else None) as made:
            bench_writing(Path(made), (counts[1:] or [200])[0])
            bench_verifying(Path(made, "built.jsonl"), (counts or [1_000_000])[0])
