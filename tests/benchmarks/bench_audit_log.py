"""Speed of the audit log as ratios to the work that cannot be avoided; run it by hand.

python tests/benchmarks/bench_audit_log.py [ENTRIES [FOLDER]]
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

from forgelm import AuditLogger, verify_audit_log

SECRET = "bench-" + "secret"
EVENTS = 300


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


def hash_and_parse(path: Path) -> None:
    """Do what no verifier can do without: hash and parse each line."""
    with open(path, "rb") as log:
        for line in log:
            hashlib.sha256(line).hexdigest()
            json.loads(line)


def seconds(task: Callable[[], object], rounds: int = 3) -> float:
    """Return the shortest of a few times."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        task()
        times.append(time.perf_counter() - begun)
    return min(times)


def peak_mib(task: Callable[[], object]) -> float:
    """Return the most memory that a task held at once."""
    tracemalloc.start()
    task()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def bare_append(path: Path) -> None:
    """Append as many lines with a write and a flush each, and nothing else."""
    with open(path, "ab", buffering=0) as log:
        for _ in range(EVENTS):
            log.write(b"x" * 330 + b"\n")
            os.fsync(log.fileno())


def log_events(logger: AuditLogger) -> None:
    """Append through the logger."""
    for number in range(EVENTS):
        logger.log_event("training.step", step=number, loss=0.5)


def main(entries: int, folder: Path) -> None:
    """Print the ratios."""
    path = folder / "built.jsonl"
    for secret in (None, SECRET):
        build_log(path, entries, secret)
        verify = partial(verify_audit_log, path, hmac_secret=secret, require_hmac=bool(secret))
        assert verify().valid
        least = seconds(partial(hash_and_parse, path))
        ours = seconds(verify)
        kind = "tagged" if secret else "plain"
        print(f"verify, {kind}: {ours / least:.2f} x hashing and parsing {entries} lines")
        print(f"  {ours / entries * 1e6:.1f} us a line")
        print(f"  peak memory {peak_mib(verify):.1f} MiB")
    bare = seconds(lambda: bare_append(folder / "bare"))
    logger = AuditLogger(folder / "run")
    logged = seconds(lambda: log_events(logger))
    print(
        f"log_event: {logged / bare:.2f} x a bare write and flush ({EVENTS / logged:.0f} events/s)"
    )


if __name__ == "__main__":
    os.environ.setdefault("FORGELM_OPERATOR", "bench")
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as made:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, Path(made))
