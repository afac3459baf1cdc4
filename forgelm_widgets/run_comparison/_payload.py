"""What the view and the static card show of runs: plain, masked, short."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from forgelm_widgets._text import clean, count, duration, moment, number, plural
from forgelm_widgets.run_comparison._differences import find_differences
from forgelm_widgets.run_comparison._record import RunRecord
from forgelm_widgets.run_comparison._scores import Score

__all__ = ["detail_payload", "names_of", "picked_payload", "table_payload"]

_NAME_CHARS, _CELL_CHARS, _PATH_CHARS = 60, 120, 400
_MOST_DIFFERENCES = 200
_BAD = {"failed", "died"}
_ATTENTION = {"stalled", "stopping", "stopped"}
_SIGNS = {"ok": "✓ ", "bad": "✕ ", "attention": "! ", "neutral": ""}
_TONES = {
    "passed": "ok",
    "rejected": "bad",
    "awaits approval": "attention",
    "decided since": "attention",
    "not judged": "neutral",
}


class _Cell(NamedTuple):
    """A cell: its text, what to sort it by, and how to take it."""

    text: str | None
    key: float | str | None = None
    tone: str = "neutral"


def names_of(run_dirs: Sequence[Path], folder: Path | None) -> list[str]:
    """Return a name for each run: below `folder`, or as much of its path as tells it from others.

    Example:
        >>> names_of([Path("/a/one"), Path("/b/one"), Path("/b/two")], None)
        ['a/one', 'b/one', 'two']
    """
    if folder is not None:
        below = [run_dir.relative_to(folder).as_posix() for run_dir in run_dirs]
        names = [folder.name if name == "." else name for name in below]
    else:
        last = [run_dir.name for run_dir in run_dirs]
        two = ["/".join(run_dir.parts[-2:]) for run_dir in run_dirs]
        names = [
            name if last.count(name) == 1 else longer if two.count(longer) == 1 else str(run_dir)
            for name, longer, run_dir in zip(last, two, run_dirs, strict=True)
        ]
    shown = [clean(name, _NAME_CHARS) or "–" for name in names]
    return [
        name if shown.count(name) == 1 else f"{name} ({at + 1})" for at, name in enumerate(shown)
    ]


def table_payload(records: Mapping[str, RunRecord], names: Sequence[str]) -> dict[str, Any]:
    """Return the table of runs: columns that have something in them, and a row a run.

    Args:
        records: The runs by the identifier that the view calls them by.
        names: A name for each of them.
    """
    rows = [_cells(record, name) for record, name in zip(records.values(), names, strict=True)]
    titles = list(_cells(RunRecord(Path()), ""))
    kept = [title for title in titles if title == "Run" or any(row[title].text for row in rows)]
    return {
        "as_of": moment(time.time()),
        "columns": [[title, _is_numeric(title, rows)] for title in kept],
        "rows": [
            {
                "id": identifier,
                "texts": [row[title].text or "–" for title in kept],
                "keys": [row[title].key for title in kept],
                "tones": [row[title].tone for title in kept],
            }
            for identifier, row in zip(records, rows, strict=True)
        ],
    }


def _is_numeric(title: str, rows: Sequence[Mapping[str, _Cell]]) -> bool:
    keys = [row[title].key for row in rows]
    return title != "Started" and any(isinstance(key, float) for key in keys)


def _cells(record: RunRecord, name: str) -> dict[str, _Cell]:
    status, usage, best = record.status, record.usage, record.losses.best
    least = "≥ " if usage.parts_missing else ""
    problems = record.problems if status else ()
    note = "; ".join(problems) or (status.message if status else None)
    return {
        "Run": _Cell(name, name),
        "State": _state(record),
        "Verdict": _verdict(record),
        "Best eval loss": _figure(
            best[0] if best else None, after=f" at step {count(best[1])}" if best else ""
        ),
        "Last loss": _figure(status.loss if status else None),
        "Time": _figure(usage.wall_s, duration, before=least),
        "Cost (US$)": _figure(usage.cost_usd, _money, before=least),
        "Energy (kWh)": _figure(usage.energy_kwh, before=least),
        "Model": _text(status.model if status else None),
        "Data": _text(record.data),
        "Method": _text(status.trainer_type if status else None),
        "Started": _Cell(
            moment(status.started_at if status else None), status.started_at if status else None
        ),
        "Note": _Cell(
            clean(note, _CELL_CHARS) if note else None,
            None,
            "bad" if problems else "neutral",
        ),
    }


def _text(value: str | None) -> _Cell:
    shown = clean(value, _CELL_CHARS) if value else None
    return _Cell(shown, shown)


def _figure(
    value: float | None,
    words: Callable[[float], str] = number,
    before: str = "",
    after: str = "",
) -> _Cell:
    return _Cell(f"{before}{words(value)}{after}" if value is not None else None, value)


def _money(value: float) -> str:
    return f"{value:,.2f}" if value >= 1 else f"{value:.3g}"


def _state(record: RunRecord) -> _Cell:
    status = record.status
    if status is None:
        words = "; ".join(record.problems)
        return _Cell(f"✕ {clean(words, _CELL_CHARS)}", "unreadable", "bad")
    tone = "bad" if status.state in _BAD else "attention" if status.state in _ATTENTION else ""
    place = f", step {count(status.step)} of {count(status.max_steps)}" if status.max_steps else ""
    words = status.state if status.state == "finished" else f"{status.state}{place}"
    return _Cell(_SIGNS[tone or "neutral"] + words, words, tone or "neutral")


def _verdict(record: RunRecord) -> _Cell:
    if record.judgement is None:
        return _Cell(None)
    tone = _TONES[record.judgement]
    failed = [clean(gate.name, 30) for gate in record.gates if gate.status == "failed"]
    words = record.judgement
    shown = f"{words} by {', '.join(failed)}" if failed else words
    return _Cell(_SIGNS[tone] + shown, shown, tone)


def picked_payload(record: RunRecord) -> dict[str, Any]:
    """Return what to say of the one run that was picked."""
    status, usage = record.status, record.usage
    facts: list[tuple[str, str | None]] = [
        ("Run directory", clean(str(record.run_dir), _PATH_CHARS)),
        ("Run", clean(status.run_id, _CELL_CHARS) if status else None),
        ("Final model", _path(status.final_model if status else None)),
        ("Newest checkpoint", _path(status.checkpoint if status else None)),
        ("GPU hours", number(usage.gpu_hours) if usage.gpu_hours else None),
        ("Said", clean(status.message, _PATH_CHARS) if status and status.message else None),
        *(("Problem", clean(problem, _PATH_CHARS)) for problem in record.problems),
    ]
    if usage.parts_missing:
        facts.append(("Cost", "at least: a part of the run left no figures"))
    return {
        "facts": [fact for fact in facts if fact[1]],
        "gates": [
            [clean(g.name, 40), clean(g.status.replace("_", " "), 30), clean(g.reason or "", 300)]
            for g in record.gates
        ],
    }


def _path(path: str | None) -> str | None:
    return clean(path, _PATH_CHARS) if path else None


def detail_payload(records: Mapping[str, RunRecord], names: Mapping[str, str]) -> dict[str, Any]:
    """Return what sets the chosen runs apart: settings, scores, and what cannot be compared."""
    chosen = list(records.values())
    differences = find_differences([record.config for record in chosen]) if len(chosen) > 1 else []
    return {
        "runs": [[identifier, names[identifier]] for identifier in records],
        "differences": [
            [clean(key, _CELL_CHARS), [clean(value, _CELL_CHARS) or "(empty)" for value in row]]
            for key, row in differences[:_MOST_DIFFERENCES]
        ],
        "left_out": max(0, len(differences) - _MOST_DIFFERENCES),
        "scores": _scores(records),
        "note": _note(chosen),
    }


def _note(chosen: Sequence[RunRecord]) -> str:
    """Return what keeps the losses of these runs from being compared, or nothing."""
    parts = {
        "data": {record.data for record in chosen},
        "model": {record.status.model for record in chosen if record.status},
        "method": {record.status.trainer_type for record in chosen if record.status},
    }
    unlike = [name for name, values in parts.items() if len(values - {None}) > 1]
    if not unlike:
        return ""
    words = " and ".join(filter(None, [", ".join(unlike[:-1]), unlike[-1]]))
    return f"These runs differ in {words}: a lower loss need not be a better model."


def _scores(records: Mapping[str, RunRecord]) -> list[dict[str, Any]]:
    """Return a panel for each score that some run has, with one axis for all runs."""
    found: dict[tuple[str, str, str], list[tuple[str, Score]]] = {}
    for identifier, record in records.items():
        for score in record.scores:
            key = (score.name, score.metric, score.scale)
            found.setdefault(key, []).append((identifier, score))
    panels = []
    for (name, metric, scale), bars in found.items():
        axis = {"share": (0.0, 1.0), "mark": (1.0, 10.0)}.get(scale) or _axis([b for _, b in bars])
        panels.append(
            {
                "name": clean(name, _CELL_CHARS),
                "metric": clean(metric, 60),
                "axis": axis,
                "bars": [
                    [identifier, score.value, score.low, score.high, _words(score)]
                    for identifier, score in bars
                ],
            }
        )
    return panels


def _axis(scores: Sequence[Score]) -> tuple[float, float]:
    ends = [end for score in scores for end in (score.value, score.low, score.high) if end]
    return min([0.0, *ends]), max([0.0, *ends]) or 1.0


def _words(score: Score) -> str:
    sure = ""
    if score.low is not None and score.high is not None:
        sure = f" ({score.low:.3g} to {score.high:.3g})"
    answers = f", {plural(score.count, 'answer')}" if score.count else ""
    return f"{score.value:.3g}{sure}{answers}"
