"""The card that stands where the live view was: it needs no kernel and no widget."""

from __future__ import annotations

from collections.abc import Iterator

from forgelm_widgets._card import Card, Figure, Mark, Table, Text
from forgelm_widgets._curves import RunCurves, RunState
from forgelm_widgets._text import count, duration, number

__all__ = ["run_card"]

_POINTS_DRAWN = 110
_ROWS_SHOWN = 9
_MARKS: dict[RunState, Mark] = {
    "starting": "neutral",
    "running": "neutral",
    "stopping": "attention",
    "stopped": "attention",
    "finished": "ok",
    "failed": "bad",
}


def run_card(run: RunCurves) -> Card:
    """Return the run as a card that says the same as the live view did last."""
    status = run.status()
    return Card(
        kind="training-run",
        label="Training run",
        mark="attention" if run.state == "finished" and run.message else _MARKS[run.state],
        headline=status["headline"],
        figures=list(_figures(run, status["elapsed_s"])),
        curves=run.pairs(_POINTS_DRAWN),
        picture_text=run.summary(),
        tables=[_table(run)] if run.points["loss"] else [],
        texts=[Text("", [status["odd"]], folded=False)] if status["odd"] else [],
    )


def _figures(run: RunCurves, elapsed_s: float) -> Iterator[Figure]:
    for name, label in (("smooth", "training loss, smoothed"), ("eval_loss", "evaluation loss")):
        if ends := run.first_and_last(name):
            same = run.points[name][0] == run.points[name][-2]
            yield Figure(
                number(ends[1]) if same else f"{number(ends[0])} → {number(ends[1])}", label
            )
    if run.events:
        yield Figure(count(run.events[-1].step), "steps")
        yield Figure(duration(elapsed_s), "duration")


def _table(run: RunCurves) -> Table:
    """Return a few steps from the first to the last; `to_frame()` has them all."""
    evaluations = dict(run.pairs(2_000).get("eval_loss", ()))
    points = run.points["loss"]
    logged = len(points) // 2
    places = sorted({round(i * (logged - 1) / (_ROWS_SHOWN - 1)) for i in range(_ROWS_SHOWN)})
    rows = [(int(points[2 * p]), points[2 * p + 1], evaluations.get(points[2 * p])) for p in places]
    return Table(
        f"Data: {len(rows)} of {count(logged)} logged steps",
        ("Step", "Training loss", "Evaluation loss"),
        rows,
        folded=True,
    )
