"""`RunComparison`: runs side by side, in a table, as curves, by settings and by scores."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets
from tqdm import tqdm

from forgelm import Run, RunStatus, TrainResult
from forgelm.errors import ForgeError
from forgelm_widgets._base import ForgeWidget, command, front_end
from forgelm_widgets._card import Card
from forgelm_widgets._html import card_text
from forgelm_widgets._runs import RunList
from forgelm_widgets._text import plural
from forgelm_widgets.run_comparison._curves import CurveReader, curves_payload
from forgelm_widgets.run_comparison._differences import find_differences
from forgelm_widgets.run_comparison._files import find_run_dirs
from forgelm_widgets.run_comparison._payload import (
    detail_payload,
    names_of,
    picked_payload,
    table_payload,
)
from forgelm_widgets.run_comparison._record import RunRecord, read_record
from forgelm_widgets.run_comparison._static import comparison_card

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go  # type: ignore[import-untyped]

__all__ = ["RunComparison"]

AnyRun = str | os.PathLike[str] | Run | RunStatus | TrainResult

_PARTS = ("curves.js", "scores.js", "table.js", "view.js")
_MOST_CHOSEN = 12
_FIRST_CHOSEN = 4


class RunComparison(ForgeWidget):
    """Runs side by side: a table of all, and for those that are ticked what sets them apart.

    It reads the run directories, live or ended, and changes nothing in them. A folder that has no
    run, or a damaged one, is a row that says what is wrong.

    Args:
        runs: A folder, for every run in it and the two levels below; or run directories, runs,
            their statuses or their results.

    Raises:
        NotADirectoryError: There is no such folder.
        OptionalDependencyError: psutil is not installed.

    Example:
        >>> comparison = RunComparison([])
        >>> comparison.runs, comparison.selected
        ([], None)
        >>> comparison.close()
    """

    _esm = front_end(
        "_shared/calls.js", "_shared/dom.js", *(f"run_comparison/{name}" for name in _PARTS)
    )
    _css = front_end("_shared/theme.css", "_shared/controls.css", "run_comparison/view.css")

    table = traitlets.Dict().tag(sync=True)
    detail = traitlets.Dict().tag(sync=True)

    def __init__(self, runs: AnyRun | Iterable[AnyRun] = ".") -> None:
        self._lock = threading.RLock()
        self._folder: Path | None = None
        self._given: list[Path] = []
        if isinstance(runs, str | os.PathLike):
            self._folder = Path(runs).expanduser().absolute()
        else:
            several = [runs] if isinstance(runs, Run | RunStatus | TrainResult) else runs
            self._given = list(dict.fromkeys(map(_run_dir, several)))
        self._identifiers: dict[Path, str] = {}
        self._records: dict[str, RunRecord] = {}
        self._chosen: list[str] = []
        self._picked: str | None = None
        self._curves = CurveReader()
        self._records = self._read()
        self._chosen = _worth_comparing(self._records)
        super().__init__(table=self._table(), detail=self._detail(curves=False))
        self._publish_soon()

    @property
    def runs(self) -> RunList:
        """Where every run stands that can be read, in the order of the table."""
        return RunList([one.status for one in self._records.values() if one.status])

    @property
    def selected(self) -> Path | None:
        """The directory of the run that was picked in the view or by `select`."""
        with self._lock:
            return self._records[self._picked].run_dir if self._picked else None

    @property
    def chosen(self) -> list[Path]:
        """The directories of the runs that are compared: ticked in the view or by `choose`."""
        with self._lock:
            return [self._records[identifier].run_dir for identifier in self._chosen]

    def select(self, run: AnyRun) -> None:
        """Pick a run.

        Raises:
            LookupError: It is not in the table.
        """
        self._cmd_select(run=self._identifier(run))

    def choose(self, *runs: AnyRun) -> None:
        """Compare these runs, in this order, at most 12.

        Raises:
            LookupError: One is not in the table.
            ForgeError: There are more than 12.
        """
        self._cmd_choose(runs=[self._identifier(run) for run in runs])

    def refresh(self) -> None:
        """Read every run directory again; of a folder, also those that are new."""
        self._renew(self._read())

    def to_frame(self) -> pd.DataFrame:
        """Return one row a run, with its state, verdict, best loss, cost and what is wrong.

        Times are UTC timestamps, `wall_s` seconds, `energy_kwh` kilowatt-hours, `cost_usd` US
        dollars; with `usage_is_partial` they are the least it can have been.
        """
        from forgelm_widgets.run_comparison._frames import runs_frame

        return runs_frame(list(self._records.values()))

    def differences(self) -> pd.DataFrame:
        """Return the settings that the chosen runs differ in: a row a key, a column a run."""
        from forgelm_widgets.run_comparison._frames import differences_frame

        records, names = self._chosen_records(), self._names()
        found = find_differences([record.config for record in records.values()])
        return differences_frame(found, [names[identifier] for identifier in records])

    def scores(self) -> pd.DataFrame:
        """Return every score of the chosen runs with the ends of its 95 % interval."""
        from forgelm_widgets.run_comparison._frames import scores_frame

        names = self._names()
        return scores_frame({names[key]: one for key, one in self._chosen_records().items()})

    def figure(self) -> go.Figure:
        """Return the curves and the scores of the chosen runs as a plotly figure.

        Raises:
            OptionalDependencyError: plotly is not installed.
        """
        from forgelm_widgets.run_comparison._figure import comparison_figure

        names, records = self._names(), self._chosen_records()
        curves = {names[key]: self._curves.read(one) for key, one in records.items()}
        return comparison_figure({names[key]: one for key, one in records.items()}, curves)

    def card(self) -> Card:
        """Return what a saved notebook shows."""
        with self._lock:
            return comparison_card(
                self._records, self._names(), self._table(), self._detail(curves=False)
            )

    def __repr__(self) -> str:
        return f"RunComparison({plural(len(self._records), 'run')})"

    def _face(self) -> dict[str, Any]:
        return super()._face() | {"text/plain": card_text(self.card().safe())}

    @command
    def _cmd_select(self, *, run: str) -> None:
        with self._lock:
            if run not in self._records:
                raise LookupError("this run is not in the table any more")
            self._picked = run
        self._publish_soon()

    @command
    def _cmd_choose(self, *, runs: list[str]) -> None:
        wanted = list(dict.fromkeys(runs))
        if len(wanted) > _MOST_CHOSEN:
            raise ForgeError(f"{_MOST_CHOSEN} runs at most can be compared at once")
        with self._lock:
            if not all(run in self._records for run in wanted):
                raise LookupError("a run is not in the table any more")
            self._chosen = wanted
        self._publish_soon()

    @command
    def _cmd_refresh(self) -> None:
        self._renew(self._read(quietly=True))

    def _renew(self, records: dict[str, RunRecord]) -> None:
        with self._lock:
            self._records = records
            self._chosen = [one for one in self._chosen if one in records]
            self._picked = self._picked if self._picked in records else None
        self._publish_soon(table=True)

    def _read(self, *, quietly: bool = False) -> dict[str, RunRecord]:
        folder = self._folder
        found = find_run_dirs(folder) if folder is not None else self._given
        bar = tqdm(found, "Reading runs", unit="run", delay=1.0, leave=False, disable=quietly)
        records = [read_record(run_dir) for run_dir in bar]
        if folder is not None:
            records.sort(key=_started_at, reverse=True)
        for record in records:
            self._identifiers.setdefault(record.run_dir, f"r{len(self._identifiers)}")
        return {self._identifiers[record.run_dir]: record for record in records}

    def _identifier(self, run: AnyRun) -> str:
        run_dir = _run_dir(run)
        identifier = self._identifiers.get(run_dir)
        if identifier not in self._records:
            raise LookupError(f"{run_dir} is not in the table; refresh() reads the folder again")
        return identifier

    def _names(self) -> dict[str, str]:
        run_dirs = [record.run_dir for record in self._records.values()]
        return dict(zip(self._records, names_of(run_dirs, self._folder), strict=True))

    def _chosen_records(self) -> dict[str, RunRecord]:
        with self._lock:
            return {identifier: self._records[identifier] for identifier in self._chosen}

    def _publish_soon(self, *, table: bool = False) -> None:
        if self._publisher is not None:
            if table:
                self._publisher.put(self._publish_table, key="table")
            self._publisher.put(self._publish, key="detail")

    def _publish(self) -> None:
        detail = self._detail()
        with self._lock:
            self.detail = detail

    def _publish_table(self) -> None:
        with self._lock:
            self.table = self._table()

    def _table(self) -> dict[str, Any]:
        return table_payload(self._records, list(self._names().values()))

    def _detail(self, *, curves: bool = True) -> dict[str, Any]:
        with self._lock:
            records, names, picked = self._chosen_records(), self._names(), self._picked
            record = self._records[picked] if picked else None
        detail = detail_payload(records, names)
        detail["picked"] = {"id": picked, **picked_payload(record)} if record else None
        series = [self._curves.read(one) for one in records.values()] if curves else []
        return detail | {"curves": curves_payload(list(records), series), "reading": not curves}


def _run_dir(run: Any) -> Path:
    if isinstance(run, TrainResult):
        if run.output_dir is None:
            raise ValueError("this TrainResult names no output_dir; give the run directory")
        run = run.output_dir
    path = getattr(run, "run_dir", run)
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{type(run).__name__} is no run: give a run directory, Run or RunStatus")
    return Path(path).expanduser().absolute()


def _worth_comparing(records: Mapping[str, RunRecord]) -> list[str]:
    """Return the first runs that have got anywhere, or the first ones."""
    trained = [key for key, one in records.items() if one.status and one.status.step]
    return (trained or list(records))[:_FIRST_CHOSEN]


def _started_at(record: RunRecord) -> float:
    return (record.status.started_at if record.status else None) or 0.0
