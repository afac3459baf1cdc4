"""The curves of the chosen runs, as the view gets them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from forgelm_widgets._curves import thin
from forgelm_widgets.run_comparison._losses import Losses, read_losses
from forgelm_widgets.run_comparison._record import RunRecord

__all__ = ["PANELS", "CurveReader", "curves_payload", "panel_points"]

PANELS = {"evaluation": "Evaluation loss", "training": "Training loss, smoothed"}
"""Panel -> title."""

_POINTS = 400
_MOST_KEPT = 24


@dataclass(frozen=True)
class _Kept:
    stamp: tuple[int, int]
    losses: Losses


class CurveReader:
    """Reads all losses of a run, and once only as long as the file stays as it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Path, _Kept] = {}

    def read(self, record: RunRecord) -> Losses:
        """Return the losses of a run, with empty curves where nothing can be read."""
        path = record.run_dir / "metrics.jsonl"
        try:
            found = path.stat()
        except OSError:
            return Losses()
        stamp = (found.st_size, found.st_mtime_ns)
        with self._lock:
            kept = self._kept.pop(path, None)
            if kept is None or kept.stamp != stamp:
                kept = _Kept(stamp, read_losses(path, training=True))
            self._kept[path] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            return kept.losses


def panel_points(losses: Losses, panel: str, limit: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the points of one curve, thinned out so that every extreme stays.

    Shapes:
        Returns `(n, 2)`, step and loss, n ≤ `limit`.
    """
    return thin(losses.evaluation if panel == "evaluation" else losses.smooth(), limit)


def curves_payload(identifiers: Sequence[str], curves: Sequence[Losses]) -> dict[str, Any]:
    """Return the curves: which has how many points, and all points as little-endian floats."""
    series: list[list[Any]] = []
    points: list[bytes] = []
    for panel in PANELS:
        for identifier, losses in zip(identifiers, curves, strict=False):
            drawn = panel_points(losses, panel, _POINTS)
            if len(drawn):
                series.append([panel, identifier, len(drawn)])
                points.append(drawn.astype("<f4").tobytes())
    return {"titles": list(PANELS.items()), "series": series, "points": b"".join(points)}
