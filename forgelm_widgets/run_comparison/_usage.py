"""What a run cost, all of its parts together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm_widgets.run_comparison._files import mapping, number, read_json

__all__ = ["Usage", "read_usage"]

_MOST_PARTS = 200


@dataclass(frozen=True)
class Usage:
    """What a run used; None is not known, never zero.

    Attributes:
        wall_s: Seconds of training and judging.
        gpu_hours: Hours times GPUs.
        energy_kwh: Energy, where a counter could be read.
        cost_usd: GPU hours times the price of one, in US dollars.
        parts_missing: A part of the run left no figures: the others are the least it can be.
    """

    wall_s: float | None = None
    gpu_hours: float | None = None
    energy_kwh: float | None = None
    cost_usd: float | None = None
    parts_missing: bool = False


_KEYS = ("training_duration_seconds", "gpu_hours", "energy_kwh", "estimated_cost_usd")


def read_usage(run_dir: Path, ended: Mapping[str, Any], run_id: str, parts: int) -> Usage:
    """Return what a run used, the parts before it was resumed included.

    Args:
        run_dir: The folder of the run.
        ended: Its `exit.json`.
        run_id: Its name, which the folders of the parts before begin with.
        parts: How often the run began or went on.
    """
    told = [usage for usage in (_told(ended), *_earlier(run_dir, run_id)) if usage]
    wall_s, gpu_hours, energy_kwh, cost_usd = (_sum(told, key) for key in _KEYS)
    missing = bool(told) and len(told) < parts
    return Usage(wall_s, gpu_hours, energy_kwh, cost_usd, parts_missing=missing)


def _earlier(run_dir: Path, run_id: str) -> Iterator[Mapping[str, Any]]:
    """Yield the usage of each part that was stopped: a resume puts its `exit.json` aside."""
    try:
        folders = list(itertools.islice((run_dir / "earlier").iterdir(), _MOST_PARTS))
    except OSError:
        return
    for folder in folders:
        if folder.name.startswith(f"{run_id}-part"):
            document, _ = read_json(folder / "exit.json")
            if document.get("run_id") == run_id:
                yield _told(document)


def _told(ended: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(ended.get("result")).get("resource_usage"))


def _sum(told: list[Mapping[str, Any]], key: str) -> float | None:
    figures = [number(usage.get(key)) for usage in told]
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None
