"""What is read out of a run's events: its state, its curves, the time left."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgelm import ProgressEvent
from forgelm_widgets._curves import RunCurves, thin
from forgelm_widgets._picture import curves_svg


def _event(kind: str, step: int, seconds: float = 0.0, **metrics: float) -> ProgressEvent:
    return ProgressEvent(
        kind=kind,  # type: ignore[arg-type]
        run_id="fg-1",
        seq=0,
        time=1_800_000_000.0 + seconds,
        step=step,
        max_steps=10,
        epoch=0.5,
        metrics=metrics,
        message="CUDA out of memory" if kind == "failed" else None,
    )


@pytest.mark.parametrize(
    ("kinds", "state", "headline"),
    [
        ([], "starting", "Waiting for the first step"),
        (["train_begin", "log"], "running", "Running: step 4 of 10, epoch 0.50"),
        (["train_begin", "stopping"], "stopping", "Stopping at the end of step 4 of 10"),
        (["train_begin", "stopping", "save", "train_end"], "stopped", "Stopped on request at step"),
        (["train_begin", "log", "train_end"], "finished", "Finished at step 4 of 10"),
        (["train_begin", "failed"], "failed", "Failed at step 4 of 10: CUDA out of memory"),
        (["failed"], "failed", "Failed at step 4 of 10: CUDA out of memory"),
        (["train_begin", "failed", "train_begin"], "running", "Running: step 4 of 10, epoch 0.50"),
    ],
)
def test_the_state_follows_from_the_events(kinds: list[str], state: str, headline: str) -> None:
    run = RunCurves.of(_event(kind, 4) for kind in kinds)
    assert run.state == state
    assert run.headline().startswith(headline)


def test_the_time_left_is_measured_between_logged_steps() -> None:
    run = RunCurves()
    run.add(_event("train_begin", 0, 0.0))
    run.add(_event("log", 1, 30.0, loss=3.0))  # the first step is slow and says nothing
    assert run.status()["eta_s"] is None
    run.add(_event("log", 5, 38.0, loss=2.0))
    status = run.status()
    assert (status["elapsed_s"], status["eta_s"]) == (38.0, 10.0)


def test_smoothing_weighs_the_newest_value_with_a_fifth() -> None:
    run = RunCurves.of(_event("log", step, loss=loss) for step, loss in ((1, 4.0), (2, 2.0)))
    # (0.8 · 0.2 · 4 + 0.2 · 2) / (0.8 · 0.2 + 0.2)
    assert list(run.points["smooth"]) == pytest.approx([1, 4.0, 2, 1.04 / 0.36])


def test_values_that_are_not_finite_are_told_and_not_drawn() -> None:
    losses = (3.0, math.nan, 1e39, 2.0)
    run = RunCurves.of(_event("log", step, loss=loss) for step, loss in enumerate(losses))
    assert list(run.points["loss"]) == [0, 3.0, 3, 2.0]
    assert run.status()["odd"] == "2 losses were not finite, first at step 1"
    assert "nan" not in curves_svg(run.pairs(100)).lower()
    run.add(_event("log", 4, loss=math.nan))
    assert run.status()["latest"]["loss"] is None


def test_a_reason_is_masked_and_visible_before_any_view_shows_it() -> None:
    run = RunCurves()
    run.cut_off("no access with AKIA" + "IOSFODNN7" + "EXAMPLE\u202e")
    assert run.headline() == "Ended before the first step: no access with [REDACTED-SECRET]\\u202e"


def test_steps_that_come_once_more_replace_what_was_there() -> None:
    run = RunCurves.of(_event("log", step, loss=float(step)) for step in range(1, 9))
    run.add(_event("train_begin", 4))
    run.add(_event("log", 5, loss=1.5))
    assert list(run.points["loss"]) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 1.5]


def test_the_first_event_of_another_run_begins_everything_anew(
    make_events: Callable[..., Any],
) -> None:
    run = RunCurves.of(make_events(20))
    run.add(next(make_events(5, run_id="fg-2")))
    assert (len(run.events), run.state, len(run.points["loss"])) == (1, "running", 0)


@given(
    values=st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=300),
    limit=st.integers(4, 60),
)
def test_thinning_keeps_the_ends_and_both_extremes(values: list[float], limit: int) -> None:
    points = array("f", [part for pair in enumerate(values) for part in pair])
    kept = thin(points, limit).tolist()
    assert len(kept) <= max(limit, len(values) if len(values) <= limit else 0)
    assert kept[0] == [0, values[0]]
    assert kept[-1] == [len(values) - 1, values[-1]]
    assert {min(values), max(values)} <= {value for _, value in kept}
    assert [step for step, _ in kept] == sorted({step for step, _ in kept})


@pytest.mark.parametrize(
    "curves",
    [
        {},
        {"loss": [(1.0, 2.0)]},
        {"loss": [(1.0, 2.0), (2.0, 2.0)], "eval_loss": [(2.0, 2.0)]},
        {"eval_loss": [(0.0, 1e-30), (1e9, 1e30)]},
        {"loss": [(5.0, -3e38)]},
        {"loss": [(5.0, -3e38), (6.0, 3e38)]},
    ],
)
def test_a_curve_of_any_shape_can_be_drawn(curves: dict[str, list[tuple[float, float]]]) -> None:
    picture = curves_svg(curves)
    assert picture.startswith("<svg ")
    assert "nan" not in picture
    assert "inf" not in picture
