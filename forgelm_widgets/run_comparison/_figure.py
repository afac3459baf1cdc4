"""The curves and scores of a comparison as one plotly figure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from forgelm.errors import OptionalDependencyError
from forgelm_widgets._text import clean
from forgelm_widgets.run_comparison._curves import PANELS, panel_points

if TYPE_CHECKING:
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    from forgelm_widgets.run_comparison._losses import Losses
    from forgelm_widgets.run_comparison._record import RunRecord
    from forgelm_widgets.run_comparison._scores import Score

__all__ = ["comparison_figure"]

_POINTS = 2_000
# Okabe and Ito's colours without the yellow and the black, which one of the themes swallows.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_DASHES = ("solid", "dash", "dot", "dashdot")
_SCALES = {"share": "Share", "mark": "Mark from 1 to 10", "other": "Score"}


def comparison_figure(records: Mapping[str, RunRecord], curves: Mapping[str, Losses]) -> go.Figure:
    """Return loss curves over steps, and scores as bars with their 95 % intervals, one below
    the other; only the panels that have something in them.

    Args:
        records: The runs by name.
        curves: All losses of each of them.

    Raises:
        OptionalDependencyError: plotly is not installed.
    """
    try:
        from plotly.graph_objects import Figure
        from plotly.subplots import make_subplots  # type: ignore[import-untyped]
    except ImportError as error:
        raise OptionalDependencyError("plotly", extra="notebook", feature="A figure") from error
    lines = {
        panel: {
            name: points
            for name, losses in curves.items()
            if len(points := panel_points(losses, panel, _POINTS))
        }
        for panel in PANELS
    }
    shown = [panel for panel, found in lines.items() if found]
    scales = [scale for scale in _SCALES if any(_scores(one, scale) for one in records.values())]
    titles = [PANELS[panel] for panel in shown] + [_SCALES[scale] for scale in scales]
    if not titles:
        return Figure(layout={"title": {"text": "Nothing was logged yet"}, "template": "none"})
    figure = make_subplots(rows=len(titles), cols=1, subplot_titles=titles)
    told: set[str] = set()
    for row, panel in enumerate(shown, start=1):
        for name, points in lines[panel].items():
            x, y = points.T
            style = _style(list(records).index(name), name, told)
            figure.add_scatter(x=x, y=y, mode="lines", **style, row=row, col=1)
        figure.update_xaxes(title_text="step", row=row, col=1)
    for row, scale in enumerate(scales, start=len(shown) + 1):
        _add_bars(figure, records, scale, row, told)
    return figure.update_layout(template="none", barmode="group", height=120 + 280 * len(titles))


def _scores(record: RunRecord, scale: str) -> list[Score]:
    return [score for score in record.scores if score.scale == scale]


def _style(at: int, name: str, told: set[str]) -> dict[str, Any]:
    """Return colour, dash and name; a run is in the legend once."""
    first = name not in told
    told.add(name)
    line = {"color": _COLOURS[at % len(_COLOURS)], "dash": _DASHES[at % len(_DASHES)]}
    return {"name": escape(name), "legendgroup": name, "showlegend": first, "line": line}


def _add_bars(
    figure: go.Figure, records: Mapping[str, RunRecord], scale: str, row: int, told: set[str]
) -> None:
    for at, (name, record) in enumerate(records.items()):
        scores = _scores(record, scale)
        if not scores:
            continue
        style = _style(at, name, told)
        colour = style.pop("line")["color"]
        figure.add_bar(
            x=[escape(clean(score.name, 60)) for score in scores],
            y=[score.value for score in scores],
            error_y={
                "type": "data",
                "array": [_to(score.high, score.value) for score in scores],
                "arrayminus": [_to(score.low, score.value) for score in scores],
            },
            marker={"color": colour},
            **style,
            row=row,
            col=1,
        )


def _to(end: float | None, value: float) -> float | None:
    return None if end is None else abs(end - value)
