"""The cards of results on a page: nothing sticks out, nothing runs, nothing is fetched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from result_examples import results_saying, write_run

from forgelm_widgets._display import CARDS, bundle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

HOSTILE = "<img src=x onerror='document.title=1'><script>document.title=2</script>"
_PAGE = """<!doctype html><meta charset="utf-8"><title>cards</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 13px/1.5 system-ui, sans-serif; margin: 12px; color: CanvasText; background: Canvas }}
</style>{}"""


def _cards(text: str, folder: Path) -> str:
    results = results_saying(text, write_run(folder / "run", text))
    return "".join(bundle(CARDS[name](each))["text/html"] for name, each in sorted(results.items()))


@pytest.mark.parametrize("width", [1280, 480])
def test_cards_fit_their_page_in_both_themes(
    new_tab: Callable[..., Any], screenshots: Path, width: int, tmp_path: Path
) -> None:
    cards = _cards("support/2026-11-22/train.jsonl", tmp_path)
    for dark in (False, True):
        tab = new_tab(width, 900, dark)
        tab.page.set_content(_PAGE.format(cards))
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.page.evaluate(overflow) <= 0
        theme = "dark" if dark else "light"
        tab.page.screenshot(path=screenshots / f"cards-{theme}-{width}.png", full_page=True)
        assert (tab.outside, tab.errors) == ([], [])


def test_a_hostile_text_on_the_page_stays_a_text(
    new_tab: Callable[..., Any], tmp_path: Path
) -> None:
    tab = new_tab()
    tab.page.set_content(_PAGE.format(_cards(HOSTILE, tmp_path)))
    assert tab.page.title() == "cards"
    assert tab.page.locator("script").count() == 0
    assert tab.page.locator("img:not([src^='data:image/svg+xml,'])").count() == 0
    assert tab.page.get_by_text("onerror=").count() > 0
    assert (tab.outside, tab.errors) == ([], [])
