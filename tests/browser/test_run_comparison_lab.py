"""The comparison of runs in a real JupyterLab: a run is picked, the page reloaded, a card left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook, writes
from run_directories import write_run, write_scores

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_person_picks_a_run_in_a_notebook_and_a_card_stays(
    open_notebook: Callable[..., Any], tmp_path: Path, screenshots: Path
) -> None:
    runs = tmp_path / "runs"
    for number, name in enumerate(("first", "second", "third")):
        told = write_scores(runs / name, right=120 + 20 * number, unsafe=number)
        write_run(runs / name, number=number, steps=200, result=told)
    lines = ("%load_ext forgelm", f"%forgelm runs {runs} -o runs")
    path = tmp_path / "runs.ipynb"
    path.write_text(writes(new_notebook(cells=[new_code_cell(line) for line in lines])), "utf-8")
    notebook = open_notebook(path)
    page = notebook.page
    notebook.run_all()
    page.get_by_role("button", name="second").click()
    page.locator(".forgelm-runs-facts").wait_for()
    assert notebook.kernel_value("runs.selected.name") == "'second'"
    page.get_by_label("Compare third").uncheck()
    page.get_by_role("heading", name="2 runs compared").wait_for()
    assert notebook.kernel_value("[one.name for one in runs.chosen]") == "['second', 'first']"
    for dark in (False, True):
        notebook.dress(width=1280, dark=dark)
        page.wait_for_timeout(1_500)  # the splash of a change of theme
        theme = "dark" if dark else "light"
        page.screenshot(path=screenshots / f"lab-runs-{theme}.png")

    notebook.save()
    page.reload()
    page.locator(".forgelm-runs-facts").wait_for()
    assert page.get_by_role("button", name="second").get_attribute("aria-pressed") == "true"
    assert not page.get_by_label("Compare third").is_checked()
    assert page.locator(".forgelm-runs-svg").count() == 2

    # a page that was loaded anew knows no output by its name: one of its own is put away
    notebook.run_all()
    page.locator(".forgelm-runs-count").wait_for()
    notebook.kernel_value("runs.close()")
    page.locator(".jp-RenderedHTML").get_by_text("3 runs").wait_for()
    saved = notebook.save()
    [output] = saved["cells"][1]["outputs"]
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert len("".join(output["data"]["text/html"])) < 10_000
    assert notebook.tab.outside == []
    assert notebook.tab.errors == []
