"""What is read out of a run's events: its state, its curves, the time left."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgelm import ProgressEvent
from forgelm_widgets._curves import SMOOTH, RunCurves, thin
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
    assert run.eta_s is None
    run.add(_event("log", 5, 38.0, loss=2.0))
    assert (run.elapsed_s, run.eta_s) == (38.0, 10.0)


def test_after_a_resume_only_the_steps_since_count_for_the_time_left() -> None:
    run = RunCurves()
    for event in (_event("train_begin", 0), _event("log", 1, 1.0), _event("log", 4, 2.0)):
        run.add(event)
    run.add(_event("train_begin", 4, 10_000.0))
    assert run.eta_s is None
    run.add(_event("log", 5, 10_030.0))
    run.add(_event("log", 7, 10_034.0))
    assert (run.elapsed_s, run.eta_s) == (34.0, 6.0)


def test_smoothing_weighs_the_newest_value_with_a_fifth() -> None:
    run = RunCurves.of(_event("log", step, loss=loss) for step, loss in ((1, 4.0), (2, 2.0)))
    # (0.8 · 0.2 · 4 + 0.2 · 2) / (0.8 · 0.2 + 0.2)
    assert run.points(SMOOTH) == pytest.approx(np.array([[1, 4.0], [2, 1.04 / 0.36]]))


def test_values_that_are_not_finite_are_kept_and_not_drawn() -> None:
    losses = (3.0, math.nan, 1e39, 2.0)
    run = RunCurves.of(_event("log", step, loss=loss) for step, loss in enumerate(losses))
    assert run.points("loss").tolist() == [[0, 3.0], [3, 2.0]]
    assert list(run.metrics["loss"].values)[2:] == [1e39, 2.0]
    assert "nan" not in curves_svg(run.pairs(100)).lower()


def test_a_reason_is_masked_and_visible_before_any_view_shows_it() -> None:
    run = RunCurves()
    run.cut_off("no access with AKIA" + "IOSFODNN7" + "EXAMPLE\u202e")
    assert run.headline() == "Ended before the first step: no access with [REDACTED-SECRET]\\u202e"


def test_steps_that_come_once_more_replace_what_was_there() -> None:
    run = RunCurves.of(_event("log", step, loss=float(step)) for step in range(1, 9))
    run.add(_event("evaluate", 8, eval_loss=2.0))
    run.add(_event("train_begin", 4))
    run.add(_event("log", 5, loss=1.5))
    assert run.points("loss").tolist() == [[1, 1], [2, 2], [3, 3], [4, 4], [5, 1.5]]
    assert len(run.points(SMOOTH)) == 5
    assert len(run.points("eval_loss")) == 0
    assert list(run.steps) == [1, 2, 3, 4, 4, 5]
    run.add(_event("train_begin", 0))
    assert len(run) == 1


def test_the_first_event_of_another_run_begins_everything_anew(
    make_events: Callable[..., Any],
) -> None:
    run = RunCurves.of(make_events(20))
    run.add(next(make_events(5, run_id="fg-2")))
    assert (len(run), run.state, len(run.points("loss"))) == (1, "running", 0)


def test_the_short_way_of_a_usual_line_and_the_long_one_agree() -> None:
    lines = [_event("train_begin", 0), *(_event("log", n, n, loss=4.0 - n) for n in range(1, 50))]
    lines += [_event("log", 50, loss=math.nan, grad_norm=1.0), _event("log", 51, loss=1.0)]
    documents = [json.loads(json.dumps(event.to_json())) for event in lines]
    short, long = RunCurves(), RunCurves.of(lines)
    short.add_documents(documents)
    assert (short.steps, short.times, short.state) == (long.steps, long.times, long.state)
    for name in ("loss", SMOOTH, "grad_norm"):
        assert short.metrics[name].rows == long.metrics[name].rows
        assert str(short.metrics[name].values) == str(long.metrics[name].values)


def test_a_run_that_ends_by_keeping_its_best_has_finished() -> None:
    keeping = replace(_event("stopping", 4), message="keeping checkpoint-3, the best so far: me")
    run = RunCurves.of([_event("train_begin", 0), keeping, _event("train_end", 4)])
    assert (run.state, run.message) == ("finished", None)


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
