"""A run, its status and a list of runs as cards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Mark, Table, Text
from forgelm_widgets._display._train_result import read_curves
from forgelm_widgets._text import count, duration, moment, number, plural

if TYPE_CHECKING:
    from forgelm import Run, RunStatus

__all__ = ["run_card", "run_list_card", "run_status_card"]

_POINTS_DRAWN = 40
_BAD = {"failed", "died"}
_ATTENTION = {"stalled", "stopping", "stopped"}


def run_card(run: Run) -> Card:
    """Return where a run stands now as a card, with its loss so far and what can be called."""
    try:
        status = run.status()
    except OSError:
        return Card("run", "Run", "bad", f"There is no run in {run.run_dir} any more")
    curves = read_curves(str(run.run_dir))
    calls = ["run.status()", "run.wait()", "run.stop()", "run.log_tail()", "run.result()"]
    return Card(
        kind="run",
        label=f"Run {status.run_id}",
        mark=_mark(status),
        headline=_headline(status),
        figures=list(_figures(status)),
        curves=curves.pairs(_POINTS_DRAWN) if curves else {},
        picture_text=curves.summary() if curves else "",
        tables=[_places(status)],
        texts=[Text("This is how it stood when the cell ran. To follow it", calls)],
    )


def run_status_card(status: RunStatus) -> Card:
    """Return where a run stood as a card."""
    return Card(
        kind="run-status",
        label=f"Run {status.run_id}",
        mark=_mark(status),
        headline=_headline(status),
        figures=list(_figures(status)),
        tables=[_places(status)],
    )


def run_list_card(found: Sequence[RunStatus]) -> Card:
    """Return a list of runs as a table, in the order given."""
    head = ("Run", "State", "Step", "of", "Loss", "Evaluation loss", "Updated", "Folder")
    rows = [
        (
            status.run_id,
            _state(status),
            status.step,
            status.max_steps or None,
            status.loss,
            status.eval_loss,
            moment(status.updated_at),
            status.run_dir,
        )
        for status in found
    ]
    going = sum(not status.ended for status in found)
    ended = f", {going} of them still going on" if going else ", all ended"
    return Card(
        kind="run-list",
        label="Runs",
        mark="neutral",
        headline=f"{plural(len(rows), 'run')}{ended}" if rows else "There are no runs here",
        tables=[Table("Runs", head, rows)] if rows else [],
    )


def _state(status: RunStatus) -> str:
    return "rejected" if status.success is False else status.state


def _mark(status: RunStatus) -> Mark:
    if status.state in _BAD or status.success is False:
        return "bad"
    if status.state in _ATTENTION:
        return "attention"
    return "ok" if status.state == "finished" else "neutral"


def _headline(status: RunStatus) -> str:
    place = f" at step {count(status.step)} of {count(status.max_steps)}"
    said = f": {status.message}" if status.message else ""
    state = _state(status)
    return f"{state.capitalize()}{place if status.max_steps else ''}{said}"


def _figures(status: RunStatus) -> Iterator[Figure]:
    if status.loss is not None:
        yield Figure(number(status.loss), "loss logged last")
    if status.eval_loss is not None:
        yield Figure(number(status.eval_loss), "evaluation loss")
    if status.eta_s is not None and not status.ended:
        yield Figure(duration(status.eta_s), "left")
    if status.started_at is not None and status.updated_at is not None:
        yield Figure(duration(status.updated_at - status.started_at), "since the start")


def _places(status: RunStatus) -> Table:
    rows = [
        ("Model", status.model),
        ("Process", f"{status.pid} on {status.host}" if status.pid else None),
        ("Started", moment(status.started_at)),
        ("Newest checkpoint", status.checkpoint),
        ("Final model", status.final_model),
        ("Run directory", status.run_dir),
    ]
    return Table("Where it lies", ("What", "Value"), [row for row in rows if row[1]])
