"""The config builder on every kernel that people run it in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_MAKE = """import ipykernel
from forgelm_widgets import ConfigBuilder
builder = ConfigBuilder("cpu-smoke")
builder"""


@pytest.fixture(params=[None, "disabled"], ids=["subshells-default", "subshells-disabled"])
def subshells(request: pytest.FixtureRequest) -> str | None:
    """Give JupyterLab's setting for the way that messages of widgets take."""
    setting: str | None = request.param
    return setting


def test_an_edit_reaches_the_kernel_and_its_answer_the_form(
    open_notebook: Callable[..., Any], tmp_path: Path, kernel: str, subshells: str | None
) -> None:
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_MAKE)])
    path = tmp_path / "builder.ipynb"
    nbformat.write(document, path)
    notebook = open_notebook(path, kernel=kernel, subshells=subshells)
    page = notebook.page
    notebook.run_all()
    assert kernel in {
        "python3",
        f"ipykernel-{notebook.kernel_value('ipykernel.__version__')[1:-1]}",
    }
    label = page.locator("label.forgelm-config-name", has_text="max_steps").first
    field = page.locator(f"#{label.get_attribute('for')}")
    field.fill("bb")
    page.locator(".forgelm-config-wrong", has_text="number").first.wait_for()
    assert notebook.kernel_value("[path for path, _ in builder.errors]") == "['training.max_steps']"
    field.fill("9")
    page.get_by_text("Valid configuration").first.wait_for()
    assert notebook.kernel_value("builder.config.training.max_steps") == "9"
    assert notebook.tab.outside == []
    assert notebook.tab.errors == []
