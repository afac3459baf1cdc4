"""`%forgelm` in a real JupyterLab: cards, one-line errors, and Tab inside the YAML of a cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_ROW = json.dumps({"text": "Write to ana@example.com about the parcel, please."})
_CELLS = (
    "%load_ext forgelm\n"
    f"with open('support.jsonl', 'w') as file:\n    file.write({_ROW!r} + '\\n')",
    "%forgelm audit support.jsonl -o report",
    "%%forgelm config -o config\nmodel:\n  name_or_path: acme/tiny\nlora: {r: 16}\n"
    "training:\n  output_dir: runs/first\ndata:\n  dataset_name_or_path: support.jsonl",
    "%forgelm doctor",
    "%%forgelm config\ntraining:\n  trainer_ty",
)


def test_a_person_works_with_the_magics(
    open_notebook: Callable[..., Any], screenshots: Path, tmp_path: Path
) -> None:
    path = tmp_path / "magics.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(text) for text in _CELLS]), path)
    notebook = open_notebook(path)
    page = notebook.page
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    page.locator("text=problems in cell").first.wait_for()
    words = page.locator(".jp-OutputArea-output").all_inner_texts()
    assert any("Found 1 piece of personal data (worst tier: medium) in 1 row" in w for w in words)
    assert any("Trains acme/tiny on support.jsonl" in text for text in words)
    assert "Traceback" not in "".join(words)
    assert notebook.kernel_value("report.pii_summary['email'], config.lora.r") == "(1, 16)"

    last = page.locator(".jp-CodeCell .cm-content").last
    last.click()
    page.keyboard.press("Control+End")
    page.keyboard.type("pe: ")
    page.keyboard.press("Tab")
    page.locator(".jp-Completer-item", has_text="simpo").first.wait_for()
    page.screenshot(path=screenshots / "magics-completion.png")
    page.keyboard.press("Escape")
    for dark in (False, True):
        notebook.dress(width=1280, dark=dark)
        notebook.fit()
        page.screenshot(path=screenshots / f"magics-{'dark' if dark else 'light'}.png")
    assert notebook.tab.outside == []
