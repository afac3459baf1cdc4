"""A list of runs that shows itself as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from forgelm import RunStatus

    _Statuses = list[RunStatus]
else:
    _Statuses = list

__all__ = ["RunList"]

_TIMES = ("started_at", "updated_at")


class RunList(_Statuses):
    """What `list_runs` returned, newest first: a list in every way, and a table to look at."""

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run; times are UTC timestamps, states and methods categories."""
        from forgelm import RunStatus
        from forgelm_widgets._frames import load_pandas

        pandas = load_pandas()
        names = list(RunStatus.__dataclass_fields__)
        frame: pd.DataFrame = pandas.DataFrame([status.to_dict() for status in self], columns=names)
        for name in _TIMES:
            frame[name] = pandas.to_datetime(frame[name].astype("float64"), unit="s", utc=True)
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

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from forgelm_widgets._display import CARDS, bundle

        return bundle(CARDS["RunList"](self))

    def _repr_pretty_(self, printer: Any, _: bool) -> None:
        printer.text(self._repr_mimebundle_()["text/plain"])
