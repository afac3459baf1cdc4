"""The monitor's charts in Chromium: one span of steps, one cursor, one choice for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from monitor_page import CATALOGUE, View, entry, snapshot, story

pytestmark = pytest.mark.browser

_MARKS = [
    {"step": 60, "kind": "checkpoint", "text": "checkpoint-60 saved"},
    {"step": 120, "kind": "resume", "text": "resumed from checkpoint-60"},
]
_GATES = [{"series": "eval_loss", "value": 1.7, "text": "at most 1.7", "passes_below": True}]
_TITLES = ["Loss", "Learning rate", "Gradient norm", "Throughput, tokens/s", "Memory, GiB"]
_PIXELS = "(node) => node.getElementsByTagName('canvas')[0].toDataURL()"


@pytest.fixture
def open_story(open_view: Callable[..., View]) -> Callable[..., View]:
    """Give a function that shows the view of a run of 240 steps."""

    def opened(**traits: Any) -> View:
        return open_view(**{**snapshot(1, story()), "marks": _MARKS, "gates": _GATES, **traits})

    return opened


def _labels(view: View) -> list[str]:
    view.settle()
    charts = view.part("chart").evaluate_all("(all) => all.map((one) => one.ariaLabel)")
    return [label.split(".")[0] for label in charts]


def _drag(view: View, start: float, end: float) -> None:
    box = view.part("chart").first.bounding_box()
    view.page.mouse.move(box["x"] + start, box["y"] + 90)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + (start + end) / 2, box["y"] + 90)
    view.page.mouse.move(box["x"] + end, box["y"] + 90)
    view.page.mouse.up()
    view.settle()


def test_each_group_of_metrics_that_has_points_has_a_chart(
    open_story: Callable[..., View],
) -> None:
    view = open_story()
    assert view.part("title").all_inner_texts() == _TITLES
    assert view.text("signs") == "▲ checkpoint  ↻ resume"
    assert "gate 1.7: at most 1.7" in view.part("chart").first.get_attribute("aria-label")


def test_dragging_zooms_every_chart_and_two_ways_lead_back(
    open_story: Callable[..., View],
) -> None:
    view = open_story()
    back = view.page.get_by_role("button", name="Reset zoom")
    assert back.is_hidden()
    whole = ["Loss over steps 1 to 240", "Learning rate over steps 1 to 240"]
    assert _labels(view)[:2] == whole
    _drag(view, 400, 700)
    zoomed = _labels(view)
    assert len({label.split("steps ")[1] for label in zoomed}) == 1
    low, high = map(int, zoomed[0].split("steps ")[1].split(" to "))
    assert 60 < low < high < 150
    view.delta(2, ["loss"], [241, 1.5])
    assert _labels(view)[0] == zoomed[0]
    back.click()
    assert _labels(view)[0] == "Loss over steps 1 to 241"
    assert back.is_hidden()
    _drag(view, 400, 700)
    box = view.part("chart").first.bounding_box()
    view.page.mouse.dblclick(box["x"] + 300, box["y"] + 90)
    assert _labels(view)[0] == "Loss over steps 1 to 241"


def test_pointing_in_one_chart_shows_the_values_of_that_step_in_all(
    open_story: Callable[..., View],
) -> None:
    view = open_story()
    last = view.legend()
    box = view.part("chart").nth(1).bounding_box()
    view.page.mouse.move(box["x"] + box["width"] / 2 + 24, box["y"] + 60)
    view.settle()
    step = int(view.text("readout").removeprefix("At step "))
    assert 110 < step < 130
    values = dict(zip(story()["loss"][::2], story()["loss"][1::2], strict=True))
    assert view.legend()[0] == f"training loss {float(f'{values[step]:.4g}'):g}"
    lefts = view.page.locator(".u-cursor-x").evaluate_all(
        "(all) => all.map((one) => new DOMMatrix(getComputedStyle(one).transform).e)"
    )
    assert min(lefts) > 0
    view.page.mouse.move(box["x"] + 100, box["y"] - 400)
    view.settle()
    assert view.legend() == last
    assert view.text("readout") == ""


def test_a_mark_tells_what_it_stands_for(open_story: Callable[..., View]) -> None:
    view = open_story()
    chart = view.part("chart").first
    chart.focus()
    view.page.keyboard.press("Home")
    assert view.part("tip").first.is_hidden()
    for _ in range(5):
        view.page.keyboard.press("Shift+ArrowRight")
    for _ in range(9):
        view.page.keyboard.press("ArrowRight")
    assert view.text("tip") == "▲ step 60: checkpoint-60 saved"
    view.settle()
    spoken = view.page.locator(".forgelm-spoken").inner_text()
    assert spoken.startswith("Step 60, training loss ")
    assert spoken.endswith("checkpoint-60 saved")


def test_the_charts_can_be_read_with_the_keyboard_alone(open_story: Callable[..., View]) -> None:
    view = open_story()
    chart = view.part("chart").first
    for _ in range(30):
        view.page.keyboard.press("Tab")
        if chart.evaluate("(node) => document.activeElement === node"):
            break
    assert chart.evaluate("(node) => document.activeElement === node")
    view.page.keyboard.press("ArrowLeft")
    assert view.text("readout") == "At step 240"
    view.page.keyboard.press("ArrowLeft")
    assert view.text("readout") == "At step 239"
    view.page.keyboard.press("Home")
    view.page.keyboard.press("+")
    view.page.keyboard.press("+")
    assert _labels(view)[3] == "Throughput over steps 1 to 61"
    view.page.keyboard.press("-")
    assert _labels(view)[3] == "Throughput over steps 1 to 121"
    view.page.keyboard.press("Escape")
    assert view.text("readout") == ""
    view.page.keyboard.press("Escape")
    assert _labels(view)[3] == "Throughput over steps 1 to 240"


def test_a_logarithmic_loss_is_drawn_otherwise_and_leaves_the_other_charts_alone(
    open_story: Callable[..., View],
) -> None:
    points = story()
    points["loss"][1] = -1.0
    view = open_story(**snapshot(1, points))
    charts = view.part("chart")
    before = charts.evaluate_all(f"(all) => all.map({_PIXELS})")
    boxes = view.page.get_by_label("log scale")
    assert [box.is_visible() for box in boxes.all()] == [True, False, False, False, False]
    boxes.first.check()
    assert _labels(view)[0] == "Loss, log scale, over steps 1 to 240"
    after = charts.evaluate_all(f"(all) => all.map({_PIXELS})")
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True, True, True]


def test_a_person_picks_the_metrics_to_see(open_story: Callable[..., View]) -> None:
    view = open_story()
    picker = view.page.get_by_role("button", name="Metrics")
    picker.click()
    assert picker.get_attribute("aria-expanded") == "true"
    view.page.get_by_role("checkbox", name="gradient norm").uncheck()
    view.page.get_by_role("checkbox", name="evaluation loss").uncheck()
    view.settle()
    assert view.part("title").all_inner_texts() == [t for t in _TITLES if t != "Gradient norm"]
    assert len(view.legend()) == 5
    assert picker.inner_text() == "Metrics: 5 of 7"
    view.page.keyboard.press("Escape")
    assert picker.get_attribute("aria-expanded") == "false"
    assert picker.evaluate("(node) => document.activeElement === node")
    picker.click()
    view.page.get_by_role("checkbox", name="gradient norm").check()
    view.settle()
    assert view.part("title").all_inner_texts() == _TITLES


def test_of_many_other_metrics_the_first_few_are_drawn_unasked(
    open_story: Callable[..., View],
) -> None:
    others = [entry(f"clip/{n}", f"clip {n}", "other") for n in range(5)]
    others.append(entry("eval_clip/0", "evaluated clip 0", "other", kind="points"))
    points = {"loss": [1.0, 2.0], **{one["name"]: [1.0, 0.5, 2.0, 0.6] for one in others}}
    view = open_story(catalogue=[*CATALOGUE, *others], **snapshot(1, points))
    assert view.part("title").all_inner_texts() == ["Loss", "clip 0", "clip 1", "clip 2"]
    assert view.page.get_by_role("button", name="Metrics: 5 of 7").count() == 1
    assert view.legend()[1:3] == ["0.6", "evaluated clip 0 0.6"]


def test_the_charts_follow_the_theme_while_they_stand_there(
    open_story: Callable[..., View],
) -> None:
    view = open_story()
    seen = set()
    for theme in ("true", "false", "true", "false"):
        view.page.evaluate(
            "(theme) => { document.body.dataset.jpThemeLight = theme; }",
            theme,
        )
        view.page.wait_for_timeout(200)
        view.settle()
        seen.add((theme, view.part("chart").first.evaluate(_PIXELS)))
    assert len(seen) == 2
    before = view.part("chart").first.evaluate(_PIXELS)
    view.page.emulate_media(forced_colors="active")
    view.page.wait_for_timeout(200)
    view.settle()
    assert view.part("chart").first.evaluate(_PIXELS) != before


def test_the_charts_fill_the_width_they_are_given(open_story: Callable[..., View]) -> None:
    view = open_story()
    charts = view.part("chart")
    for width in (1000, 480, 1280):
        view.page.set_viewport_size({"width": width, "height": 900})
        view.page.wait_for_timeout(100)
        view.settle()
        sizes = charts.evaluate_all(
            "(all) => all.map((n) => [n.clientWidth,"
            " n.getElementsByTagName('canvas')[0].clientWidth])"
        )
        assert all(have == got for have, got in sizes)
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_notebooks_own_keys_are_kept_inside(open_story: Callable[..., View]) -> None:
    view = open_story()
    view.note_keys()
    for part in (view.page.get_by_text("Show data"), view.part("chart").first):
        part.focus()
        for key in ("b", "d", "ArrowLeft", "Control+s"):
            view.page.keyboard.press(key)
    assert view.page.evaluate("keys") == ["s", "s"]


def test_a_long_run_opens_whole(open_story: Callable[..., View]) -> None:
    names = [one["name"] for one in CATALOGUE]
    points = {name: [v for i in range(2_000) for v in (50.0 * i, 1.0 + i % 7)] for name in names}
    view = open_story(**snapshot(1, points))
    assert _labels(view)[0] == "Loss over steps 0 to 99,950"
    assert view.points() == 4_000
