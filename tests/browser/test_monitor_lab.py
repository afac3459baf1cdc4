"""A detached run and its monitor in a real JupyterLab: watch, stop, lose the kernel or the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

_ROWS = """import json
from pathlib import Path
import forgelm
from forgelm_widgets import attach, launch
with open("rows.jsonl", "w") as stream:
    for n in range(64):
        reply = {"prompt": f"Where is parcel {n}?", "completion": f"Parcel {n} is on its way."}
        print(json.dumps(reply), file=stream)"""
_LAUNCH = """config = forgelm.ForgeConfig(
    model={"name_or_path": MODEL, "max_length": 64, "load_in_4bit": False},
    lora={"r": 4, "alpha": 8},
    data={"dataset_name_or_path": "rows.jsonl"},
    training={"output_dir": "run", "max_steps": STEPS},
)
monitor = launch(config)
monitor"""
_ATTACH = """again = attach("run")
again"""
_POINTS = (
    "Number(document.querySelector('.forgelm-monitor-main .forgelm-monitor-chart')"
    "?.dataset.points ?? 0)"
)
_STARTS_MS = _ENDS_MS = 120_000


def _notebook(path: Path, model: Path, steps: int) -> Path:
    cells = [f"MODEL = {str(model)!r}\nSTEPS = {steps}\n{_ROWS}", _LAUNCH, _ATTACH]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in cells])
    nbformat.write(notebook, path)
    return path


def _launch(notebook: Any) -> None:
    notebook.run_cell(0)
    notebook.run_cell(1)
    _wait_for_points(notebook.page, 10)


def _wait_for_points(page: Any, more_than: int) -> int:
    page.wait_for_function(f"{_POINTS} > {more_than}", timeout=_STARTS_MS)
    return int(page.evaluate(_POINTS))


def _stop(notebook: Any) -> None:
    notebook.page.get_by_role("button", name="Stop", exact=True).click()
    notebook.page.locator(".forgelm-monitor[data-state=stopped]").wait_for(timeout=60_000)


def test_the_curve_moves_while_the_cell_is_free_and_stop_leaves_a_checkpoint(
    open_notebook: Callable[..., Any],
    tiny_model: Path,
    tmp_path: Path,
    screenshots: Path,
    kernel: str,
) -> None:
    path = _notebook(tmp_path / "watch.ipynb", tiny_model, 2_500)
    notebook = open_notebook(path, kernel=kernel)
    _launch(notebook)
    drawn = int(notebook.page.evaluate(_POINTS))
    assert notebook.kernel_value("6 * 7") == "42"
    _wait_for_points(notebook.page, drawn + 5)
    notebook.page.screenshot(path=screenshots / "monitor-lab-running.png")
    _stop(notebook)
    told = notebook.page.locator(".forgelm-monitor-told").inner_text()
    assert told.startswith("Safe: the run can be resumed; checkpoint ")
    checkpoint = Path(told.removesuffix(".").split("checkpoint ", 1)[1])
    assert (notebook.path.parent / checkpoint / "trainer_state.json").is_file()
    notebook.page.screenshot(path=screenshots / "monitor-lab-stopped.png")
    assert notebook.tab.outside == []
    assert notebook.tab.errors == []


def test_a_restarted_kernel_changes_nothing_for_the_run_and_sees_all_of_it(
    open_notebook: Callable[..., Any], tiny_model: Path, tmp_path: Path
) -> None:
    notebook = open_notebook(_notebook(tmp_path / "restart.ipynb", tiny_model, 1_000))
    _launch(notebook)
    notebook.restart_kernel()
    notebook.run_cell(0)
    notebook.run_cell(2)
    chart = notebook.page.locator(".forgelm-monitor").nth(1).locator(".forgelm-monitor-chart")
    chart.first.wait_for(timeout=60_000)
    label = chart.first.get_attribute("aria-label")
    assert label.startswith("Loss over steps 0 to ")
    notebook.page.get_by_text("Finished at step 1,000 of 1,000").first.wait_for(timeout=_ENDS_MS)
    seen = "len(again.to_frame()) == len(list(forgelm.read_progress('run'))) > 500"
    assert notebook.kernel_value(seen) == "True"


def test_a_page_that_was_closed_for_a_while_shows_the_whole_curve_again(
    open_notebook: Callable[..., Any], tiny_model: Path, tmp_path: Path
) -> None:
    notebook = open_notebook(_notebook(tmp_path / "closed.ipynb", tiny_model, 2_500))
    _launch(notebook)
    notebook.save()
    url = notebook.page.url
    drawn = int(notebook.page.evaluate(_POINTS))
    context = notebook.page.context
    notebook.page.close()
    notebook.tab.page = context.new_page()
    notebook.page.wait_for_timeout(3000)
    notebook.page.goto(url)
    steps = _wait_for_points(notebook.page, drawn + 20)
    label = notebook.page.locator(".forgelm-monitor-chart").first.get_attribute("aria-label")
    assert label.startswith("Loss over steps 0 to ")
    _wait_for_points(notebook.page, steps)
    _stop(notebook)
