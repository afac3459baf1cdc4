"""The card that stands where the live view was: it needs no kernel and no widget."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forgelm_widgets._card import Card, Figure, Mark, Table, Text
from forgelm_widgets._curves import SMOOTH, RunCurves, RunState
from forgelm_widgets._text import count, duration, number
from forgelm_widgets.training_monitor._alerts import Alert

__all__ = ["run_card"]

_POINTS_DRAWN = 110
_ROWS_SHOWN = 9
_MARKS: dict[RunState, Mark] = {
    "starting": "neutral",
    "running": "neutral",
    "stopping": "attention",
    "stalled": "attention",
    "stopped": "attention",
    "finished": "ok",
    "failed": "bad",
    "died": "bad",
}


def run_card(
    curves: RunCurves,
    state: RunState,
    headline: str,
    *,
    message: str | None = None,
    alerts: Sequence[Alert] = (),
    log: Sequence[str] = (),
    places: Sequence[tuple[str, str | None]] = (),
) -> Card:
    """Return the run as a card that says the same as the live view did last.

    Args:
        curves: Its points.
        state: Where it stands.
        headline: The same in a sentence.
        message: Why it stopped or failed, or why a gate rejected it.
        alerts: What to look at.
        log: The last lines that it printed.
        places: Names of files and folders with their paths.
    """
    texts = [Text("", [alert.text for alert in alerts], folded=False)] if alerts else []
    if log:
        texts.append(Text("The last lines of its log", log, code=True))
    where = [place for place in places if place[1]]
    tables = [_table(curves)] if "loss" in curves.metrics else []
    if where:
        tables.append(Table("Where it lies", ("What", "Path"), where, folded=True))
    return Card(
        kind="training-run",
        label="Training run",
        mark="attention" if state == "finished" and message else _MARKS[state],
        headline=headline,
        figures=list(_figures(curves)),
        curves=curves.pairs(_POINTS_DRAWN),
        picture_text=curves.summary(),
        tables=tables,
        texts=texts,
    )


def _figures(curves: RunCurves) -> Iterator[Figure]:
    for name, label in ((SMOOTH, "training loss, smoothed"), ("eval_loss", "evaluation loss")):
        if ends := curves.first_and_last(name):
            same = len(curves.points(name)) == 1
            yield Figure(
                number(ends[1]) if same else f"{number(ends[0])} → {number(ends[1])}", label
            )
    if len(curves):
        yield Figure(count(curves.step), "steps")
        yield Figure(duration(curves.elapsed_s), "duration")


def _table(curves: RunCurves) -> Table:
    """Return a few steps from the first to the last; `to_frame()` has them all."""
    evaluations = {int(step): float(value) for step, value in curves.points("eval_loss")}
    points = curves.points("loss")
    logged = len(points)
    places = {round(i * (logged - 1) / (_ROWS_SHOWN - 1)) for i in range(_ROWS_SHOWN)}
    shown = [points[place] for place in sorted(places) if logged]
    rows = [(int(x), float(y), evaluations.get(int(x))) for x, y in shown]
    return Table(
        f"Data: {len(rows)} of {count(logged)} logged steps",
        ("Step", "Training loss", "Evaluation loss"),
        rows,
        folded=True,
    )
