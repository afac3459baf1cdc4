"""Stop reaches a run in a thread, on every kernel, also after the page was loaded anew."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

_TRIALS = int(os.environ.get("FORGELM_STOP_TRIALS", "2"))
_SCRIPT = Path(__file__).parent / "scripted_trainer.py"
_PREPARE = f"""exec(open({str(_SCRIPT)!r}).read())
import threading
class Stoppable(ScriptedTrainer):
    reason = None
    def stop(self, reason):
        self.reason = reason
    def train(self):
        self.tell("train_begin", 0)
        for step in range(1, self.steps + 1):
            time.sleep(0.05)
            if self.reason:
                self.tell("stopping", step, self.reason)
                break
            self.tell("log", step, loss=5 / step)
        time.sleep(2)
        self.tell("train_end", step)"""
_TRAIN = """trainer = Stoppable(4000)
monitor = TrainingMonitor(trainer)
threading.Thread(target=trainer.train).start()
monitor"""
_ENDED = ":text('Stopped on request at step'), .forgelm-monitor[data-state=stopped]"
# From the click to the first word of the kernel's, and to the run's own word.
_CLICK = """async () => {
    const [root] = document.getElementsByClassName('forgelm-monitor');
    const stop = root.getElementsByClassName('forgelm-monitor-act-stop')[0];
    const told = root.getElementsByClassName('forgelm-monitor-told')[0];
    const words = async (pattern) => {
        while (!pattern.test(told.textContent)) await new Promise((r) => setTimeout(r, 5));
        return performance.now() - began;
    };
    const began = performance.now();
    stop.click();
    return [await words(/heard Stop|asked for|Acknowledged/), await words(/Acknowledged/)];
}"""


def test_stop_is_acknowledged_also_after_the_page_was_loaded_anew(
    open_notebook: Callable[..., Any], tmp_path: Path, kernel: str
) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in (_PREPARE, _TRAIN)]
    path = tmp_path / "stop.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    notebook = open_notebook(path, kernel=kernel)
    notebook.run_cell(0)
    waits = []
    for _ in range(_TRIALS):
        notebook.run_cell(1)
        notebook.page.locator(".forgelm-monitor[data-state=running]").wait_for()
        notebook.save()
        notebook.page.reload()
        notebook.page.locator(".forgelm-monitor[data-state=running]").wait_for(timeout=60_000)
        waits.append(notebook.page.evaluate(_CLICK))
        assert notebook.kernel_value("trainer.reason") is not None
        # The card, or the view where the page does not know its output by name any more.
        notebook.page.locator(_ENDED).first.wait_for()
    heard, acknowledged = zip(*waits, strict=True)
    for words, times_ms in (("kernel", heard), ("run", acknowledged)):
        print(
            f"{kernel} {words}: {statistics.median(times_ms):.0f} ms, {max(times_ms):.0f} at most"
        )
