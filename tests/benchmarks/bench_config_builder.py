"""The config builder's kernel side: bytes to open it, milliseconds from a key to a checked state.

Run: python tests/benchmarks/bench_config_builder.py
"""

from __future__ import annotations

import json
import statistics
import time

from forgelm_widgets import ConfigBuilder

_KEYS = 60


class _Silent(ConfigBuilder):
    def send(self, content: object, buffers: object = None) -> None:
        """Send nothing: there is no page."""


def main() -> None:
    """Print the figures."""
    began_s = time.perf_counter()
    builder = _Silent("qlora")
    opened_ms = 1_000 * (time.perf_counter() - began_s)
    state = builder.get_state()
    sizes = {key: len(json.dumps(state[key])) for key in ("_esm", "_css", "form", "state")}
    spent_ms = []
    for number in range(_KEYS):
        args = {"path": ["training", "max_steps"], "value": str(number + 1)}
        began_s = time.perf_counter()
        builder._handle_custom_msg({"kind": "cmd", "id": number, "name": "set", "args": args}, [])
        while builder.state["values"]["training"].get("max_steps") != number + 1:
            time.sleep(0.0005)
        spent_ms.append(1_000 * (time.perf_counter() - began_s))
    builder.close()
    print(f"open: {opened_ms:.0f} ms; bytes: {sizes}, together {sum(sizes.values()):,}")
    ordered = sorted(spent_ms)
    print(
        f"key to checked state: median {statistics.median(ordered):.1f} ms, "
        f"95th percentile {ordered[int(0.95 * _KEYS)]:.1f} ms, of {_KEYS}"
    )


if __name__ == "__main__":
    main()
