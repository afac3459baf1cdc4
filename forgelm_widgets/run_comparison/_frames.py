"""The tables of a comparison as DataFrames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm import RunStatus
from forgelm_widgets._frames import load_pandas
from forgelm_widgets._runs import frame_of_runs
from forgelm_widgets._text import clean
from forgelm_widgets.run_comparison._record import RunRecord

if TYPE_CHECKING:
    import pandas as pd

    from forgelm_widgets.run_comparison._differences import Difference

__all__ = ["differences_frame", "runs_frame", "scores_frame"]

_MOST_CHARS = 10_000


def runs_frame(records: Sequence[RunRecord]) -> pd.DataFrame:
    """Return one row a run: what its status says, and what was found beside it."""
    columns = list(_row(RunRecord(Path(), RunStatus("", "died", ""))))
    frame = frame_of_runs([_row(record) for record in records], columns)
    typed: pd.DataFrame = frame.astype(
        {
            "step": "Int64",
            "max_steps": "Int64",
            "epoch": "float64",
            "verdict": "category",
            "data": "string",
            "best_eval_loss": "float64",
            "best_step": "Int64",
            "wall_s": "float64",
            "gpu_hours": "float64",
            "energy_kwh": "float64",
            "cost_usd": "float64",
            "usage_is_partial": "boolean",
            "problem": "string",
        }
    )
    return typed


def _row(record: RunRecord) -> dict[str, Any]:
    status = record.status.to_dict() if record.status else {"run_dir": str(record.run_dir)}
    loss, step = record.losses.best or (None, None)
    usage = asdict(record.usage)
    partial = usage.pop("parts_missing")
    return {
        **status,
        "verdict": record.judgement,
        "data": record.data,
        "best_eval_loss": loss,
        "best_step": step,
        **usage,
        "usage_is_partial": partial if usage["wall_s"] is not None else None,
        "problem": "; ".join(record.problems) or None,
    }


def differences_frame(found: Sequence[Difference], names: Sequence[str]) -> pd.DataFrame:
    """Return one row a setting and one column a run; the values as text, secrets masked."""
    pandas = load_pandas()
    rows = [[clean(value, _MOST_CHARS) for value in values] for _, values in found]
    index = pandas.Index([clean(key, _MOST_CHARS) for key, _ in found], name="setting")
    frame: pd.DataFrame = pandas.DataFrame(rows, index, list(names), dtype="string")
    return frame


def scores_frame(records: Mapping[str, RunRecord]) -> pd.DataFrame:
    """Return one row a run and score, with the ends of its 95 % interval."""
    pandas = load_pandas()
    columns = ["run", "name", "metric", "value", "low", "high", "count", "scale"]
    rows = [
        {"run": name, **asdict(score)}
        for name, record in records.items()
        for score in record.scores
    ]
    kinds = {"run": "string", "name": "string", "metric": "string", "scale": "category"}
    kinds |= {"value": "float64", "low": "float64", "high": "float64", "count": "Int64"}
    frame: pd.DataFrame = pandas.DataFrame(rows, columns=columns).astype(kinds)
    return frame.rename(columns={"name": "score"})
