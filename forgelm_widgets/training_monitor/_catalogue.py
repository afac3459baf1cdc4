"""Which metrics a monitor draws, in which panel, and the marks on its time axis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from forgelm_widgets._curves import SMOOTH, Mark, RunCurves
from forgelm_widgets.training_monitor._gates import Judged

__all__ = ["PANELS", "catalogue", "find_marks"]

PANELS = (
    "loss",
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    "reward",
    "accuracy",
    "memory",
    "other",
)

_MOST_SERIES = 64
_MOST_MARKS = 400
_KNOWN = {
    "loss": ("training loss", "nats a token", "loss"),
    SMOOTH: ("training loss, smoothed", "nats a token", "loss"),
    "eval_loss": ("evaluation loss", "nats a token", "loss"),
    "learning_rate": ("learning rate", "", "learning_rate"),
    "grad_norm": ("gradient norm", "", "grad_norm"),
    "tokens_per_second": ("tokens per second", "tokens/s", "tokens_per_second"),
    "peak_vram_gb": ("GPU memory, most so far", "GiB", "memory"),
    "rss_gb": ("memory of the process", "GiB", "memory"),
    "num_tokens": ("tokens trained on", "tokens", "other"),
}
_BY_WORD = (
    ("accura", "accuracy"),
    ("reward", "reward"),
    ("margin", "reward"),
    ("logps", "reward"),
    ("memory", "memory"),
    ("vram", "memory"),
    ("rss", "memory"),
    ("tokens_per_second", "tokens_per_second"),
    ("grad_norm", "grad_norm"),
    ("learning_rate", "learning_rate"),
)
_ON_LOG_SCALE = {"loss", "learning_rate", "grad_norm"}
# How fast an evaluation was says nothing of the model.
_LEFT_OUT = ("_runtime", "_samples_per_second", "_steps_per_second")


def catalogue(metrics: Iterable[str], trainer_type: str) -> list[dict[str, Any]]:
    """Return what is drawn, panel by panel: name, label, unit, panel, kind and scale.

    Args:
        metrics: Every metric there is.
        trainer_type: The method of training; only sft's loss is in nats a token.
    """
    entries = []
    for name in [name for name in metrics if not name.endswith(_LEFT_OUT)][:_MOST_SERIES]:
        plain = name.replace("_", " ").replace("/", " / ")
        label, unit, panel = _KNOWN.get(name, (plain, "", _panel(name)))
        entries.append(
            {
                "name": name,
                "label": label,
                "unit": "" if panel == "loss" and trainer_type != "sft" else unit,
                "panel": panel,
                "kind": "points" if name.startswith("eval_") else "line",
                "log": panel in _ON_LOG_SCALE,
            }
        )
    first = list(_KNOWN)
    return sorted(
        entries,
        key=lambda entry: (
            PANELS.index(str(entry["panel"])),
            first.index(str(entry["name"])) if entry["name"] in first else len(first),
        ),
    )


def find_marks(curves: RunCurves, judged: Judged) -> list[dict[str, Any]]:
    """Return checkpoints, evaluations, resumes and the best evaluation, by step.

    Of too many the evenly spaced are left; every resume, the last checkpoint and the best stay.
    """
    marks = list(curves.marks)
    values = curves.points(judged.series)
    values = values[values[:, 0] > 0]
    kept = [mark for mark in marks if mark.kind == "resume"][-50:]
    if len(values):
        place = values[:, 1].argmax() if judged.higher_is_better else values[:, 1].argmin()
        step, value = int(values[place, 0]), float(values[place, 1])
        kept.append(Mark(step, "best", f"best {judged.series}: {value:.4g}"))
    kept += [mark for mark in marks if mark.kind == "checkpoint"][-1:]
    others = [mark for mark in marks if mark.kind != "resume" and mark not in kept]
    room = _MOST_MARKS - len(kept)
    if len(others) > room:
        places = np.linspace(0, len(others) - 1, room).astype(int)
        others = [others[place] for place in places]
    return [mark._asdict() for mark in sorted([*kept, *others])]


def _panel(name: str) -> str:
    if name in ("eval_loss", "loss"):
        return "loss"
    return next((panel for word, panel in _BY_WORD if word in name), "other")
