"""The notebook that audits and cleans a corpus, run by hand in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_NOTEBOOK = Path(__file__).parent.parent.parent / "notebooks" / "02_audit_and_clean.ipynb"


def test_a_person_audits_cleans_and_audits_again(
    open_notebook: Callable[..., Any], screenshots: Path
) -> None:
    notebook = open_notebook(_NOTEBOOK)
    page = notebook.page
    page.evaluate("() => jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    notebook.run_all()

    words = page.locator(".jp-OutputArea-output").all_inner_texts()
    cards = [text for text in words if text.startswith("Data audit of")]
    assert len(cards) == 2
    assert "18 pieces of personal data (worst tier: critical), 1 secret" in cards[0]
    assert "Nothing found in 493 rows" in cards[1]
    assert notebook.kernel_value("len(after.leaked_rows), after.duplicate_count") == "(0, 0)"
    page.locator("summary", has_text="Rows that are in two splits").first.click()
    assert page.locator("caption", has_text="Rows that are in two splits").first.is_visible()
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert notebook.tab.outside == []
    for width in (1280, 480):
        for dark in (False, True):
            notebook.dress(width=width, dark=dark)
            notebook.fit()
            theme = "dark" if dark else "light"
            page.screenshot(path=screenshots / f"audit-{theme}-{width}.png")
