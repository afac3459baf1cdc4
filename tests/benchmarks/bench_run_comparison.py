"""How long a comparison of many runs, and of long ones, takes to be there, and what it sends.

Run: PYTHONPATH=.:tests python tests/benchmarks/bench_run_comparison.py
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from run_directories import write_metrics, write_run

from forgelm_widgets import RunComparison


def measure(folder: Path) -> None:
    """Print the seconds until the table is there and until the curves are, and the bytes."""
    began = time.perf_counter()
    comparison = RunComparison(folder)
    table_s = time.perf_counter() - began
    comparison.wait(600)
    all_s = time.perf_counter() - began
    points = comparison.detail["curves"]["points"]
    sent = len(json.dumps(comparison.table)) + len(points)
    comparison.close()
    name = f"{len(comparison.runs)} runs" if len(comparison.runs) > 4 else folder.name
    print(f"{name:<28} table {table_s:.2f} s, curves {all_s:.2f} s, {sent / 1000:.0f} kB")


def main() -> None:
    """Measure 300 runs of 1,000 steps, and four runs of 100,000."""
    with tempfile.TemporaryDirectory() as work:
        many = Path(work) / "many"
        for number in range(300):
            write_run(many / f"run-{number:03}", number=number, steps=1_000)
        long = Path(work) / "four of 100,000 steps"
        for number in range(4):
            write_metrics(write_run(long / f"run-{number}", number=number), steps=100_000)
        for folder in (many, long):
            measure(folder)


if __name__ == "__main__":
    main()
