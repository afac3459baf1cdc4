"""The monitor's view alone in Chromium: what it makes of a kernel's messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from monitor_page import CATALOGUE, View, entry, snapshot, status

pytestmark = pytest.mark.browser

_LOSS = ["loss", "loss~smooth"]
_HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>'


def test_the_view_says_how_far_the_run_is(open_view: Callable[..., View]) -> None:
    view = open_view()
    assert view.points() == 6
    assert view.text("headline") == "●Runningfg-0123 · acme/tiny-llama · sft"
    assert view.text("figures").split("\n") == [
        "step 3 of 10 · 30 % · epoch 0.30",
        "20 s a step · 1:01 elapsed · about 2:22 left",
    ]
    assert view.legend() == ["training loss 2", "training loss, smoothed 2.3"]
    assert view.page.locator("progress").evaluate("(bar) => [bar.value, bar.max]") == [3, 10]


def test_new_points_are_drawn_and_an_old_message_is_not_drawn_twice(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.delta(2, [*_LOSS, "eval_loss"], [4, 1.8, 2.2, None], [5, 1.7, 2.1, 1.9])
    view.delta(2, _LOSS, [6, 9, 9])
    assert view.points() == 11
    assert view.legend()[2] == "evaluation loss 1.9"
    assert view.sent("snapshot") == [{}]


def test_after_a_gap_the_view_waits_for_a_snapshot_that_holds_what_it_missed(
    open_view: Callable[..., View],
) -> None:
    view = open_view(status=status(live=False))
    assert view.sent("snapshot") == []
    view.delta(4, _LOSS, [5, 1.7, 2.1])
    view.delta(5, _LOSS, [6, 1.6, 2.0])
    assert view.points() == 6
    assert view.sent("snapshot") == [{}]
    view.snapshot(3, {"loss": [1, 3, 2, 2.5, 3, 2, 4, 1.8]})
    view.delta(4, _LOSS, [5, 1.7, 2.1])
    assert view.points() == 4
    view.snapshot(6, {"loss": [1, 3, 2, 2.5, 3, 2, 4, 1.8, 5, 1.7, 6, 1.6]})
    assert view.points() == 6
    view.delta(7, ["loss"], [7, 1.5])
    assert view.points() == 7


def test_another_run_takes_the_place_of_the_first(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.delta(1, ["loss"], [1, 4], run="fg-4567")
    assert view.points() == 6
    view.snapshot(1, {"loss": [1, 4]}, run="fg-4567")
    view.delta(2, ["loss"], [2, 3.5], run="fg-4567")
    assert view.points() == 2


def test_a_snapshot_without_all_its_bytes_is_not_shown(open_view: Callable[..., View]) -> None:
    view = open_view()
    torn = snapshot(2, {"loss": [1, 3, 2, 2.5]})
    view.set(snapshot=torn["snapshot"])
    assert view.points() == 6
    view.set(data=torn["data"])
    assert view.points() == 2


def test_a_run_that_goes_back_to_a_checkpoint_draws_no_step_twice(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.delta(2, _LOSS, [2, 2.6, 2.8], [3, 2.1, 2.4], [4, 1.9, 2.2])
    assert view.points() == 8


def test_two_views_show_the_same_run_and_a_closed_one_is_told_nothing_more(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.delta(2, _LOSS, [4, 1.8, 2.2])
    view.page.evaluate("render()")
    view.delta(3, _LOSS, [5, 1.7, 2.1])
    assert (view.points(0), view.points(1)) == (10, 10)
    view.page.evaluate("() => { closers[0](); closers[1](); forget() }")
    view.delta(4, _LOSS, [6, 1.6, 2.0])
    assert view.page.locator(".forgelm-monitor").count() == 0
    assert view.page.evaluate("Object.values(model.calls).flat().length") == 0


def test_a_hidden_view_does_not_paint_and_catches_up_when_it_is_seen(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.page.evaluate("document.body.style.paddingTop = '5000px'")
    view.page.wait_for_timeout(300)
    view.delta(2, _LOSS, [4, 1.8, 2.2])
    assert view.points() == 6
    view.page.evaluate("scrollTo(0, 5000)")
    view.page.wait_for_function(
        "document.getElementsByClassName('forgelm-monitor-chart')[0].dataset.points === '8'"
    )


def test_a_day_of_messages_leaves_the_browser_no_larger_and_every_extreme_drawn(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    cdp = view.page.context.new_cdp_session(view.page)

    def used_after(first: int, last: int) -> int:
        view.page.evaluate(
            """async ([first, last]) => {
                const names = ['loss', 'loss~smooth', 'learning_rate', 'grad_norm'];
                for (let seq = first; seq < last; seq++) {
                    const rows = [];
                    for (let step = 36 * seq; step < 36 * (seq + 1); step++)
                        rows.push(step, step === 400_000 ? -7 : 1 + step % 3, 2, 1e-4, 1);
                    model.tell('msg:custom',
                        {v: 1, kind: 'delta', run: 'fg-0123', seq, names, n: 36}, [floats(rows)]);
                    if (seq % 500 === 0) await new Promise(requestAnimationFrame);
                }
            }""",
            [first, last],
        )
        view.settle()
        cdp.send("HeapProfiler.collectGarbage")
        return int(cdp.send("Runtime.getHeapUsage")["usedSize"])

    early = used_after(2, 4_000)
    late = used_after(4_000, 24_000)
    assert late - early < 1_500_000
    assert 4_000 < view.points() <= 16_000
    label = view.part("chart").first.get_attribute("aria-label")
    assert "Loss over steps 1 to 863,999." in label
    assert "training loss 3 (between -7 and 3)" in label


def test_hostile_words_stay_words(open_view: Callable[..., View]) -> None:
    alert = {"kind": "gate", "level": "bad", "text": _HOSTILE, "step": 3}
    view = open_view(
        status=status(
            state="failed",
            words=_HOSTILE,
            run=_HOSTILE,
            final_model=_HOSTILE,
            alerts=[alert],
            log=[_HOSTILE],
            stop={"phase": "safe", "keep_best": False, "checkpoint": _HOSTILE},
        ),
        catalogue=[entry("loss", _HOSTILE, "loss"), entry(_HOSTILE, _HOSTILE, "other")],
        marks=[{"step": 2, "kind": _HOSTILE, "text": _HOSTILE}],
        gates=[{"series": "loss", "value": 2, "text": _HOSTILE, "passes_below": True}],
        **snapshot(1, {"loss": [1, 3, 2, 2.5], _HOSTILE: [1, 3]}),
    )
    view.page.evaluate(
        "(words) => { model.answers.rows = {columns: [words], rows: [[words]], total: 1} }",
        _HOSTILE,
    )
    view.page.get_by_text("Show data").click()
    view.page.get_by_role("button", name="Metrics").click()
    view.settle()
    for part in ("run", "words", "paths", "alert", "lines", "told", "table", "entry", "popover"):
        assert _HOSTILE in view.text(part), part
    assert view.page.locator(".forgelm-monitor img, .forgelm-monitor script").count() == 0
    assert view.page.evaluate("window.hurt") is None


def test_odd_numbers_and_an_unknown_state_do_not_break_the_view(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.delta(2, ["loss", "eval_loss"], [4, 3e38, 0.0], [5, -3e38, None], [6, None, None])
    view.status(state="resting", words="", max_steps=0, step=0, epoch=None, eta_s=None)
    assert view.points() == 9
    assert view.text("state") == "resting"
    page = view.page.content()
    assert "NaN" not in page
    assert "Infinity" not in page


def test_a_run_without_a_step_says_that_the_curves_will_come(
    open_view: Callable[..., View],
) -> None:
    begin = status(state="starting", words="Waiting for the first step", step=0, max_steps=0)
    view = open_view(status=begin, **snapshot(1, {}))
    assert view.text("waiting") == "The curves come with the first step that is logged."
    assert view.text("words") == "Waiting for the first step"
    assert view.page.locator("progress").get_attribute("value") is None
    view.set(catalogue=CATALOGUE[:1])
    view.delta(2, ["loss"], [1, 2.0])
    assert view.points() == 1
    assert view.part("waiting").is_hidden()


def test_what_goes_wrong_in_the_kernel_is_said_once(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.page.evaluate(
        "() => model.tell('msg:custom', {kind: 'fault', error: 'OSError in the kernel'})"
    )
    assert "OSError in the kernel" in view.text("told")


def test_the_view_draws_at_most_ten_times_a_second_whatever_comes(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    drawn, took_ms = view.page.evaluate(
        """async () => {
            let drawn = 0;
            const [chart] = document.getElementsByClassName('forgelm-monitor-chart');
            const watch = new MutationObserver((changes) => { drawn += changes.length });
            watch.observe(chart, {attributes: true, attributeFilter: ['data-points']});
            const began = performance.now();
            for (let seq = 2; seq < 102; seq++) {
                model.tell('msg:custom', {v: 1, kind: 'delta', run: 'fg-0123', seq,
                    names: ['loss'], n: 1}, [floats([seq + 2, 2])]);
                await new Promise((r) => setTimeout(r, 6));
            }
            return [drawn, performance.now() - began];
        }"""
    )
    assert 1 <= drawn <= took_ms / 100 + 1
    assert view.points() == 106
