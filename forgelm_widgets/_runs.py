"""A list of runs that shows itself as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forgelm_widgets._frames import load_pandas

if TYPE_CHECKING:
    import pandas as pd

    from forgelm import RunStatus

    _Statuses = list[RunStatus]
else:
    _Statuses = list

__all__ = ["RunList", "frame_of_runs"]

_TIMES = ("started_at", "updated_at")


class RunList(_Statuses):
    """What `list_runs` returned, newest first: a list in every way, and a table to look at."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run; times are UTC timestamps, states and methods categories."""
        from forgelm import RunStatus

        names = list(RunStatus.__dataclass_fields__)
        return frame_of_runs([status.to_dict() for status in self], names)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from forgelm_widgets._display import CARDS, bundle

        return bundle(CARDS["RunList"](self))

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(self._repr_mimebundle_()["text/plain"])


def frame_of_runs(rows: Sequence[Mapping[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return rows that hold what a `RunStatus` does, or less or more, with fit types."""
    pandas = load_pandas()
    sound = [{name: _sound(value) for name, value in row.items()} for row in rows]
    frame: pd.DataFrame = pandas.DataFrame(sound, columns=columns)
    for name in _TIMES:
        seconds = frame[name].astype("float64")
        frame[name] = pandas.to_datetime(seconds, unit="s", utc=True, errors="coerce")
    return frame.astype(
        {
            "state": "category",
            "trainer_type": "category",
            "loss": "float64",
            "eval_loss": "float64",
            "eta_s": "float64",
            "success": "boolean",
            "pid": "Int64",
        }
    )


def _sound(value: Any) -> Any:
    """Return a text without the lone surrogates of a path that is no UTF-8, which Arrow refuses."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
