"""Widgets on one page: each has its own look, whichever was shown last."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import forgelm_widgets
from forgelm_widgets import ConfigBuilder, RunComparison, TrainingMonitor

pytestmark = pytest.mark.browser

_SHARED = Path(forgelm_widgets.__file__).parent / "_shared" / "controls.css"
_NAMES = sorted(set(re.findall(r"^ +([a-z][a-z-]*):", _SHARED.read_text("utf-8"), re.MULTILINE)))
_LOOK = """(root, names) => [root, ...root.querySelectorAll('*')].map((node) => {
    const style = getComputedStyle(node);
    return [node.className, ...names.map((name) => `${name}: ${style[name]}`)] })"""


def _assert_the_others_change_nothing(one: Any) -> None:
    root = one.page.locator(".forgelm-widget")
    looks = {}
    for colors in ("none", "active"):
        one.page.emulate_media(forced_colors=colors)
        looks[colors] = root.evaluate(_LOOK, _NAMES)
    for widget in (ConfigBuilder, RunComparison, TrainingMonitor):
        one.page.add_style_tag(content=str(widget._css))
    for colors, look in looks.items():
        one.page.emulate_media(forced_colors=colors)
        for before, after in zip(look, root.evaluate(_LOOK, _NAMES), strict=True):
            assert after == before


def test_the_builder_keeps_its_look(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke")
    one.field("max_steps").fill("x")
    one.settle()
    _assert_the_others_change_nothing(one)


def test_the_monitor_keeps_its_look(open_view: Callable[..., Any]) -> None:
    one = open_view()
    one.page.get_by_text("Show data").click()
    one.settle()
    _assert_the_others_change_nothing(one)


def test_the_comparison_keeps_its_look(open_comparison: Callable[..., Any], runs: Path) -> None:
    _assert_the_others_change_nothing(open_comparison(runs))
