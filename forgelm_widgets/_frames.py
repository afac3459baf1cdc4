"""The tables and the chart of any result's card as DataFrames and as a plotly figure."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from forgelm.errors import OptionalDependencyError
from forgelm_widgets._text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]

    from forgelm_widgets._card import Bar, Card, Table

__all__ = ["figure_of", "frames_of", "load_pandas"]

_MOST_CHARS = 10_000


def load_pandas() -> Any:
    """Return pandas.

    Raises:
        OptionalDependencyError: It is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise OptionalDependencyError("pandas", extra="notebook", feature="A table") from error
    return pandas


def frames_of(result: Any) -> dict[str, pd.DataFrame]:
    """Return every table that the card of a result shows, whole, by its title.

    Counts are integers (nullable where a cell is empty), measurements floats, all else text, also
    what is of both kinds; a column with nothing in it is one of floats.

    Raises:
        TypeError: It is not a result of forgelm.
        OptionalDependencyError: pandas is not installed.
    """
    pandas = load_pandas()
    return {table.caption: _frame(pandas, table) for table in _card(result).tables}


def figure_of(result: Any) -> go.Figure:
    """Return the chart of a result's card as a plotly figure.

    Raises:
        TypeError: It is not a result of forgelm.
        ValueError: Its card has no chart.
        OptionalDependencyError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise OptionalDependencyError("plotly", extra="notebook", feature="A figure") from error
    card = _card(result).safe()
    figure = go.Figure(layout={"title": {"text": escape(card.label)}, "template": "none"})
    for name, pairs in card.curves.items():
        steps, values = zip(*pairs, strict=True) if pairs else ((), ())
        figure.add_scatter(x=steps, y=values, name=escape(name).replace("_", " "), mode="lines")
    if card.curves:
        return figure.update_layout(xaxis_title="step", yaxis_title="loss")
    if not card.bars:
        raise ValueError(f"{type(result).__name__} has no chart; frames_of() gives its tables.")
    names = [escape(bar.name) for bar in card.bars]  # plotly reads some HTML
    figure.add_bar(
        x=[bar.count for bar in card.bars],
        y=names,
        text=[escape(bar.tier) for bar in card.bars],
        orientation="h",
        error_x=_intervals(card.bars),
    )
    if card.full is not None:
        figure.update_layout(xaxis_range=[0, card.full])
    return figure.update_layout(yaxis={"autorange": "reversed", "automargin": True})


def _intervals(bars: Sequence[Bar]) -> dict[str, Any] | None:
    """Return how far each bar's interval reaches to both sides, or None where none has one."""
    if all(bar.high is None for bar in bars):
        return None
    above = [bar.high - bar.count if bar.high is not None else 0 for bar in bars]
    below = [bar.count - bar.low if bar.low is not None else 0 for bar in bars]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below}


def _frame(pandas: Any, table: Table) -> Any:
    rows = [[_cell(value) for value in row] for row in table.rows]
    frame = pandas.DataFrame(rows, columns=[_column(name) for name in table.head]).convert_dtypes()
    odd = [name for name in frame.columns if pandas.api.types.is_object_dtype(frame[name])]
    return frame.astype({name: "string" if frame[name].count() else "Float64" for name in odd})


def _cell(value: Any) -> Any:
    return clean(value, _MOST_CHARS) if isinstance(value, str) else value


def _column(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower().replace("%", "percent"))


def _card(result: Any) -> Card:
    from forgelm_widgets._display import card_of

    card = card_of(result)
    if card is None:
        raise TypeError(f"{type(result).__name__} is not a result that forgelm shows.")
    return card
