"""What was read, what was kept and what was lost on the way to the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from forgelm.data._formats import DataFormat

__all__ = ["DataSummary", "PreparedData", "SourceSummary"]


@dataclass(frozen=True)
class SourceSummary:
    """One split of one data set, as it was read.

    Attributes:
        name: File, directory or Hub name, with the split.
        format: The detected format of its rows; "tokens" or "texts" for rows that came prepared.
        columns: The columns of its rows, in order of appearance.
        rows: Rows read.
        dropped_rows: Rows whose every trainable token lay beyond `model.max_length`.
        truncated_rows: Rows that lost tokens, the dropped ones included.
        trainable_tokens: Tokens that carry loss, before truncation.
        lost_tokens: How many of those truncation took away.
        longest_tokens: Length of the longest row after truncation.
        used_rows: Rows that went into the splits: all but the dropped ones and those that
            `data.mix_ratio` left out.
        weight: The source's weight in `data.mix_ratio`, or None.
    """

    name: str
    format: DataFormat | Literal["tokens", "texts"]
    columns: tuple[str, ...]
    rows: int
    dropped_rows: int
    truncated_rows: int
    trainable_tokens: int
    lost_tokens: int
    longest_tokens: int
    used_rows: int
    weight: float | None = None


@dataclass(frozen=True)
class DataSummary:
    """What `prepare_splits` did: the sources in the order of the config, and the split sizes."""

    sources: tuple[SourceSummary, ...]
    split_rows: dict[str, int]

    @property
    def format(self) -> str:
        """Format of the primary data set's training rows."""
        return self.sources[0].format

    @property
    def dropped_rows(self) -> int:
        """Rows lost to truncation in all sources."""
        return sum(source.dropped_rows for source in self.sources)

    @property
    def longest_tokens(self) -> int:
        """Length of the longest row, after truncation."""
        return max(source.longest_tokens for source in self.sources)

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as plain dicts and lists."""
        return asdict(self)

    def mix(self) -> list[dict[str, Any]]:
        """Return what each source gave: its name, rows read and used, and its weight."""
        keys = ("name", "rows", "used_rows", "weight")
        return [{key: getattr(source, key) for key in keys} for source in self.sources]


@dataclass(frozen=True)
class PreparedData:
    """Splits ready for training, and what became of the rows.

    The columns are those that the algorithm's trainer takes: `input_ids` and `labels` for sft;
    `prompt`, `chosen` and `rejected` for dpo, simpo and orpo; `prompt`, `completion` and `label`
    for kto; `prompt` and `row` (the row as it was, as JSON) for grpo. Texts are rendered with the
    chat template already.
    """

    splits: Mapping[str, Any]
    summary: DataSummary
