"""Print what `import forgelm` costs, as a ratio to starting Python and doing nothing.

Run: python tests/benchmarks/bench_import.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 21
COMMANDS = {
    "pass": "pass",
    "import forgelm": "import forgelm",
    "forgelm.ForgeConfig": "import forgelm; forgelm.ForgeConfig",
    "forgelm.ForgeTrainer": "import forgelm; forgelm.ForgeTrainer",
}


def main() -> None:
    """Time every command in turn, so that the machine's noise falls on all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, code in COMMANDS.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            seconds[name].append(time.perf_counter() - begin)
    base = statistics.median(seconds["pass"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<22} {1000 * median:7.1f} ms   {median / base:5.2f} x python -c pass")


if __name__ == "__main__":
    main()
