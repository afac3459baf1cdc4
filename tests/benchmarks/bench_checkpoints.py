"""What signing a log and verifying it from a checkpoint cost; run it by hand.

python tests/benchmarks/bench_checkpoints.py [ENTRIES [FOLDER]]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench_audit_log import build_log

from forgelm import verify_audit_log
from forgelm.compliance import (
    consistency_proof,
    create_signing_key,
    inclusion_proof,
    sign_checkpoint,
)


def cpu_s(work: Callable[[], object]) -> float:
    """Return the processor seconds of the quickest of three calls."""
    taken = []
    for _ in range(3):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def peak_mib() -> float:
    """Return the most memory this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(entries: int, folder: Path) -> None:
    log = folder / "audit_log.jsonl"
    build_log(log, entries, None)
    public = create_signing_key(folder / "key", "bench")
    small = folder / "small"
    small.mkdir()
    build_log(small / "audit_log.jsonl", 10, None)
    sign_checkpoint(small, folder / "key")
    before = peak_mib()
    plain = cpu_s(lambda: verify_audit_log(log))
    works: dict[str, Callable[[], object]] = {
        "signing": lambda: sign_checkpoint(folder, folder / "key"),
        "verifying with a public key": lambda: verify_audit_log(log, public_key=public),
        "verifying only new lines": lambda: verify_audit_log(
            log, public_key=public, only_new_lines=True
        ),
        "a proof of inclusion": lambda: inclusion_proof(folder, entries // 2, entries),
        "a proof of consistency": lambda: consistency_proof(folder, entries // 3, entries),
    }
    print(f"{entries:,} lines; verifying without a key takes {plain:.2f} s")
    for name, work in works.items():
        taken = cpu_s(work)
        print(f"{name}: {taken:.4f} s, {taken / plain:.3f} x verifying without a key")
    print(f"memory above the start: {peak_mib() - before:.1f} MiB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir="".join(sys.argv[2:3]) or None) as scratch:
        main(int("".join(sys.argv[1:2]) or 200_000), Path(scratch))
