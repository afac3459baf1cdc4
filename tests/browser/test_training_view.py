"""The live view alone in Chromium, driven by a stand-in for the widget's model."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import forgelm_widgets

pytestmark = pytest.mark.browser

_FOLDER = Path(forgelm_widgets.__file__).parent / "training_monitor"

_MODEL = """class Model {
    constructor(snapshot) { this.snapshot = snapshot; this.calls = {}; this.asked = 0 }
    get() { return this.snapshot }
    send() { this.asked += 1 }
    on(event, call) { (this.calls[event] ??= []).push(call) }
    off(event, call) { this.calls[event] = this.calls[event].filter((c) => c !== call) }
    tell(event, ...values) { for (const call of this.calls[event] ?? []) call(...values) }
}
const floats = (list) => new DataView(new Float32Array(list).buffer);
const curves = (c) => Object.fromEntries(
    ['loss', 'smooth', 'eval_loss'].map((name) => [name, floats(c[name] ?? [])]));
"""
_OPEN = (
    "async ({source, snapshot}) => {"
    + _MODEL
    + """
    window.floats = floats; window.curves = curves;
    const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    window.widget = (await import(url)).default();
    window.model = new Model({...snapshot, curves: curves(snapshot.curves)});
    window.forget = widget.initialize({model});
    window.closers = [];
    window.render = () => {
        const el = document.createElement('div');
        document.body.append(el);
        closers.push(widget.render({model, el}));
    };
    render();
}"""
)


def _status(**values: Any) -> dict[str, Any]:
    status = {"state": "running", "headline": "Running: step 3 of 10, epoch 0.30", "step": 3}
    status |= {"max_steps": 10, "elapsed_s": 61, "eta_s": 142, "latest": {}, "odd": None}
    return {**status, **values}


@dataclass
class View:
    """The view in its page."""

    tab: Any

    @property
    def page(self) -> Any:
        """The browser page."""
        return self.tab.page

    def delta(self, seq: int, curves: dict[str, list[float]], **status: Any) -> None:
        """Send a message with new points, as the kernel would."""
        self.page.evaluate(
            """({seq, curves, status}) => model.tell('msg:custom',
                {v: 1, kind: 'delta', seq, status, names: Object.keys(curves)},
                Object.values(curves).map(floats))""",
            {"seq": seq, "curves": curves, "status": _status(**status)},
        )

    def snapshot(self, seq: int, points: dict[str, list[float]], **status: Any) -> None:
        """Send everything so far, as the kernel would."""
        self.page.evaluate(
            """({seq, points, status}) => { model.snapshot = {seq, status, curves: curves(points)};
                model.tell('change:snapshot') }""",
            {"seq": seq, "points": points, "status": _status(**status)},
        )

    def points(self, view: int = 0) -> int:
        """Return how many points are drawn, once the view has painted."""
        self.page.evaluate("() => new Promise((r) => requestAnimationFrame(() => setTimeout(r)))")
        svg = self.page.locator(".forgelm-monitor-chart svg").nth(view)
        return int(svg.get_attribute("data-points"))

    def text(self, part: str) -> str:
        """Return the text of one part of the view."""
        words: str = self.page.locator(f".forgelm-monitor-{part}").first.inner_text()
        return words


@pytest.fixture
def open_view(new_tab: Callable[..., Any]) -> Iterator[Callable[..., View]]:
    """Give a function that shows the view of a run that has logged three steps."""
    views = []

    def opened(**window: Any) -> View:
        view = View(new_tab(**window))
        scheme = "dark" if window.get("dark") else "light"
        view.page.set_content(f"<html lang=en style='color-scheme:{scheme}'><body></body></html>")
        view.page.add_style_tag(content=(_FOLDER / "view.css").read_text("utf-8"))
        points = {"loss": [1, 3, 2, 2.5, 3, 2], "smooth": [1, 3, 2, 2.7, 3, 2.3]}
        snapshot = {"v": 1, "seq": 1, "status": _status(), "curves": points}
        source = (_FOLDER / "view.js").read_text("utf-8")
        view.page.evaluate(_OPEN, {"source": source, "snapshot": snapshot})
        views.append(view)
        return view

    yield opened
    for view in views:
        assert view.tab.errors == []
        assert view.tab.outside == []


def test_the_view_says_how_far_the_run_is(open_view: Callable[..., View]) -> None:
    view = open_view()
    assert view.points() == 3
    assert view.text("headline").endswith("Running: step 3 of 10, epoch 0.30")
    assert view.text("times") == "1:01 elapsed · about 2:22 left"
    assert view.text("legend").split("\n")[:2] == ["training loss, smoothed", "2.3"]
    assert view.text("hint").startswith("Interrupt the kernel (■) to stop")
    assert view.page.locator("progress").evaluate("(bar) => [bar.value, bar.max]") == [3, 10]


def test_new_points_are_drawn_and_an_old_message_is_not_drawn_twice(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.delta(2, {"loss": [4, 1.8], "smooth": [4, 2.2], "eval_loss": [4, 1.9]}, step=4)
    view.delta(2, {"loss": [4, 1.8]})
    assert view.points() == 5
    assert view.text("legend").split("\n")[-1] == "1.9"


def test_a_gap_is_filled_by_the_next_snapshot(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.delta(3, {"loss": [5, 1.7]})
    assert view.points() == 3
    assert view.page.evaluate("model.asked") == 1
    view.snapshot(2, {"loss": [1, 3, 2, 2.5, 3, 2, 4, 1.8]})
    assert view.points() == 5
    view.delta(4, {"loss": [6, 1.6]})
    assert view.points() == 6


def test_two_views_show_the_same_run(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.delta(2, {"loss": [4, 1.8]})
    view.page.evaluate("render()")
    view.delta(3, {"loss": [5, 1.7]})
    assert (view.points(0), view.points(1)) == (5, 5)


def test_a_closed_view_is_told_nothing_more(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.page.evaluate("() => { closers[0](); forget() }")
    view.delta(2, {"loss": [4, 1.8]})
    assert view.points() == 3
    assert view.page.evaluate("Object.values(model.calls).flat().length") == 0


def test_a_long_run_stays_small_in_the_browser(open_view: Callable[..., View]) -> None:
    view = open_view()
    low = 25_000
    for seq in range(2, 12):
        steps = range(5_000 * (seq - 2), 5_000 * (seq - 1))
        loss = [part for s in steps for part in (s + 10, -7.0 if s == low else 1 + s % 3)]
        view.delta(seq, {"loss": loss, "smooth": loss})
    assert view.points() <= 4_000
    path = view.page.locator(".line.loss").last.get_attribute("d")
    assert len(path) < 60_000
    labels = view.page.locator(".forgelm-monitor-chart text").all_text_contents()
    assert "-5" in labels


def test_hostile_words_stay_words(open_view: Callable[..., View]) -> None:
    view = open_view()
    words = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'
    view.delta(2, {"loss": [4, 1.8]}, headline=words, odd=words, state=words)
    assert view.points() == 4
    assert words in view.text("headline")
    assert view.page.locator(".forgelm-monitor img, .forgelm-monitor script").count() == 0
    assert view.page.evaluate("window.hurt") is None


def test_odd_numbers_do_not_break_the_chart(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.delta(2, {"loss": [4, 3e38, 5, -3e38], "eval_loss": [4, 0.0]}, max_steps=0, eta_s=None)
    assert view.points() == 6
    assert "NaN" not in view.page.content()
    assert "Infinity" not in view.page.content()


def test_the_data_stand_in_a_table(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.delta(2, {"eval_loss": [3, 1.9]})
    view.page.get_by_text("Show data").click()
    view.points()
    rows = view.page.locator(".forgelm-monitor-table tr").all_inner_texts()
    assert [row.split() for row in rows[1:]] == [
        ["3", "2.3", "2", "1.9"],
        ["2", "2.7", "2.5", "–"],
        ["1", "3", "3", "–"],
    ]


def test_pointing_at_a_step_shows_its_values(open_view: Callable[..., View]) -> None:
    view = open_view()
    box = view.page.locator(".forgelm-monitor-chart").bounding_box()
    view.page.mouse.move(box["x"] + 60, box["y"] + 60)
    view.points()
    assert view.text("facts") == "at step 1"
    assert view.text("legend").split("\n")[1] == "3"
    view.page.mouse.move(box["x"] + 60, box["y"] + 700)
    view.points()
    assert view.text("legend").split("\n")[1] == "2.3"


def test_a_reader_without_sight_gets_the_same(open_view: Callable[..., View]) -> None:
    view = open_view()
    chart = view.page.get_by_role("img")
    assert chart.get_attribute("aria-label") == (
        "Loss over steps. Running: step 3 of 10, epoch 0.30. Training loss 2.3, evaluation loss –."
    )
    spoken = view.page.locator("[aria-live=polite]")
    first = spoken.inner_text()
    view.delta(2, {"loss": [4, 1.8]}, headline="Running: step 4 of 10, epoch 0.40")
    view.points()
    assert spoken.inner_text() == first  # at most every five seconds
    assert view.page.get_by_role("progressbar", name="Training progress").count() == 1


def test_the_notebooks_own_keys_are_kept_inside(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.page.evaluate(
        "() => { window.keys = []; document.addEventListener('keydown', (e) => keys.push(e.key)) }"
    )
    view.page.get_by_text("Show data").focus()
    for key in ("b", "Enter", "Control+s"):
        view.page.keyboard.press(key)
    assert view.page.evaluate("keys") == ["Control", "s"]
    assert view.page.locator("details").get_attribute("open") is not None


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 480])
@pytest.mark.parametrize("state", ["starting", "running", "stopping", "failed"])
def test_every_state_fits_the_page(
    open_view: Callable[..., View], screenshots: Path, state: str, width: int, dark: bool
) -> None:
    view = open_view(width=width, height=620, dark=dark)
    if dark:
        view.page.add_style_tag(content="body { background: #111 }")
    headline = {
        "starting": "Waiting for the first step",
        "running": "Running: step 10 of 10, epoch 1.00",
        "stopping": "Stopping at the end of step 10 of 10: interrupted (Ctrl-C)",
        "failed": "Failed at step 10 of 10: the device ran out of memory",
    }[state]
    if state == "starting":
        view.snapshot(2, {}, state=state, headline=headline, max_steps=0)
    else:
        curve = [part for step in range(4, 11) for part in (step, 2 + 3 / step)]
        points = {"loss": curve, "smooth": curve, "eval_loss": [5, 2.7, 10, 2.4]}
        latest = {"learning_rate": 1.5e-4, "tokens_per_second": 912.4}
        view.delta(2, points, state=state, headline=headline, step=10, latest=latest)
    view.points()
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width
    assert view.page.locator(".forgelm-monitor-hint").is_visible() == (state == "running")
    theme = "dark" if dark else "light"
    view.page.screenshot(path=screenshots / f"view-{state}-{theme}-{width}.png")


def test_points_are_sent_as_little_endian_floats() -> None:
    from array import array

    from forgelm_widgets._curves import thin

    assert thin(array("f", [1, 2.5]), 10).tobytes() == struct.pack("<2f", 1, 2.5)
