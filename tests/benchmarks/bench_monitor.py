"""What a `TrainingMonitor` costs: python tests/benchmarks/bench_monitor.py [steps].

Prints the cost of a step in the training thread, the bytes a step that a kernel's socket sends,
the time until a long run is on the page, and the memory that a day of updates takes.
"""

from __future__ import annotations

import gc
import json
import math
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

from forgelm import ProgressEvent
from forgelm_widgets import TrainingMonitor

RUN_ID = "fg-0123456789ab"
_NAMES = ("loss", "grad_norm", "learning_rate", "num_tokens", "tokens_per_second")
_LIVE = """
import math, time
from forgelm import ProgressEvent
from forgelm_widgets import TrainingMonitor

class Trainer:
    def subscribe(self, listener): self.tell = listener
    def unsubscribe(self, listener): pass

trainer = Trainer()
TrainingMonitor(trainer).show()
spent = 0.0
began = time.perf_counter()
for n in range({steps} + 1):
    kind = "log" if n else "train_begin"
    metrics = dict.fromkeys({names}, math.sin(n)) if n else {{}}
    event = ProgressEvent(kind, "fg-0123456789ab", n, time.time(), n, {steps}, 0.0, metrics)
    before = time.perf_counter()
    trainer.tell(event)
    spent += time.perf_counter() - before
    time.sleep(max(0.0, began + n / 100 - time.perf_counter()))
print(spent / {steps} * 1e3)
"""


class _Trainer:
    def subscribe(self, listener: Any, /) -> None:
        self.tell = listener

    def unsubscribe(self, listener: Any, /) -> None:
        """Tell it nothing more."""


def _event(n: int, steps: int) -> ProgressEvent:
    kind: Any = "log" if n else "train_begin"
    metrics = dict.fromkeys(_NAMES, 1 + math.sin(n)) if n else {}
    return ProgressEvent(kind, RUN_ID, n, 1.7e9 + n / 100, n, steps, n / steps, metrics)


def live_cost(steps: int) -> tuple[float, float, float]:
    """Return ms a step in a cell at 100 steps/s, and bytes a step with and without headers."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    sizes: list[tuple[int, int]] = []
    printed: list[str] = []

    def keep(message: dict[str, Any]) -> None:
        if message["msg_type"] == "comm_msg":
            buffers = sum(len(bytes(one)) for one in message["buffers"])
            whole = ("header", "parent_header", "metadata", "content")
            heads = sum(len(json.dumps(message[part], default=str)) for part in whole)
            sizes.append((heads + buffers, len(json.dumps(message["content"])) + buffers))
        elif message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    try:
        client.wait_for_ready(timeout=120)
        code = _LIVE.format(steps=steps, names=_NAMES)
        client.execute_interactive(code, timeout=600, output_hook=keep)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    whole, content = (sum(column) / steps for column in zip(*sizes, strict=True))
    return float(printed[-1]), whole, content


def opening_s(steps: int, run_dir: Path) -> tuple[float, float, float]:
    """Return seconds until a part and until all of a record is on the page, and of the CPU."""
    with open(run_dir / "metrics.jsonl", "w", encoding="utf-8") as stream:
        for n in range(steps + 1):
            stream.write(json.dumps(_event(n, steps).to_json()) + "\n")
    (run_dir / "run.json").write_text(json.dumps({"run_id": RUN_ID}))
    began, busy_s = time.perf_counter(), time.process_time()
    monitor = TrainingMonitor(run_dir)
    first = 0.0
    while not (series := monitor.snapshot["series"]) or series[0]["total"] < steps:
        if series and not first:
            first = time.perf_counter() - began
        time.sleep(0.01)
    whole = time.perf_counter() - began
    busy_s = time.process_time() - busy_s
    monitor.close()
    return first or whole, whole, busy_s


def day_of_updates() -> tuple[int, float]:
    """Return the steps of a day at one a second, and the MB that they take in the kernel."""
    steps = 86_400
    trainer = _Trainer()
    monitor = TrainingMonitor(trainer)
    monitor.wait()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(steps + 1):
        trainer.tell(_event(n, steps))
        if n % 5_000 == 0:
            monitor.wait()
    monitor.wait()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    monitor.close()
    return steps, grown / 1e6


def main() -> None:
    """Print everything."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    cost, whole, content = live_cost(steps)
    print(f"in a cell at 100 steps/s, {steps:,} steps: {cost:.4f} ms a step in the callback")
    print(f"  {content:.0f} B a step over the comm, {whole:.0f} B with the messages' headers")
    with tempfile.TemporaryDirectory() as folder:
        for count in (10_000, 100_000):
            first, last, busy = opening_s(count, Path(folder))
            words = f"drawn after {first:.2f} s, whole after {last:.2f} s ({busy:.2f} s of CPU)"
            print(f"a run of {count:,} steps: {words}")
    steps, grown = day_of_updates()
    print(f"a day at one step a second ({steps:,} steps, 5 metrics): {grown:.1f} MB")


if __name__ == "__main__":
    main()
