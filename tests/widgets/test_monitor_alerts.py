"""What a monitor says is to look at: each case is planted, told, and taken back when it is over."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("psutil")

from monitor_stage import Page, beat, event, pages, until, write_events, write_run

from forgelm.config import EvaluationConfig
from forgelm.trainer.outcome import RunFigures, judge_figures
from forgelm_widgets import TrainingMonitor
from forgelm_widgets._curves import RunCurves
from forgelm_widgets.training_monitor._gates import best_value, find_gates


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", evaluation={"max_acceptable_loss": 2.0})


@pytest.fixture
def page(run_dir: Path) -> Iterator[Page]:
    write_events(run_dir, [event("train_begin", 0)])
    with pages() as page_of:
        monitor = TrainingMonitor(run_dir)
        yield page_of(monitor)
        monitor.close()


def _tell(run_dir: Path, losses: list[float], first: int = 1) -> int:
    lines = [event("log", first + n, loss=loss) for n, loss in enumerate(losses)]
    write_events(run_dir, [line | {"metrics": _strict(line["metrics"])} for line in lines])
    beat(run_dir)
    return first + len(losses)


def _strict(metrics: dict[str, float]) -> dict[str, Any]:
    words = {math.inf: "Infinity"}
    return {k: "NaN" if v != v else words.get(v, v) for k, v in metrics.items()}


def test_a_healthy_run_has_nothing_to_look_at(run_dir: Path, page: Page) -> None:
    noise = random.Random(7)
    _tell(run_dir, [1 + 4 * math.exp(-n / 80) + noise.gauss(0, 0.1) for n in range(300)])
    until(lambda: len(page.points.get("loss", ())) == 300)
    until(lambda: page.state["status"]["step"] == 300)
    assert page.alerts == {}


@pytest.mark.parametrize(("value", "word"), [(math.nan, "not a number"), (math.inf, "infinite")])
def test_a_loss_that_is_no_number_is_told_until_fifty_later_ones_are(
    run_dir: Path, page: Page, value: float, word: str
) -> None:
    step = _tell(run_dir, [3.0, 2.9, value, 2.8])
    until(lambda: "not_finite" in page.alerts)
    assert page.alerts["not_finite"] == f"loss was {word} at step 3"
    assert page.points["loss"] == [(1.0, 3.0), (2.0, pytest.approx(2.9)), (4.0, pytest.approx(2.8))]
    _tell(run_dir, [2.8 - n / 100 for n in range(50)], step)
    until(lambda: "not_finite" not in page.alerts)


def test_a_loss_that_climbs_far_over_its_best_diverges_until_it_comes_back(
    run_dir: Path, page: Page
) -> None:
    noise = random.Random(7)
    step = _tell(run_dir, [2.0 + noise.gauss(0, 0.05) for _ in range(60)])
    step = _tell(run_dir, [3.0 + noise.gauss(0, 0.05) for _ in range(10)], step)
    until(lambda: "divergence" in page.alerts)
    assert page.alerts["divergence"].startswith("the loss diverges: 2.97")
    _tell(run_dir, [1.9] * 10, step)
    until(lambda: "divergence" not in page.alerts)


def test_a_loss_that_no_longer_falls_is_a_plateau_until_it_falls_again(
    run_dir: Path, page: Page
) -> None:
    noise = random.Random(7)
    step = _tell(run_dir, [2.0 + noise.gauss(0, 0.05) for _ in range(200)])
    until(lambda: "plateau" in page.alerts)
    assert page.alerts["plateau"] == (
        "plateau: the loss has not fallen over the last 100 logged steps"
    )
    _tell(run_dir, [1.8 + noise.gauss(0, 0.05) for _ in range(60)], step)
    until(lambda: "plateau" not in page.alerts)


def test_evaluations_that_get_no_better_are_a_plateau_until_one_does(
    run_dir: Path, page: Page
) -> None:
    losses = (1.9, 1.5, 1.51, 1.5, 1.52)
    write_events(run_dir, [event("evaluate", 10 * n, eval_loss=v) for n, v in enumerate(losses, 1)])
    until(lambda: "plateau" in page.alerts)
    assert page.alerts["plateau"] == (
        "plateau: the last 3 evaluations are no better than 1.5 at step 20"
    )
    write_events(run_dir, [event("evaluate", 60, eval_loss=1.3)])
    until(lambda: not page.alerts)


def test_a_gate_that_would_fail_is_told_until_it_would_pass(run_dir: Path, page: Page) -> None:
    write_events(
        run_dir, [event("evaluate", 0, eval_loss=4.0), event("evaluate", 5, eval_loss=2.5)]
    )
    until(lambda: "gate" in page.alerts)
    assert page.alerts["gate"] == (
        "would fail: eval_loss 2.5 at best, above evaluation.max_acceptable_loss (2)"
    )
    until(lambda: len(page.state["gates"]) == 2)
    assert [(gate["text"], gate["value"]) for gate in page.state["gates"]] == [
        ("evaluation.max_acceptable_loss", 2.0),
        ("the untrained model, and 1 %", 4.04),
    ]
    write_events(run_dir, [event("evaluate", 10, eval_loss=1.9)])
    until(lambda: not page.alerts)


def test_a_run_without_a_sign_of_life_is_told_until_there_is_one(run_dir: Path, page: Page) -> None:
    _tell(run_dir, [3.0, 2.9])
    until(lambda: page.state["status"]["step"] == 2)
    beat(run_dir, ago_s=45.0)
    until(lambda: "silent" in page.alerts)
    assert re.fullmatch(r"no sign of life for 4\d s", page.alerts["silent"])
    beat(run_dir, ago_s=500.0)
    until(lambda: page.state["status"]["state"] == "stalled")
    beat(run_dir)
    until(lambda: not page.alerts and page.state["status"]["state"] == "running")


def test_a_run_whose_process_is_gone_has_died(tmp_path: Path) -> None:
    import json

    run_dir = write_run(tmp_path / "run")
    document = json.loads((run_dir / "run.json").read_text())
    (run_dir / "run.json").write_text(json.dumps(document | {"process_started_at": 1.0}))
    (run_dir / "stdout.log").write_text("step 1\npassword=" + "hunter2hunter2" + "\nKilled\n")
    write_events(run_dir, [event("train_begin", 0), event("log", 1, loss=2.0)])
    with pages() as page_of:
        monitor = TrainingMonitor(run_dir)
        page = page_of(monitor)
        until(lambda: page.state["status"]["state"] == "died")
        status = page.state["status"]
        assert status["log"][-1] == "Killed"
        assert "hunter2" not in str(status)
        assert status["can"] == {"stop": False, "keep_best": False, "resume": True}
        monitor.close()


_LOSS = st.floats(0.01, 20, allow_nan=False)


@given(before=_LOSS, after=_LOSS, ceiling=st.none() | _LOSS, baseline=st.none() | _LOSS)
def test_the_lines_agree_with_the_gates_that_judge_the_run(
    before: float, after: float, ceiling: float | None, baseline: float | None
) -> None:
    limits = {"max_acceptable_loss": ceiling, "baseline_loss": baseline}
    curves = RunCurves()
    for step, loss in ((0, before), (5, after)):
        curves.add_document(event("evaluate", step, eval_loss=loss))
    gates = find_gates({"evaluation": limits}, curves)
    figures = RunFigures(metrics={"eval_loss": after, "baseline_eval_loss": before})
    verdicts = judge_figures(EvaluationConfig(**limits), figures)
    best = best_value(curves, gates[0])
    assert best == (5, after)
    fails = any(verdict.status == "failed" for verdict in verdicts)
    assert fails == any(not gate.passes(after) for gate in gates)
