"""How the monitor looks: every state, both themes, wide and narrow; nobody is shut out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from monitor_page import View, snapshot, status, story

pytestmark = pytest.mark.browser

_CHECKPOINT = "runs/support/checkpoints/checkpoint-240"
_NOTHING = {"stop": False, "keep_best": False, "resume": False}
_RESUME = {**_NOTHING, "resume": True}
_MARKS = [
    *({"step": s, "kind": "evaluation", "text": "evaluated"} for s in range(30, 241, 30)),
    *(
        {"step": s, "kind": "checkpoint", "text": f"checkpoint-{s} saved"}
        for s in (60, 120, 180, 240)
    ),
    {"step": 120, "kind": "resume", "text": "resumed from checkpoint-120"},
    {"step": 210, "kind": "best", "text": "best eval_loss: 1.781"},
]
_GATES = [
    {"series": "eval_loss", "value": 1.7, "text": "evaluation loss ≤ 1.7"} | {"passes_below": True}
]
_LOG = [
    "step 239 loss 1.66",
    "Traceback (most recent call last):",
    '  File "train.py", line 12, in <module>',
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
]
_ALERTS = [
    {
        "kind": "divergence",
        "level": "bad",
        "text": "the loss diverges: 5.2 over the last 10 logged steps, after 1.6 around step 200",
        "step": 240,
    },
    {
        "kind": "gate",
        "level": "warn",
        "text": "would fail: eval_loss 1.78 at best, above the gate (1.7)",
        "step": 240,
    },
]


def _run(**values: Any) -> dict[str, Any]:
    base = {"step": 240, "max_steps": 400, "epoch": 1.8, "elapsed_s": 3720, "eta_s": 2480}
    base |= {"steps_per_s": 3.21, "checkpoint": _CHECKPOINT}
    return {"status": status(**{**base, **values}), "marks": _MARKS, "gates": _GATES}


def _stop(phase: str, path: str | None = None) -> dict[str, Any]:
    return {"phase": phase, "keep_best": False, "checkpoint": path}


def _ended(state: str, words: str, **values: Any) -> dict[str, Any]:
    return _run(state=state, words=words, live=False, eta_s=None, **values)


_OOM = "Failed at step 240 of 400: the device ran out of memory"
_STATES: dict[str, dict[str, Any]] = {
    "starting": _run(
        state="starting",
        words="Waiting for the first step",
        step=0,
        max_steps=0,
        elapsed_s=4,
        eta_s=None,
        checkpoint=None,
        can={"stop": True, "keep_best": False, "resume": False},
    )
    | {"marks": [], "gates": []},
    "running": _run(),
    "diverged": _run(alerts=_ALERTS),
    "stopping": _run(state="stopping", can=_NOTHING, stop=_stop("acknowledged"), eta_s=None),
    "stopped": _ended(
        "stopped",
        "Stopped on request at step 240 of 400",
        can=_RESUME,
        stop=_stop("safe", _CHECKPOINT),
    ),
    "finished": _ended(
        "finished",
        "Finished at step 240 of 240",
        max_steps=240,
        epoch=3.0,
        success=True,
        final_model="runs/support/final_model",
        can=_NOTHING,
    ),
    "failed": _ended("failed", _OOM, can=_RESUME, log=_LOG),
    "died": _ended("died", "Died at step 240 of 400: its process is gone", can=_RESUME, log=_LOG),
    "stalled": _run(state="stalled", words="No sign of life since step 240 of 400", log=_LOG[:1]),
    "grpo": _run(trainer_type="grpo"),
}


def _open(open_view: Callable[..., View], state: str, *, dark: bool) -> View:
    points = {} if state == "starting" else story(reward=state == "grpo")
    return open_view(dark=dark, **snapshot(1, points), **_STATES[state])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("state", list(_STATES))
def test_every_state_fits_wide_and_narrow_and_shuts_nobody_out(
    open_view: Callable[..., View], screenshots: Path, state: str, dark: bool
) -> None:
    view = _open(open_view, state, dark=dark)
    theme = "dark" if dark else "light"
    for width in (1280, 480):
        view.page.set_viewport_size({"width": width, "height": 900})
        view.page.wait_for_timeout(80)
        view.settle()
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width
        path = screenshots / f"monitor-{state}-{theme}-{width}.png"
        view.page.screenshot(path=path, full_page=True)
    assert view.broken_rules() == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_opens_on_a_click_shuts_nobody_out(
    open_view: Callable[..., View], screenshots: Path, dark: bool
) -> None:
    view = _open(open_view, "diverged", dark=dark)
    view.page.evaluate("model.isDeaf = true")
    view.page.get_by_role("button", name="Metrics").click()
    view.page.get_by_text("Show data").click()
    chart = view.part("chart").first
    chart.focus()
    view.page.keyboard.press("Home")
    view.page.keyboard.press("+")
    for _ in range(3):
        view.page.keyboard.press("Shift+ArrowRight")
    view.page.get_by_role("button", name="Metrics").click()
    view.page.get_by_role("button", name="Stop", exact=True).click()
    view.part("command").wait_for(timeout=10_000)
    view.settle()
    assert view.broken_rules() == []
    view.page.screenshot(
        path=screenshots / f"monitor-open-{'dark' if dark else 'light'}.png", full_page=True
    )
