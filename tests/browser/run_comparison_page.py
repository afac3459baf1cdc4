"""The comparison of runs in a bare Chromium: its real kernel side and its real view, joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from run_directories import write_run, write_scores
from widget_page import Joined, WidgetPage

from forgelm_widgets import RunComparison


class _Comparison(Joined, RunComparison):
    SHOWN = ("table", "detail")


@dataclass
class Comparison(WidgetPage):
    """The comparison's two halves, joined."""

    comparison: _Comparison

    def names(self) -> list[str]:
        """Return the names of the runs in the table, top down."""
        names: list[str] = self.page.locator(".forgelm-runs-pick").all_inner_texts()
        return names

    def settle(self) -> None:
        """Wait until what was asked has gone to the kernel and come back."""
        self.page.wait_for_timeout(250)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Give a folder with four judged runs, a live one and a damaged one."""
    folder = tmp_path / "runs"
    for number, name in enumerate(("lr-1e-4", "lr-2e-4", "lr-3e-4", "lr-4e-4")):
        told = write_scores(folder / name, right=130 + 12 * number, unsafe=[0, 3, 22, 1][number])
        if number == 2:
            reason = "the safety score 0.8900 is below min_safety_score (0.9500)"
            verdict = {"gate": "safety", "status": "failed", "reason": reason}
            told |= {"success": False, "reverted": True, "verdicts": [verdict]}
        config = {
            "lora": {"r": 8 * (1 + number % 2)},
            "training": {"learning_rate": 1e-4 * (number + 1)},
        }
        write_run(folder / name, number=number, steps=300, result=told, config=config)
    write_run(folder / "died-in-the-night", number=5, steps=90, ended=False)
    (folder / "damaged").mkdir()
    (folder / "damaged" / "run.json").write_text("{oops", "utf-8")
    return folder


@pytest.fixture
def open_comparison(draw: Callable[..., Any]) -> Iterator[Callable[..., Comparison]]:
    """Give a function that shows a comparison of runs."""
    opened: list[_Comparison] = []

    def show(runs: Any, **window: Any) -> Comparison:
        opened.append(_Comparison(runs))
        opened[-1].wait()
        return Comparison(draw(opened[-1], **window), opened[-1])

    yield show
    for comparison in opened:
        comparison.close()
