"""Reading one source into an Arrow table of what its trainer takes, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from tqdm import tqdm

from forgelm._core import require
from forgelm.data._formats import (
    FORMATS,
    DataFormat,
    detect_format,
    example_row,
    most_common_format,
)
from forgelm.data._load import RowSource
from forgelm.data._problems import RowError, RowProblems
from forgelm.data._recipes import Example, Recipe
from forgelm.data._summary import SourceSummary
from forgelm.errors import DataError

__all__ = ["EncodedSource", "SourceReader"]

_DETECTION_ROWS = 100
_CHUNK_ROWS = 1_000
_COLUMNS_KEPT = 100

Located = tuple[str, int, dict[str, Any]]


@dataclass(frozen=True)
class EncodedSource:
    """The rows of a source that can be trained on, in the recipe's columns, and what was lost."""

    table: Any
    summary: SourceSummary


@dataclass
class SourceReader:
    """Reads, checks and converts the rows of sources."""

    recipe: Recipe
    max_length: int
    trainer_type: str
    problems: RowProblems = field(default_factory=RowProblems)

    def read(self, source: RowSource) -> EncodedSource | None:
        """Return the encoded rows of `source`; None when problems were found (see `problems`).

        Raises:
            DataError: There are no rows, or none of a format this algorithm learns from.
        """
        before = self.problems.count
        rows = source.read(self.problems)
        head = list(islice(rows, _DETECTION_ROWS))
        if not head:
            self.problems.raise_if_any()
            raise DataError(f"{source.name} has no rows.")
        data_format = self._detected(source, head)
        progress = tqdm(
            chain(head, rows), desc=source.name, unit=" rows", disable=None, leave=False
        )
        return self._encoded(source.name, data_format, progress, before)

    def _detected(self, source: RowSource, head: list[Located]) -> DataFormat:
        rows = [row for _, _, row in head]
        found = most_common_format(rows, self.trainer_type)
        if found is None:
            self.problems.raise_if_any()
            try:
                found = detect_format(rows[0])
            except DataError as error:
                raise DataError(f"{source.name}: {error} {self._wanted()}") from None
        trainers = FORMATS[found].trainers
        if self.trainer_type not in trainers:
            raise DataError(
                f"{source.name} holds {found} rows ({' + '.join(FORMATS[found].columns)}), which "
                f"training.trainer_type {self.trainer_type!r} cannot learn from. "
                f"Set trainer_type to {' or '.join(trainers)}, or give rows of another format. "
                f"{self._wanted()}"
            )
        return found

    def _wanted(self) -> str:
        return f"A row for {self.trainer_type}: {example_row(self.trainer_type)}"

    def _encoded(
        self, name: str, data_format: DataFormat, rows: Iterable[Located], before: int
    ) -> EncodedSource | None:
        tally = _Tally()
        table = _table(self.recipe.columns, self._kept(rows, data_format, tally))
        if self.problems.count > before:
            return None
        summary = SourceSummary(
            name=name,
            format=data_format,
            columns=tuple(tally.columns),
            rows=tally.rows,
            dropped_rows=tally.rows - table.num_rows,
            truncated_rows=tally.truncated,
            trainable_tokens=tally.trainable,
            lost_tokens=tally.lost,
            longest_tokens=tally.longest,
            used_rows=table.num_rows,
        )
        return EncodedSource(table, summary)

    def _kept(
        self, rows: Iterable[Located], data_format: DataFormat, tally: _Tally
    ) -> Iterator[tuple[Any, ...]]:
        for file, number, row in rows:
            if len(tally.columns) < _COLUMNS_KEPT:
                tally.columns.update(dict.fromkeys(row))
            try:
                read = self.recipe.read(row, data_format)
                # The template is not run for rows that come after a problem: it is the slow part.
                example = None if self.problems.count else self.recipe.make(read)
            except RowError as problem:
                self.problems.add(file, number, str(problem))
                continue
            if example is not None:
                tally.add(example, self.max_length)
                if example.teaches:
                    yield example.values


@dataclass
class _Tally:
    columns: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    truncated: int = 0
    trainable: int = 0
    lost: int = 0
    longest: int = 0

    def add(self, example: Example, max_length: int) -> None:
        self.rows += 1
        self.trainable += example.trainable
        self.lost += example.trainable - (example.left if example.teaches else 0)
        self.truncated += example.tokens > max_length
        if example.teaches:
            self.longest = max(self.longest, min(example.tokens, max_length))


def _table(columns: Mapping[str, str], rows: Iterator[tuple[Any, ...]]) -> Any:
    pyarrow = require("pyarrow", extra="train", feature="Preparing data")
    named = {
        "tokens": pyarrow.list_(pyarrow.int32()),
        "string": pyarrow.large_string(),
        "bool": pyarrow.bool_(),
        "int32": pyarrow.int32(),
    }
    types = [named[kind] for kind in columns.values()]
    schema = pyarrow.schema(list(zip(columns, types, strict=True)))
    batches = []
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        arrays = [
            pyarrow.array(list(column), kind)
            for column, kind in zip(zip(*chunk, strict=True), types, strict=True)
        ]
        batches.append(pyarrow.record_batch(arrays, schema=schema))
    return pyarrow.Table.from_batches(batches, schema=schema)
