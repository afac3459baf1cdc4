"""The card that stays in a saved notebook."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from forgelm_widgets._card import Card, Mark, Table, Text
from forgelm_widgets._curves import thin
from forgelm_widgets._text import plural
from forgelm_widgets.run_comparison._record import RunRecord

__all__ = ["comparison_card"]

# A card of any comparison stays under 10 kB.
_ROWS, _CURVES, _POINTS, _KEYS, _SCORES = 6, 6, 20, 6, 6
_COLUMNS = ("Run", "State", "Verdict", "Best eval loss", "Model", "Cost (US$)", "Note")
_CELL_CHARS = 40
_OWN_CURVES = {"loss", "smooth", "eval_loss"}


def comparison_card(
    records: Mapping[str, RunRecord],
    names: Mapping[str, str],
    table: Mapping[str, Any],
    detail: Mapping[str, Any],
) -> Card:
    """Return the table of runs, the chosen runs' evaluation losses, differences and scores."""
    chosen = [identifier for identifier, _ in detail["runs"]]
    bad = sum(bool(record.problems) for record in records.values())
    curves = {
        # the names of one run's own curves mean something else to the picture
        names[identifier] + "/" * (names[identifier] in _OWN_CURVES): _pairs(
            records[identifier].losses.evaluation
        )
        for identifier in chosen[:_CURVES]
        if records[identifier].losses.evaluation
    }
    tables = [_runs(table), _differences(detail, names), _scores(detail, names)]
    mark: Mark = "attention" if bad else "neutral"
    wrong = f", {bad} of them with something wrong" if bad else ""
    return Card(
        kind="run-comparison",
        label=f"Runs as of {table['as_of']}",
        mark=mark,
        headline=plural(len(records), "run") + wrong if records else "There are no runs here",
        curves=curves,
        picture_text=_summary(curves),
        tables=[one for one in tables if one.rows],
        texts=[Text("", [detail["note"]], folded=False)] if detail["note"] else [],
    )


def _pairs(points: array[float]) -> list[tuple[float, float]]:
    return [(float(x), float(f"{y:.4g}")) for x, y in thin(points, _POINTS)]


def _summary(curves: Mapping[str, list[tuple[float, float]]]) -> str:
    ends = [f"{name} {pairs[-1][1]:g}" for name, pairs in curves.items()]
    return f"Evaluation loss over steps; at last {', '.join(ends)}" if ends else ""


def _runs(table: Mapping[str, Any]) -> Table:
    titles = [title for title, _ in table["columns"]]
    kept = [titles.index(title) for title in _COLUMNS if title in titles]
    rows = [[_short(row["texts"][at]) for at in kept] for row in table["rows"]]
    head = [titles[at] for at in kept]
    return Table("Runs", head, rows[:_ROWS], left_out=max(0, len(rows) - _ROWS))


def _differences(detail: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    shown = [identifier for identifier, _ in detail["runs"]][:_CURVES]
    rows = [
        [_short(key), *map(_short, values[: len(shown)])] for key, values in detail["differences"]
    ]
    head = ("Setting", *(_short(names[identifier]) for identifier in shown))
    left_out = max(0, len(rows) - _KEYS) + detail["left_out"]
    return Table("Different settings", head, rows[:_KEYS], left_out=left_out)


def _scores(detail: Mapping[str, Any], names: Mapping[str, str]) -> Table:
    rows = [
        [_short(panel["name"]), _short(names[identifier]), words]
        for panel in detail["scores"]
        for identifier, *_, words in panel["bars"]
    ]
    head = ("Score", "Run", "Value, and its 95 % interval")
    return Table("Scores", head, rows[:_SCORES], left_out=max(0, len(rows) - _SCORES))


def _short(text: str) -> str:
    return text if len(text) <= _CELL_CHARS else text[: _CELL_CHARS - 1] + "…"
