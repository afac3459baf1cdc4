"""The bytes that carry a run's points to its views, in the order of their sequence numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from forgelm_widgets._curves import RunCurves, thin

__all__ = ["Wire"]

_SNAPSHOT_POINTS = 2_000
_MOST_DELTA_ROWS = 2_000


class Wire:
    """What the views were sent so far, and what comes next.

    Attributes:
        seq: Number of the last delta or snapshot.
        names: The metrics that are sent.
    """

    def __init__(self) -> None:
        self.seq = 0
        self.names: list[str] = []
        self._rows = 0
        self._generation = 0

    def snapshot(self, curves: RunCurves, names: Sequence[str]) -> tuple[dict[str, Any], bytes]:
        """Return everything there is as a numbered message, thinned out."""
        self.seq += 1
        self.names = list(names)
        self._rows = len(curves)
        self._generation = curves.generation
        return self.again(curves)

    def again(self, curves: RunCurves) -> tuple[dict[str, Any], bytes]:
        """Return everything that was sent so far, for a view that joins: no new number."""
        series, parts = [], []
        for name in self.names if self._generation == curves.generation else ():
            points = curves.points(name, self._rows)
            kept = thin(points, _SNAPSHOT_POINTS)
            series.append({"name": name, "n": len(kept), "total": len(points)})
            parts.append(kept.astype("<f4").tobytes())
        head = {"v": 1, "run": curves.run_id or "", "seq": self.seq, "series": series}
        return head, b"".join(parts)

    def needs_snapshot(self, curves: RunCurves) -> bool:
        """Tell whether a delta would not do: points were taken back, or very many are new."""
        return self._generation != curves.generation or len(curves) - self._rows > _MOST_DELTA_ROWS

    def delta(self, curves: RunCurves) -> tuple[dict[str, Any], bytes] | None:
        """Return what is new as a numbered message, None when there is nothing."""
        new: dict[str, tuple[Any, Any]] = {}
        for name in self.names:
            series = curves.metrics[name]
            first = _first_from(series.rows, self._rows)
            if first < len(series.rows):
                new[name] = (np.array(series.rows[first:]), np.array(series.values[first:]))
        self._rows = len(curves)
        if not new:
            return None
        rows = np.unique(np.concatenate([rows for rows, _ in new.values()]))
        table = np.full((len(rows), 1 + len(new)), np.nan, dtype="<f4")
        table[:, 0] = np.array([curves.steps[row] for row in rows])
        for column, (places, values) in enumerate(new.values(), start=1):
            values[np.abs(values) >= 3.4e38] = np.nan
            table[np.searchsorted(rows, places), column] = values
        self.seq += 1
        head = {"v": 1, "kind": "delta", "run": curves.run_id or "", "seq": self.seq}
        return {**head, "names": list(new), "n": len(rows)}, table.tobytes()


def _first_from(rows: Any, wanted: int) -> int:
    """Return where the rows from `wanted` on begin; it is near the end."""
    place = len(rows)
    while place and rows[place - 1] >= wanted:
        place -= 1
    return place
