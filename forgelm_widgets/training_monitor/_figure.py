"""The run as a DataFrame, as a page of rows and as a plotly figure."""

from __future__ import annotations

import bisect
import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forgelm.errors import OptionalDependencyError
from forgelm_widgets._curves import KINDS, SMOOTH, RunCurves
from forgelm_widgets._frames import load_pandas

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    from forgelm_widgets.training_monitor._gates import Gate

__all__ = ["run_figure", "run_frame", "run_rows", "write_image"]

_PAGE_ROWS = 200
_PICTURES = ("png", "svg", "pdf", "jpg", "webp")
_COLOURS = ("#0b6bb0", "#b9530b", "#1a8a7d", "#7a5195", "#6e7b8b", "#a13d63")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_MARKS = {"checkpoint": "#6e7b8b", "resume": "#7a5195", "best": "#1a8a7d"}


def run_frame(curves: RunCurves) -> pd.DataFrame:
    """Return one row an event: `seq`, `kind`, `time`, `step`, `epoch`, then a column a metric."""
    pandas = load_pandas()
    columns: dict[str, Any] = {
        "seq": np.array(curves.seqs, dtype=np.int64),
        "kind": [KINDS[kind] for kind in curves.kinds],
        "time": pandas.to_datetime(np.array(curves.times), unit="s", utc=True),
        "step": np.array(curves.steps, dtype=np.int64),
        "epoch": np.array(curves.epochs, dtype=np.float64),
    }
    for name, series in curves.metrics.items():
        if name != SMOOTH:
            column = np.full(len(curves), np.nan)
            column[np.array(series.rows, dtype=np.uint32)] = series.values
            columns[name] = column
    frame: pd.DataFrame = pandas.DataFrame(columns)
    return frame


def run_rows(curves: RunCurves, names: Sequence[str], first: int, wanted: int) -> dict[str, Any]:
    """Return a page of events, the newest first, as strict JSON types.

    Args:
        curves: The run.
        names: The metrics that get a column.
        first: Where the page begins, counted from the newest event.
        wanted: How many rows; never more than 200.
    """
    newest = len(curves) - 1 - max(0, first)
    places = list(range(newest, max(-1, newest - min(max(0, wanted), _PAGE_ROWS)), -1))
    cells: list[list[Any]] = [[] for _ in places]
    for name in names:
        series = curves.metrics[name]
        for cell, place in zip(cells, places, strict=True):
            at = _place_of(series.rows, place)
            value = series.values[at] if at is not None else math.nan
            cell.append(float(f"{value:.6g}") if math.isfinite(value) else _word(at, value))
    rows = [
        [curves.steps[p], KINDS[curves.kinds[p]], float(f"{curves.epochs[p]:.4f}"), *cell]
        for p, cell in zip(places, cells, strict=True)
    ]
    return {"columns": ["step", "event", "epoch", *names], "rows": rows, "total": len(curves)}


def _word(at: int | None, value: float) -> str | None:
    return None if at is None else str(value)


def _place_of(rows: Any, wanted: int) -> int | None:
    place = bisect.bisect_left(rows, wanted)
    return place if place < len(rows) and rows[place] == wanted else None


def run_figure(
    curves: RunCurves,
    entries: Sequence[Mapping[str, Any]],
    gates: Sequence[Gate],
    marks: Sequence[Mapping[str, Any]],
    title: str,
) -> go.Figure:
    """Return a chart a panel over the same steps, every point of every metric in it.

    Args:
        curves: The run.
        entries: What `catalogue` returned.
        gates: Drawn as lines.
        marks: Checkpoints, resumes and the best evaluation, drawn as vertical lines.
        title: Where the run stands.
    """
    try:
        from plotly.subplots import make_subplots  # type: ignore[import-untyped]
    except ImportError as error:
        raise OptionalDependencyError("plotly", extra="notebook", feature="figure()") from error
    panels = list(dict.fromkeys(str(entry["panel"]) for entry in entries)) or ["loss"]
    figure = make_subplots(
        rows=len(panels),
        shared_xaxes=True,
        vertical_spacing=0.24 / max(4, len(panels)),
        subplot_titles=[panel.replace("_", " ") for panel in panels],
    )
    used = dict.fromkeys(panels, 0)
    for entry in entries:
        panel = str(entry["panel"])
        look = used[panel] % len(_COLOURS)
        used[panel] += entry["name"] != SMOOTH
        points = curves.points(str(entry["name"]))
        figure.add_scatter(
            x=points[:, 0],
            y=points[:, 1],
            name=escape(str(entry["label"])),
            mode="lines+markers" if entry["kind"] == "points" else "lines",
            line=_line(str(entry["name"]), look),
            opacity=0.45 if entry["name"] == "loss" else 1.0,
            row=panels.index(panel) + 1,
            col=1,
        )
    panel_of = {entry["name"]: panels.index(str(entry["panel"])) + 1 for entry in entries}
    for gate in gates:
        if gate.series in panel_of:
            words = f"{gate.text} ({gate.value:.4g})"
            row = panel_of[gate.series]
            figure.add_hline(gate.value, line_dash="dot", annotation_text=words, row=row)
    for mark in marks:
        if mark["kind"] in _MARKS:
            colour = _MARKS[mark["kind"]]
            figure.add_vline(mark["step"], line_color=colour, line_width=1, opacity=0.4)
    figure.update_xaxes(title_text="step", row=len(panels))
    return figure.update_layout(title=escape(title), height=180 + 200 * len(panels))


def _line(name: str, look: int) -> dict[str, Any]:
    """Return a line's look; what is smoothed has the colour of what it smooths."""
    if name == SMOOTH:
        return {"color": _COLOURS[0], "width": 2.4}
    return {"color": _COLOURS[look], "dash": _DASHES[look], "width": 1.4}


def write_image(figure: go.Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as a picture, and return its path."""
    target = Path(path).expanduser()
    kind = target.suffix.lstrip(".").lower()
    if kind not in _PICTURES:
        raise ValueError(f"{target}: the ending must be one of {', '.join(_PICTURES)}")
    if find_spec("kaleido") is None:
        raise OptionalDependencyError("kaleido", extra="notebook", feature="to_image()")
    figure.write_image(target, format=kind)
    return target
