"""Problems of rows, gathered so that one error names them all."""

from __future__ import annotations

from forgelm.errors import DataError

__all__ = ["RowError", "RowProblems"]

_SHOWN = 20


class RowError(Exception):
    """What is wrong with one row, without the row's own text."""


class RowProblems:
    """A list of problems with a bound on what is kept and none on what is counted."""

    def __init__(self) -> None:
        self._shown: list[tuple[str, int, str]] = []
        self.count = 0

    def add(self, source: str, row: int, problem: str) -> None:
        """Note that row `row` (from 1) of `source` has `problem`."""
        self.count += 1
        if self.count <= _SHOWN:
            self._shown.append((source, row, problem))

    def raise_if_any(self) -> None:
        """Raise one DataError that names the first problems and counts the rest."""
        if not self.count:
            return
        plural = "s" if self.count != 1 else ""
        rest = [f"  ... and {self.count - _SHOWN} more"] if self.count > _SHOWN else []
        head = f"{self.count} row{plural} cannot be used; correct or remove them:"
        lines = [f"  {source}, row {row}: {text}" for source, row, text in sorted(self._shown)]
        raise DataError("\n".join([head, *lines, *rest]))
