"""Stop, resume, alerts and the table of the monitor's view, in front of a scripted kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from monitor_page import View, snapshot, status

pytestmark = pytest.mark.browser

_CHECKPOINT = "runs/support/checkpoints/checkpoint-4"
_NOTHING = {"stop": False, "keep_best": False, "resume": False}


def _stop(phase: str, *, keep_best: bool = False) -> dict[str, Any]:
    path = _CHECKPOINT if phase == "safe" else None
    return {"phase": phase, "keep_best": keep_best, "checkpoint": path}


def _button(view: View, name: str) -> Any:
    return view.page.get_by_role("button", name=name, exact=True)


def test_stop_goes_from_stopping_to_acknowledged_to_stopped_with_the_checkpoint(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    assert _button(view, "Resume").count() == 0
    _button(view, "Stop").click()
    assert view.sent("stop") == [{"keep_best": False}]
    assert view.text("told") == "The kernel has heard Stop and passes it on."
    _button(view, "Stopping…").click(force=True)
    assert len(view.sent("stop")) == 1
    view.status(can=_NOTHING, stop=_stop("asked"))
    assert view.text("told") == "Stop is asked for; the run hears it at its next step."
    view.status(state="stopping", can=_NOTHING, stop=_stop("acknowledged"))
    assert _button(view, "Stop acknowledged").get_attribute("aria-disabled") == "true"
    assert "saves a checkpoint" in view.text("told")
    can = {"stop": False, "keep_best": False, "resume": True}
    view.status(state="stopped", live=False, can=can, stop=_stop("safe"))
    assert view.text("told") == f"Safe: the run can be resumed; checkpoint {_CHECKPOINT}."
    assert _button(view, "Stop").count() == 0
    assert _button(view, "Resume").evaluate("(node) => document.activeElement === node")
    assert view.text("state") == "Stopped"


def test_stop_and_keep_best_says_that_the_best_model_is_kept(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    _button(view, "Stop and keep best").click()
    assert view.sent("stop") == [{"keep_best": True}]
    view.status(state="finished", live=False, can=_NOTHING, stop=_stop("safe", keep_best=True))
    assert view.text("told") == f"Safe: the best model is kept; checkpoint {_CHECKPOINT}."


def test_a_kernel_that_does_not_answer_is_asked_again_and_the_command_is_shown(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.page.evaluate("model.isDeaf = true")
    _button(view, "Stop").click()
    assert view.text("told") == "Asking the kernel to stop the run…"
    command = view.page.get_by_label("Command that stops the run, for a terminal")
    command.wait_for(timeout=10_000)
    assert command.input_value() == "forgelm runs stop runs/support"
    assert "type this in a terminal" in view.text("told")
    assert len(view.sent("stop")) == 2
    view.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _button(view, "Copy").click()
    assert view.text("copied") in {"Copied", "Press Ctrl+C"}
    view.status(state="stopping", can=_NOTHING, stop=_stop("acknowledged"))
    view.settle()
    assert command.is_hidden()


def test_a_kernel_that_answers_late_takes_the_command_away(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.page.evaluate("model.isDeaf = true")
    _button(view, "Stop").click()
    command = view.page.get_by_label("Command that stops the run, for a terminal")
    command.wait_for(timeout=10_000)
    view.page.evaluate("() => model.tell('msg:custom', {kind: 'ack', id: model.sent.at(-1).id})")
    view.settle()
    assert command.is_hidden()
    assert view.text("told") == "The kernel has heard Stop and passes it on."


def test_a_stop_that_is_refused_says_why_and_can_be_asked_again(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.page.evaluate("model.answers.stop = {error: 'the run has ended already'}")
    _button(view, "Stop").click()
    assert view.text("told") == "That did not work: the run has ended already"
    assert _button(view, "Stop").get_attribute("aria-disabled") == "false"


def test_a_page_that_comes_back_in_the_middle_of_a_stop_shows_how_far_it_is(
    open_view: Callable[..., View],
) -> None:
    view = open_view(status=status(state="stopping", can=_NOTHING, stop=_stop("acknowledged")))
    assert _button(view, "Stop acknowledged").count() == 1
    assert "left" not in view.text("figures")


def test_a_stopped_run_goes_on_when_resume_is_clicked(open_view: Callable[..., View]) -> None:
    can = {"stop": False, "keep_best": False, "resume": True}
    view = open_view(status=status(state="stopped", live=False, can=can, stop=_stop("safe")))
    _button(view, "Resume").click()
    assert view.sent("resume") == [{}]
    view.status(state="starting", can={"stop": True, "keep_best": False, "resume": False})
    view.settle()
    assert _button(view, "Resume").count() == 0
    assert view.part("told").is_hidden()
    assert _button(view, "Stop").get_attribute("aria-disabled") == "false"
    assert _button(view, "Stop and keep best").get_attribute("aria-disabled") == "true"


def test_what_is_bad_is_an_alert_and_each_thing_is_told_once(
    open_view: Callable[..., View],
) -> None:
    bad = {"kind": "not_finite", "level": "bad", "text": "loss was NaN at step 3", "step": 3}
    warn = {"kind": "gate", "level": "warn", "text": "would fail: eval_loss", "step": 1200}
    view = open_view(status=status(alerts=[bad]))
    assert view.page.get_by_role("alert").inner_text() == "✕\nProblem\nloss was NaN at step 3"
    view.page.evaluate(
        "() => { document.getElementsByClassName('forgelm-monitor-alert')[0].isOld = true }"
    )
    view.status(alerts=[bad, warn])
    assert view.text("alert-warn").split("\n")[1:] == [
        "Warning",
        "would fail: eval_loss (step 1,200)",
    ]
    assert view.part("alert-bad").evaluate("(node) => node.isOld") is True
    view.status(alerts=[])
    view.settle()
    assert view.part("alert").count() == 0


def test_the_last_lines_of_the_log_are_open_when_a_run_failed(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    assert view.part("log").is_hidden()
    view.status(state="failed", live=False, log=["Traceback", "OSError: no space left"])
    assert view.text("lines") == "Traceback\nOSError: no space left"


def test_the_table_pages_through_the_record_from_its_newest_event(
    open_view: Callable[..., View],
) -> None:
    view = open_view()
    view.page.evaluate(
        """() => {
            const send = model.send.bind(model);
            model.send = (message) => {
                const first = message.args.first;
                const rows = Array.from({length: Math.min(100, 250 - first)},
                    (_, i) => [250 - first - i, 'log', 0.5, null]);
                const columns = ['step', 'kind', 'loss', 'eval_loss'];
                model.answers.rows = {columns, rows, total: 250};
                send(message);
            };
        }"""
    )
    view.page.get_by_text("Show data").click()
    rows = view.page.locator("tbody tr")
    rows.nth(99).wait_for()
    assert rows.first.inner_text().split() == ["250", "log", "0.5", "–"]
    told = view.part("data").get_by_role("status")
    assert told.inner_text() == "Events 1–100 of 250, newest first"
    assert _button(view, "Newer").get_attribute("aria-disabled") == "true"
    _button(view, "Older").click()
    _button(view, "Older").click()
    assert told.inner_text() == "Events 201–250 of 250, newest first"
    assert _button(view, "Older").get_attribute("aria-disabled") == "true"
    _button(view, "Newest").click()
    assert rows.first.inner_text().split()[0] == "250"


def test_the_table_shows_the_points_drawn_while_the_kernel_is_busy(
    open_view: Callable[..., View],
) -> None:
    view = open_view(**snapshot(1, {"loss": [1, 3, 2, 2.5], "eval_loss": [2, 2.25]}))
    view.page.evaluate("model.isDeaf = true")
    view.page.get_by_text("Show data").click()
    view.page.locator(".forgelm-monitor-table td").first.wait_for()
    lines = view.page.locator(".forgelm-monitor-table tr").all_inner_texts()
    assert [line.split("\t") for line in lines] == [
        ["step", "training loss", "evaluation loss"],
        ["2", "2.5", "2.25"],
        ["1", "3", "–"],
    ]


def test_time_goes_on_between_two_messages(open_view: Callable[..., View]) -> None:
    view = open_view()
    view.page.wait_for_function(
        "document.getElementsByClassName('forgelm-monitor-figures')[0].textContent"
        ".includes('1:03 elapsed · about 2:20 left')"
    )
