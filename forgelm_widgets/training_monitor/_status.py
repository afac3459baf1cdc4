"""The small part of what a view shows: where the run stands, in words and as figures."""

from __future__ import annotations

import functools
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forgelm_widgets._curves import ENDED, RunCurves, RunState, headline
from forgelm_widgets._text import clean
from forgelm_widgets.training_monitor._alerts import Alert

if TYPE_CHECKING:
    from forgelm import RunStatus

__all__ = ["PROBLEM_STATES", "status_payload"]

PROBLEM_STATES: frozenset[RunState] = frozenset({"failed", "died", "stalled"})

_MOST_BYTES = 2_000
_TEXT_CHARS = 200
_MOST_LATEST = 16
_MOST_ALERTS = 4


def status_payload(
    curves: RunCurves,
    status: RunStatus | None,
    *,
    folder: str | None,
    config: Mapping[str, Any],
    names: Sequence[str],
    can: Mapping[str, bool],
    stop: Mapping[str, Any] | None,
    alerts: Sequence[Alert],
    log: Sequence[str],
    words: str | None = None,
) -> dict[str, Any]:
    """Return the status as strict JSON types, under 2 kB; every text in it is masked.

    Args:
        curves: What the run's events say.
        status: What its folder says, which wins where both know.
        folder: Where the run is.
        config: Its configuration, unchecked.
        names: The metrics that are drawn.
        can: What the run can be asked to do.
        stop: How far a stop is.
        alerts: What to look at.
        log: The last lines that the run printed.
        words: A sentence in place of the headline.
    """
    state = status.state if status else curves.state
    message = clean(status.message, _TEXT_CHARS) if status and status.message else curves.message
    latest = {name: curves.metrics[name].values[-1] for name in names[:_MOST_LATEST]}
    step_s = curves.step_s
    model = config.get("model")
    training = config.get("training")
    payload = {
        "v": 1,
        "run": _short(status.run_id if status else curves.run_id),
        "run_dir": _short(folder),
        "model": _short(_text(model, "name_or_path")),
        "trainer_type": _short(_text(training, "trainer_type")) or "sft",
        "state": state,
        "words": words or headline(state, message, curves),
        "message": message,
        "step": max(curves.step, status.step if status else 0),
        "max_steps": curves.max_steps or (status.max_steps if status else 0),
        "epoch": _figure(curves.epoch),
        "eta_s": _figure(_eta_s(curves, status)),
        "elapsed_s": _figure(curves.elapsed_s),
        "steps_per_s": _figure(1 / step_s if step_s else None),
        "latest": {name: _figure(value) for name, value in latest.items()},
        "checkpoint": _short(status.checkpoint if status else curves.checkpoint),
        "final_model": _short(status.final_model if status else None),
        "success": status.success if status else None,
        "live": state not in ENDED,
        "can": dict(can),
        "command": clean(f"forgelm runs stop {shlex.quote(folder)}", 300) if folder else None,
        "stop": dict(stop) if stop else None,
        "alerts": [alert._asdict() | {"text": _short(alert.text)} for alert in alerts],
        "log": [clean(line, 120) for line in log],
    }
    return _bounded(payload)


def _eta_s(curves: RunCurves, status: RunStatus | None) -> float | None:
    """Return the time left as the steps since the last start took; it counts no earlier ones."""
    if status is None:
        return curves.eta_s
    return (curves.eta_s or status.eta_s) if status.state == "running" else None


def _bounded(payload: dict[str, Any]) -> dict[str, Any]:
    """Leave out what matters least until the payload is small."""
    payload["alerts"] = payload["alerts"][:_MOST_ALERTS]
    for name in ("latest", "log", "alerts"):
        while payload[name] and len(json.dumps(payload)) > _MOST_BYTES:
            if name == "latest":
                payload[name].popitem()
            else:
                payload[name].pop(0 if name == "log" else -1)
    return payload


def _text(block: Any, name: str) -> str | None:
    value = block.get(name) if isinstance(block, dict) else None
    return value if isinstance(value, str) else None


@functools.lru_cache(256)
def _short(text: str | None) -> str | None:
    return clean(text, _TEXT_CHARS) if text else None


def _figure(value: float | None) -> float | None:
    """Return `value` with six digits, None where it is no number."""
    return float(f"{value:.6g}") if value is not None and math.isfinite(value) else None
