"""Reading one source into an Arrow table of token ids and labels, in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from tqdm import tqdm

from forgelm._core import require
from forgelm.data._encode import IGNORED, Encoder
from forgelm.data._formats import FORMATS, DataFormat, detect_format, most_common_format
from forgelm.data._load import RowSource
from forgelm.data._normalise import normalise_row
from forgelm.data._problems import RowError, RowProblems
from forgelm.data._summary import SourceSummary
from forgelm.errors import DataError

__all__ = ["EncodedSource", "SourceReader"]

_DETECTION_ROWS = 100
_CHUNK_ROWS = 1_000
_COLUMNS_KEPT = 100

Located = tuple[str, int, dict[str, Any]]


@dataclass(frozen=True)
class EncodedSource:
    """The rows of a source that can be trained on (`input_ids`, `labels`), and what was lost."""

    table: Any
    summary: SourceSummary


@dataclass
class SourceReader:
    """Reads, checks, normalises, encodes and truncates the rows of sources."""

    encoder: Encoder
    max_length: int
    clean: bool
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
        found = most_common_format(row for _, _, row in head)
        if found is None:
            self.problems.raise_if_any()
            try:
                found = detect_format(head[0][2])
            except DataError as error:
                raise DataError(f"{source.name}: {error}") from None
        trainers = FORMATS[found].trainers
        if self.trainer_type not in trainers:
            raise DataError(
                f"{source.name} holds {found} rows ({' + '.join(FORMATS[found].columns)}), which "
                f"training.trainer_type {self.trainer_type!r} cannot learn from. "
                f"Set trainer_type to {' or '.join(trainers)}, or give rows of another format."
            )
        return found

    def _encoded(
        self, name: str, data_format: DataFormat, rows: Iterable[Located], before: int
    ) -> EncodedSource | None:
        tally = _Tally()
        table = _table(self._kept(rows, data_format, tally))
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
        )
        return EncodedSource(table, summary)

    def _kept(
        self, rows: Iterable[Located], data_format: DataFormat, tally: _Tally
    ) -> Iterator[tuple[list[int], list[int]]]:
        for file, number, row in rows:
            if len(tally.columns) < _COLUMNS_KEPT:
                tally.columns.update(dict.fromkeys(row))
            try:
                normal = normalise_row(row, data_format, clean=self.clean)
                # The template is not run for rows that come after a problem: it is the slow part.
                encoded = None if self.problems.count else self.encoder.encode(normal)
            except RowError as problem:
                self.problems.add(file, number, str(problem))
                continue
            if encoded is not None and tally.keep(*encoded, self.max_length):
                yield encoded[0][: self.max_length], encoded[1][: self.max_length]


@dataclass
class _Tally:
    columns: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    truncated: int = 0
    trainable: int = 0
    lost: int = 0
    longest: int = 0

    def keep(self, ids: list[int], labels: list[int], max_length: int) -> bool:
        """Count a row; say whether something to learn from is left of it."""
        # The first label is never predicted: there is nothing before it.
        before = len(labels[1:]) - labels[1:].count(IGNORED)
        left = len(labels[1:max_length]) - labels[1:max_length].count(IGNORED)
        self.rows += 1
        self.trainable += before
        self.lost += before - left
        self.truncated += len(ids) > max_length
        if not left:
            return False
        self.longest = max(self.longest, min(len(ids), max_length))
        return True


def _table(rows: Iterator[tuple[list[int], list[int]]]) -> Any:
    pyarrow = require("pyarrow", extra="train", feature="Preparing data")
    tokens = pyarrow.list_(pyarrow.int32())
    schema = pyarrow.schema([("input_ids", tokens), ("labels", tokens)])
    batches = []
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        columns = [pyarrow.array(list(column), tokens) for column in zip(*chunk, strict=True)]
        batches.append(pyarrow.record_batch(columns, schema=schema))
    return pyarrow.Table.from_batches(batches, schema=schema)
