"""What the config builder and `%load_ext forgelm` cost: bytes, and milliseconds of waiting.

The last lines come from the builder's own test in a real JupyterLab, and need a Chromium.

Run: python tests/benchmarks/bench_config_builder.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from forgelm_widgets import ConfigBuilder

_KEYS = 60
_ROUNDS = 5
_LAB_TEST = Path(__file__).parents[1] / "browser" / "test_config_builder_lab.py"
_SHELL = """
import time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began_s = time.perf_counter()
{code}
print(1_000 * (time.perf_counter() - began_s))
"""
_COLD = {
    "%load_ext forgelm": "shell.run_line_magic('load_ext', 'forgelm')",
    "ConfigBuilder()": "from forgelm_widgets import ConfigBuilder; ConfigBuilder()",
}


class _Silent(ConfigBuilder):
    def send(self, content: object, buffers: object = None) -> None:
        """Send nothing: there is no page."""


def _cold_ms(code: str) -> float:
    """Return the median time of `code` in new IPython shells, imports included."""
    command = [sys.executable, "-c", _SHELL.format(code=code)]
    return statistics.median(
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(_ROUNDS)
    )


def _key_times_ms(
    builder: ConfigBuilder, name: str, args: Sequence[Mapping[str, Any]]
) -> list[float]:
    """Return how long each command took until its checked state was there, in order of length."""
    spent_ms = []
    for number, one in enumerate(args):
        began_s = time.perf_counter()
        message = {"kind": "cmd", "id": f"{name}{number}", "name": name, "args": one}
        builder._handle_custom_msg(message, [])
        while builder.state["values"]["training"].get("max_steps") != number + 1:
            time.sleep(0.0005)
        spent_ms.append(1_000 * (time.perf_counter() - began_s))
    return sorted(spent_ms)


def main() -> None:
    """Print the figures."""
    for name, code in _COLD.items():
        print(f"{name} in a new shell: {_cold_ms(code):.0f} ms")
    builder = _Silent("cpu-smoke")
    state = builder.get_state()
    sizes = {key: len(json.dumps(state[key])) for key in ("_esm", "_css", "form", "state")}
    print(f"bytes: {sizes}, together {sum(sizes.values()):,}")
    path = ["training", "max_steps"]
    keys = [{"path": path, "value": str(number + 1)} for number in range(_KEYS)]
    texts = [
        {"text": builder.yaml.replace("max_steps: 5", f"max_steps: {number + 1}")}
        for number in range(_KEYS)
    ]
    for label, name, args in (("key", "set", keys), ("YAML edit", "edit", texts)):
        ordered = _key_times_ms(builder, name, args)
        print(
            f"{label} to checked state: median {statistics.median(ordered):.1f} ms, "
            f"95th percentile {ordered[int(0.95 * _KEYS)]:.1f} ms, of {_KEYS}"
        )
    builder.close()
    command = [sys.executable, "-m", "pytest", "-qs", str(_LAB_TEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(*(line for line in done.stdout.splitlines() if " ms" in line), sep="\n")


if __name__ == "__main__":
    main()
