"""The run as a DataFrame and as a plotly figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgelm.errors import OptionalDependencyError
from forgelm_widgets._curves import RunCurves

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]

__all__ = ["run_figure", "run_frame"]


def run_frame(run: RunCurves) -> pd.DataFrame:
    """Return one row an event: `seq`, `kind`, `time`, `step`, `epoch`, then a column a metric."""
    try:
        import pandas as pd
    except ImportError as error:
        raise OptionalDependencyError("pandas", extra="notebook", feature="to_frame()") from error
    rows = [
        {
            "seq": event.seq,
            "kind": event.kind,
            "time": pd.Timestamp(event.time, unit="s", tz="UTC"),
            "step": event.step,
            "epoch": event.epoch,
            **{f"{name}": float(value) for name, value in event.metrics.items()},
        }
        for event in run.events
    ]
    return pd.DataFrame(rows, columns=None if rows else ["seq", "kind", "time", "step", "epoch"])


def run_figure(run: RunCurves) -> go.Figure:
    """Return training and evaluation loss over steps, every point of them."""
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise OptionalDependencyError("plotly", extra="notebook", feature="figure()") from error
    lines = {
        "loss": ("each step logged", {"color": "#0b6bb0", "width": 1}, 0.45),
        "smooth": ("training loss, smoothed", {"color": "#0b6bb0", "width": 2}, 1.0),
        "eval_loss": ("evaluation loss", {"color": "#b9530b", "width": 2, "dash": "dash"}, 1.0),
    }
    figure = go.Figure()
    for name, (title, line, opacity) in lines.items():
        points = run.points[name]
        if points:
            figure.add_scatter(
                x=list(points[0::2]),
                y=list(points[1::2]),
                name=title,
                mode="lines+markers" if name == "eval_loss" else "lines",
                line=line,
                opacity=opacity,
            )
    return figure.update_layout(xaxis_title="step", yaxis_title="loss", title=run.headline())
