"""The notebook that ships with forgelm, opened and run by hand in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

_NOTEBOOK = Path(__file__).parent.parent.parent / "notebooks" / "01_quickstart.ipynb"
_POINTS = "Number(document.querySelector('.forgelm-monitor-main [role=img]')?.dataset.points ?? 0)"


def test_a_person_opens_the_quickstart_runs_all_cells_and_watches(
    open_notebook: Callable[..., Any], screenshots: Path
) -> None:
    pytest.importorskip("trl")
    notebook = open_notebook(_NOTEBOOK)
    page = notebook.page
    page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    notebook.start()
    # A view paints only what can be seen.
    page.locator(".forgelm-monitor").first.scroll_into_view_if_needed(timeout=240_000)
    drawn = []
    for enough in (10, 60, 100):
        page.wait_for_function(f"{_POINTS} >= {enough}", timeout=240_000)
        drawn.append(page.evaluate(_POINTS))
        assert page.evaluate("window.done") is False
        page.locator(".forgelm-monitor-main").scroll_into_view_if_needed()
        page.screenshot(path=screenshots / f"quickstart-at-{enough}.png")
    assert drawn == sorted(set(drawn))

    notebook.wait()
    assert notebook.kernel_value("result.success") == "True"
    assert notebook.kernel_value("result.metrics['eval_loss'] < 3") == "True"
    assert (
        page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count()
        == 0
    )
    saved = notebook.save()
    kinds = {
        kind
        for cell in saved["cells"]
        for output in cell.get("outputs", [])
        for kind in output.get("data", {"error": output.get("evalue")})
        if output["output_type"] != "stream"
    }
    assert "application/vnd.jupyter.widget-view+json" not in kinds
    assert "error" not in kinds
    assert notebook.tab.outside == []
    for width in (1280, 480):
        for dark in (False, True):
            notebook.dress(width=width, dark=dark)
            notebook.fit()
            theme = "dark" if dark else "light"
            page.screenshot(path=screenshots / f"quickstart-done-{theme}-{width}.png")
