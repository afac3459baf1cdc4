"""The notebook with every kind of output, opened where no kernel has run: three ways, one look."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from every_output import KINDS, TOKEN, run_notebook
from nbconvert import HTMLExporter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_CODE_CELLS = """[...jupyterapp.shell.widgets('main')]
    .find((w) => w.sessionContext && w.content?.widgets)
    .content.widgets.filter((w) => w.model.type === 'code')"""
_CARDS = ".jp-RenderedHTMLCommon > div"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of the notebook, run from top to bottom."""
    return run_notebook(tmp_path_factory.mktemp("saved") / "every.ipynb")


def _seen(page: Any) -> tuple[list[str], list[int]]:
    """Return the words of every card, and the widths of its pictures as they were decoded."""
    page.wait_for_function("(n) => document.querySelectorAll(n).length > 0", arg=_CARDS)
    words = page.locator(_CARDS).evaluate_all("(all) => all.map((card) => card.textContent)")
    widths = page.locator(f"{_CARDS} img").evaluate_all(
        "(all) => Promise.all(all.map((img) => img.decode().then(() => img.naturalWidth)))"
    )
    return words, widths


def test_trusted_or_not_every_card_and_picture_is_there_without_a_kernel(
    open_notebook: Callable[..., Any], saved: Path, screenshots: Path
) -> None:
    notebook = open_notebook(saved)
    page = notebook.page
    assert page.evaluate(f"{_CODE_CELLS}.some((cell) => cell.model.trusted)") is False
    untrusted = _seen(page)
    assert len(untrusted[0]) == KINDS
    assert len(untrusted[1]) >= 9
    assert all(untrusted[1])
    # What no renderer is there for must not be taken before the HTML.
    assert page.locator(".jp-OutputArea-output:not(.jp-RenderedHTMLCommon)").count() == 0
    borders = page.locator(_CARDS).evaluate_all(
        "(all) => all.map((card) => getComputedStyle(card).borderLeftWidth)"
    )
    assert set(borders) == {"3px"}
    for look in [{"width": w, "dark": dark} for w in (1280, 480) for dark in (False, True)]:
        notebook.dress(**look)
        notebook.fit()
        name = f"{'dark' if look['dark'] else 'light'}-{look['width']}"
        page.screenshot(path=screenshots / f"lab-every-{name}.png")
        wide = "(all) => all.filter((card) => card.scrollWidth > card.clientWidth + 1).length"
        assert page.locator(_CARDS).evaluate_all(wide) == 0
    page.evaluate(f"{_CODE_CELLS}.forEach((cell) => {{ cell.model.trusted = true }})")
    notebook.save()
    page.reload()
    page.wait_for_function("window.jupyterapp !== undefined")
    page.evaluate("() => jupyterapp.restored")
    page.wait_for_function(f"{_CODE_CELLS}.every((cell) => cell.model.trusted)")
    assert _seen(page) == untrusted
    assert notebook.tab.outside == []
    assert TOKEN not in notebook.path.read_text("utf-8")


def test_an_exported_page_shows_the_same_with_the_network_cut(
    new_tab: Callable[..., Any], saved: Path, tmp_path: Path
) -> None:
    # These are of nbconvert's page itself: formulas and widgets, of which there are none.
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    html, _ = exporter.from_notebook_node(nbformat.read(saved, as_version=4))
    assert TOKEN not in html
    exported = tmp_path / "every.html"
    exported.write_text(html, "utf-8")
    for width in (1280, 480):
        tab = new_tab(width)
        tab.page.context.set_offline(True)
        tab.page.goto(exported.as_uri())
        words, widths = _seen(tab.page)
        assert (len(words), all(widths)) == (KINDS, True)
        assert len(widths) >= 9
        assert tab.outside == []
