"""The monitor's view alone in Chromium, in front of a stand-in for the widget's model."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from widget_page import WidgetPage, plain

from forgelm_widgets import TrainingMonitor

_SET_UP = """
window.floats = (list) => new DataView(Float32Array.from(list, (v) => v ?? NaN).buffer);
Object.assign(model, {sent: [], answers: {}, isDeaf: false, send(message) {
    this.sent.push(message);
    if (this.isDeaf) return;
    this.tell('msg:custom', {kind: 'ack', id: message.id});
    const value = this.answers[message.name];
    if (value === undefined) return;
    const result = value.error ? {ok: false, error: value.error} : {ok: true, value};
    this.tell('msg:custom', {kind: 'result', id: message.id, ...result});
}});
"""


def entry(name: str, label: str, panel: str, **rest: Any) -> dict[str, Any]:
    """Return one line of the catalogue."""
    return {"name": name, "label": label, "unit": "", "panel": panel, "kind": "line"} | {
        "log": panel == "loss",
        **rest,
    }


CATALOGUE = [
    entry("loss", "training loss", "loss"),
    entry("eval_loss", "evaluation loss", "loss", kind="points"),
    entry("learning_rate", "learning rate", "learning_rate"),
    entry("grad_norm", "gradient norm", "grad_norm"),
    entry("tokens_per_second", "tokens", "tokens_per_second", unit="tokens/s"),
    entry("rewards/mean", "mean reward", "reward"),
    entry("rewards/format", "format reward", "reward"),
    entry("kl", "KL divergence", "other"),
    entry("memory_gib", "GPU memory", "memory", unit="GiB"),
]


def status(**values: Any) -> dict[str, Any]:
    """Return the status of a run at step 3 of 10."""
    base = {"v": 1, "run": "fg-0123", "run_dir": "runs/support", "model": "acme/tiny-llama"}
    base |= {"trainer_type": "sft", "state": "running", "words": "", "message": None, "step": 3}
    base |= {"max_steps": 10, "epoch": 0.3, "eta_s": 142, "elapsed_s": 61, "steps_per_s": 0.05}
    base |= {"latest": {}, "checkpoint": None, "final_model": None, "success": None, "live": True}
    base |= {"can": {"stop": True, "keep_best": True, "resume": False}, "stop": None}
    base |= {"command": "forgelm runs stop runs/support", "alerts": [], "log": []}
    return {**base, **values}


def snapshot(seq: int, points: dict[str, list[float]], run: str = "fg-0123") -> dict[str, Any]:
    """Return the two traits of a snapshot; `points` are steps and values in turn."""
    series = [{"name": k, "n": len(v) // 2, "total": len(v) // 2} for k, v in points.items()]
    flat = [value for pairs in points.values() for value in pairs]
    data = struct.pack(f"<{len(flat)}f", *flat)
    return {"snapshot": {"v": 1, "run": run, "seq": seq, "series": series}, "data": data}


def story(steps: int = 240, *, reward: bool = False) -> dict[str, list[float]]:
    """Return the points of a plausible run."""
    chance = random.Random(5)
    points: dict[str, list[float]] = {}
    smooth = None

    def put(name: str, step: int, value: float) -> None:
        points.setdefault(name, []).extend((step, value))

    for step in range(1, steps + 1):
        share = step / steps
        loss = 1.6 + 3.2 * math.exp(-5 * share) + chance.gauss(0, 0.16)
        smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
        put("loss", step, loss)
        put("loss~smooth", step, smooth)
        put("learning_rate", step, 2e-4 * min(1, 12 * share) * (1.02 - share))
        put("grad_norm", step, 0.9 + 2 * math.exp(-6 * share) + abs(chance.gauss(0, 0.2)))
        put("tokens_per_second", step, 900 + chance.gauss(0, 25))
        put("memory_gib", step, 11.2 + (step > 20) * 1.3)
        if reward:
            put("rewards/mean", step, 0.2 + 0.6 * share + chance.gauss(0, 0.05))
            put("rewards/format", step, 0.5 + 0.45 * share + chance.gauss(0, 0.03))
            put("kl", step, 0.02 + 0.2 * share + abs(chance.gauss(0, 0.01)))
        if step % 30 == 0:
            put("eval_loss", step, 1.75 + 3.2 * math.exp(-5 * share))
    return points


@dataclass
class View(WidgetPage):
    """The view in its page."""

    def set(self, **traits: Any) -> None:
        """Change traits, as the kernel would."""
        self.page.evaluate("(traits) => model.set(traits)", plain(traits))

    def status(self, **values: Any) -> None:
        """Change the status."""
        self.set(status=status(**values))

    def snapshot(self, seq: int, points: dict[str, list[float]], **rest: Any) -> None:
        """Put other points in the place of all."""
        self.set(**snapshot(seq, points, **rest))

    def delta(
        self, seq: int, names: list[str], *rows: list[float | None], run: str = "fg-0123"
    ) -> None:
        """Send new points: a row is a step and a value for each name."""
        self.page.evaluate(
            """([head, rows]) => model.tell('msg:custom', head, [floats(rows.flat())])""",
            [
                {
                    "v": 1,
                    "kind": "delta",
                    "run": run,
                    "seq": seq,
                    "names": names,
                    "n": len(rows),
                },
                rows,
            ],
        )

    def settle(self) -> None:
        """Wait until the view has painted."""
        self.page.evaluate(
            "() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => "
            "setTimeout(r))))"
        )
        self.page.wait_for_function("document.querySelector('[data-stale]') === null")

    def points(self, view: int = 0) -> int:
        """Return how many points the main chart of a view holds."""
        self.settle()
        root = self.page.locator(".forgelm-monitor").nth(view)
        chart = root.locator(".forgelm-monitor-main .forgelm-monitor-chart")
        return int(chart.get_attribute("data-points")) if chart.count() else 0

    def part(self, name: str) -> Any:
        """Return the locator of a part of the view."""
        return self.page.locator(f".forgelm-monitor-{name}")

    def text(self, name: str) -> str:
        """Return the text of the first part of that name."""
        self.settle()
        words: str = self.part(name).first.inner_text()
        return words

    def legend(self) -> list[str]:
        """Return what the legends say, chart by chart."""
        self.settle()
        return [" ".join(words.split()) for words in self.part("entry").all_inner_texts()]

    def sent(self, name: str) -> list[dict[str, Any]]:
        """Return the arguments of each command of that name that the view sent."""
        found: list[dict[str, Any]] = self.page.evaluate(
            "(name) => model.sent.filter((m) => m.name === name).map((m) => m.args)", name
        )
        return found


@pytest.fixture
def open_view(draw: Callable[..., Any]) -> Callable[..., View]:
    """Give a function that shows the view of a run that has logged three steps."""

    def opened(*, width: int = 1280, height: int = 900, dark: bool = False, **traits: Any) -> View:
        points = {"loss": [1, 3, 2, 2.5, 3, 2], "loss~smooth": [1, 3, 2, 2.7, 3, 2.3]}
        start = {"status": status(), "catalogue": CATALOGUE, "marks": [], "gates": []}
        start |= snapshot(1, points) | traits
        window = {"width": width, "height": height, "dark": dark}
        view = View(draw(TrainingMonitor, start, _SET_UP, **window))
        view.settle()
        return view

    return opened
