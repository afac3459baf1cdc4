"""A training that is started from the form: its live view stands below it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from forgelm import attach_run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_MAKE = """import json
from forgelm_widgets import ConfigBuilder
with open("rows.jsonl", "w") as stream:
    for n in range(16):
        reply = {"prompt": f"Where is parcel {n}?", "completion": f"Parcel {n} is on its way."}
        print(json.dumps(reply), file=stream)
builder = ConfigBuilder({
    "model": {"name_or_path": MODEL, "max_length": 64, "load_in_4bit": False},
    "lora": {"r": 4, "alpha": 8},
    "training": {"output_dir": "run", "max_steps": 20000, "per_device_train_batch_size": 2},
    "data": {"dataset_name_or_path": "rows.jsonl"},
})
builder"""


def test_a_training_starts_from_the_form_and_is_followed_below_it(
    open_notebook: Callable[..., Any],
    tiny_model: Path,
    tmp_path: Path,
    screenshots: Path,
    request: pytest.FixtureRequest,
) -> None:
    cell = nbformat.v4.new_code_cell(f"MODEL = {str(tiny_model)!r}\n{_MAKE}")
    path = tmp_path / "train.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    notebook = open_notebook(path)
    request.addfinalizer(lambda: attach_run(notebook.path.parent / "run").stop("the test ends"))
    page = notebook.page
    notebook.run_all()
    train = page.get_by_role("button", name="Train", exact=True)
    page.get_by_text("✓ Valid configuration").wait_for()
    train.click()
    page.get_by_text("A training was started in a process of its own").wait_for(timeout=60_000)
    run = str(notebook.path.parent / "run")
    assert page.locator(".forgelm-config-told", has_text=run).is_visible()
    monitor = page.locator(".forgelm-monitor")
    monitor.wait_for(timeout=60_000)
    assert monitor.bounding_box()["y"] > page.locator(".forgelm-config").bounding_box()["y"]
    train.click()
    page.locator(".forgelm-config-bad", has_text="choose another output_dir").wait_for()
    while int(notebook.kernel_value("builder.monitor.run.status().step") or 0) < 3:
        page.wait_for_timeout(300)
    monitor.scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "lab-builder-train.png")
    notebook.kernel_value("builder.monitor.run.stop('enough', timeout=60)")
    monitor.scroll_into_view_if_needed()
    monitor.get_by_text("Stopped").first.wait_for()
    notebook.kernel_value("builder.monitor.close()")
    page.locator(".jp-RenderedHTML", has_text="topped").wait_for()
    assert monitor.count() == 0
    assert page.locator(".forgelm-config").is_visible()
    notebook.kernel_value("builder.close()")
    page.locator(".forgelm-config").wait_for(state="detached")
    assert notebook.tab.outside == []
    assert notebook.tab.errors == []
