"""What goes between a monitor and its pages: nothing is lost, nothing comes twice."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("psutil")

from monitor_stage import RUN_ID, Page, pages, until

from forgelm import ProgressEvent
from forgelm_widgets import TrainingMonitor


class _Trainer:
    """Tells a run as fast as it can."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[ProgressEvent], None]] = []
        self.stopped_for: str | None = None

    def subscribe(self, listener: Any, /) -> None:
        self.listeners.append(listener)

    def unsubscribe(self, listener: Any, /) -> None:
        self.listeners.remove(listener)

    def stop(self, reason: str) -> None:
        self.stopped_for = reason

    def tell(self, kind: Any, step: int, steps: int = 1000, **metrics: float) -> None:
        event = ProgressEvent(kind, RUN_ID, step, 1.7e9 + step, step, steps, 0.0, metrics)
        for listener in self.listeners:
            listener(event)


@pytest.fixture
def trainer() -> _Trainer:
    return _Trainer()


@pytest.fixture
def page(trainer: _Trainer) -> Iterator[Page]:
    with pages() as page_of:
        monitor = TrainingMonitor(trainer)
        page = page_of(monitor)
        page.monitor = monitor  # type: ignore[attr-defined]
        yield page
        monitor.close()


def _monitor(page: Page) -> TrainingMonitor:
    monitor: TrainingMonitor = page.monitor  # type: ignore[attr-defined]
    return monitor


def test_no_point_of_200_000_steps_in_a_tight_loop_is_lost(trainer: _Trainer, page: Page) -> None:
    steps = 200_000
    trainer.tell("train_begin", 0, steps)
    for step in range(1, steps + 1):
        trainer.tell("log", step, steps, loss=math.sin(step), grad_norm=1.0)
    until(lambda: page.points.get("loss", [(0, 0)])[-1][0] == steps)
    frame = _monitor(page).to_frame()
    assert len(frame) == steps + 1
    assert (frame["step"].diff().dropna() == 1).all()
    assert len(page.points["loss"]) <= 2_000
    assert page.gaps == 0
    trainer.tell("train_end", steps, steps)
    assert len(_monitor(page).figure().data[0].x) == steps


def test_a_page_that_missed_a_message_gets_everything_again(trainer: _Trainer, page: Page) -> None:
    trainer.tell("train_begin", 0)
    for step in range(1, 40):
        trainer.tell("log", step, loss=float(step))
    until(lambda: len(page.points.get("loss", ())) == 39)
    page.points["loss"].clear()
    seq = page.seq
    assert page.call("snapshot")["ok"]
    assert page.points["loss"] == [(float(step), float(step)) for step in range(1, 40)]
    assert page.seq > seq


def test_a_page_that_is_loaded_anew_finds_every_point_that_was_sent(
    trainer: _Trainer, page: Page
) -> None:
    trainer.tell("train_begin", 0)
    for step in range(1, 100):
        trainer.tell("log", step, loss=float(step))
    until(lambda: len(page.points.get("loss", ())) == 99)
    for step in range(100, 110):
        trainer.tell("log", step, loss=float(step))
        until(lambda step=step: len(page.points["loss"]) == step)
    state = _monitor(page).get_state()
    loss = next(one for one in state["snapshot"]["series"] if one["name"] == "loss")
    assert (loss["total"], state["snapshot"]["seq"]) == (109, page.seq)
    assert array("f", state["data"])[: 2 * loss["n"]][-2:].tolist() == [109.0, 109.0]
    trainer.tell("log", 110, loss=1.0)
    until(lambda: len(page.points["loss"]) == 110)
    assert page.gaps == 0


def test_a_long_record_is_shown_thinned_out_with_its_extremes(
    trainer: _Trainer, page: Page
) -> None:
    trainer.tell("train_begin", 0, 50_000)
    for step in range(1, 50_001):
        loss = {31_234: 99.0, 44_321: -99.0}.get(step, 1.0)
        trainer.tell("log", step, 50_000, loss=loss)
    until(lambda: page.points.get("loss", [(0, 0)])[-1][0] == 50_000)
    assert page.call("snapshot")["ok"]
    assert len(page.points["loss"]) <= 2_000
    assert {(31_234.0, 99.0), (44_321.0, -99.0)} <= set(page.points["loss"])


def test_the_newest_rows_are_handed_out_in_pages(trainer: _Trainer, page: Page) -> None:
    trainer.tell("train_begin", 0)
    for step in range(1, 301):
        trainer.tell("log", step, loss=float(step))
    trainer.tell("evaluate", 300, eval_loss=math.nan)
    until(lambda: page.points.get("loss", [(0, 0)])[-1][0] == 300)
    answer = page.call("rows", first=0, count=1000)["value"]
    assert answer["columns"] == ["step", "event", "epoch", "loss", "loss~smooth", "eval_loss"]
    assert (answer["total"], len(answer["rows"])) == (302, 200)
    assert answer["rows"][0] == [300, "evaluate", 0.0, None, None, "nan"]
    assert answer["rows"][1][:4] == [300, "log", 0.0, 300.0]
    last = page.call("rows", first=300, count=200)["value"]["rows"]
    assert [row[:2] for row in last] == [[1, "log"], [0, "train_begin"]]
    assert page.call("rows", first=-5, count=-1)["value"]["rows"] == []
    assert page.call("rows", first=10**9, count=5)["value"]["rows"] == []


def test_a_trainer_in_this_kernel_is_asked_to_stop_at_once(trainer: _Trainer, page: Page) -> None:
    trainer.tell("train_begin", 0)
    trainer.tell("log", 1, loss=2.0)
    assert page.call("stop", keep_best=True)["error"].startswith(
        "there is no best checkpoint to keep"
    )
    assert page.call("stop")["ok"]
    assert trainer.stopped_for == "asked to stop in the notebook"
    until(lambda: (page.state["status"]["stop"] or {}).get("phase") == "asked")
    trainer.tell("stopping", 2)
    until(lambda: page.state["status"]["stop"]["phase"] == "acknowledged")
    assert page.call("stop")["error"].startswith("the run was asked to stop already")
    assert page.call("resume")["error"].startswith("a run in the cell is resumed there")
    trainer.tell("train_end", 2)
    assert repr(_monitor(page)) == "TrainingMonitor(Stopped on request at step 2 of 1,000)"


def test_what_a_page_may_not_ask_is_refused_in_words(page: Page) -> None:
    for name, args in (
        ("_start", {}),
        ("close", {}),
        ("stop", {"now": 1}),
        ("rows", {"first": "x"}),
    ):
        answer = page.call(name, **args)
        assert not answer["ok"]
        assert answer["error"]
