"""From a config to splits that a trainer can take."""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.data._encode import IGNORED, Encoder
from forgelm.data._hub import hub_session
from forgelm.data._load import RowSource, open_source, rows_in_memory
from forgelm.data._summary import DataSummary, PreparedData, SourceSummary
from forgelm.data._table import EncodedSource, SourceReader
from forgelm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["hold_out_count", "prepare_dataset", "prepare_splits"]

logger = logging.getLogger(__name__)

_SEED = 42
_LOST_SHARE_WARNED = 0.05


def prepare_dataset(config: ForgeConfig, tokenizer: Any) -> dict[str, Any]:
    """Load the configured data and return its splits, tokenised.

    Args:
        config: `data`, `model.max_length` and `training.trainer_type` are read.
        tokenizer: The model's tokenizer; its chat template is applied.

    Returns:
        `{"train": ..., "validation": ..., "test": ...}` of `datasets.Dataset` with the columns
        `input_ids` and `labels` (-100 where no loss is taken). `validation` is held out of the
        training rows when there is no such split and there are two rows or more.

    Raises:
        DataError: Rows cannot be used; names file and row, all of them at once up to twenty.
        ConfigError: The data needs what the config or the tokenizer does not have.
        OSError: A file cannot be read.
    """
    return dict(prepare_splits(config, tokenizer).splits)


def prepare_splits(
    config: ForgeConfig, tokenizer: Any, rows: Mapping[str, Any] | None = None
) -> PreparedData:
    """Do what `prepare_dataset` does, and also return a summary of what was read and lost.

    Args:
        config: The configuration.
        tokenizer: The model's tokenizer.
        rows: Splits of rows (dicts) to take in place of the configured data sets. Splits that
            are tokenised already are passed through.
    """
    if rows is not None and all(_is_tokenised(split) for split in rows.values()):
        return _passed_through(rows)
    require("datasets", extra="train", feature="Preparing data")
    reader = SourceReader(
        encoder=Encoder(tokenizer, max_length=config.model.max_length, add_eos=config.data.add_eos),
        max_length=config.model.max_length,
        clean=config.data.clean_text,
        trainer_type=config.training.trainer_type,
    )
    with hub_session(config):
        primary, *extras = _sources(config, rows)
        encoded = {split: reader.read(source) for split, source in primary.items()}
        more = [reader.read(source["train"]) for source in extras]
    reader.problems.raise_if_any()
    splits = {split: part for split, part in encoded.items() if part is not None}
    additions = [part for part in more if part is not None]
    return _assembled(config, splits, additions)


def hold_out_count(rows: int) -> int:
    """Return how many of `rows` rows are held out for validation.

    Source: max(1 %, min(10 %, 2,000 rows)), one at least; none of a single row.

    Example:
        >>> [hold_out_count(n) for n in (1, 2, 300, 50_000, 1_000_000)]
        [0, 1, 30, 2000, 10000]
    """
    return max(1, int(max(0.01 * rows, min(0.1 * rows, 2_000)))) if rows > 1 else 0


def _sources(config: ForgeConfig, rows: Mapping[str, Any] | None) -> list[dict[str, RowSource]]:
    if rows is not None:
        splits = rows_in_memory(rows, "dataset")
        if "train" not in splits:
            raise DataError("the dataset that was passed has no split named train.")
        return [splits]
    names = [config.data.dataset_name_or_path, *(config.data.extra_datasets or [])]
    sources = [open_source(name, config) for name in names]
    for name, source in zip(names[1:], sources[1:], strict=True):
        if len(source) > 1:
            logger.warning("%s is an extra data set: only its training split is used", name)
    return sources


def _assembled(
    config: ForgeConfig, splits: Mapping[str, EncodedSource], extras: Sequence[EncodedSource]
) -> PreparedData:
    for part in (*splits.values(), *extras):
        _report(part.summary)
    pieces = _mixed([splits["train"], *extras], config.data.mix_ratio)
    others = {name: _dataset([part.table]) for name, part in splits.items() if name != "train"}
    held: dict[str, Any] = {}
    if "validation" not in others:
        pieces, held = _held_out(pieces)
    train = _dataset([_take(part, kept) for part, kept in pieces])
    datasets = {"train": train, **held, **others}
    datasets = {name: dataset for name, dataset in datasets.items() if len(dataset)}
    if "train" not in datasets:
        raise DataError(
            f"no row keeps a trainable token within model.max_length "
            f"({config.model.max_length} tokens). Raise max_length or shorten the prompts."
        )
    summary = DataSummary(
        sources=tuple(part.summary for part in (*splits.values(), *extras)),
        split_rows={name: len(dataset) for name, dataset in datasets.items()},
    )
    logger.info("data: %s", ", ".join(f"{n} {name}" for name, n in summary.split_rows.items()))
    return PreparedData(datasets, summary)


def _is_tokenised(split: Any) -> bool:
    return {"input_ids", "labels"} <= set(getattr(split, "column_names", ()))


def _passed_through(splits: Mapping[str, Any]) -> PreparedData:
    if "train" not in splits:
        raise DataError("the dataset that was passed has no split named train.")
    sources = {name: _token_summary(f"dataset[{name}]", rows) for name, rows in splits.items()}
    if not sources["train"].trainable_tokens:
        raise DataError("the dataset that was passed has no token to learn from in train.")
    sizes = {name: len(rows) for name, rows in splits.items()}
    return PreparedData(splits, DataSummary(tuple(sources.values()), sizes))


def _token_summary(name: str, rows: Any) -> SourceSummary:
    compute = require("pyarrow.compute", extra="train", feature="Preparing data")
    ids, labels = (rows.data.column(column) for column in ("input_ids", "labels"))
    trained = compute.not_equal(compute.list_flatten(labels), IGNORED)
    return SourceSummary(
        name=name,
        format="tokens",
        columns=tuple(rows.column_names),
        rows=len(rows),
        dropped_rows=0,
        truncated_rows=0,
        trainable_tokens=compute.sum(trained).as_py() or 0,
        lost_tokens=0,
        longest_tokens=compute.max(compute.list_value_length(ids)).as_py() or 0,
    )


_Piece = tuple[EncodedSource, list[int]]  # a source, and which of its kept rows are taken


def _mixed(parts: Sequence[EncodedSource], ratio: Sequence[float] | None) -> list[_Piece]:
    """Choose rows of each source: every row of the first, and of the others by their weight.

    An extra source of weight w gets w / w_primary times the primary's rows, drawn without
    replacement; one with fewer rows gives all it has.
    """
    everything = [(part, list(range(part.table.num_rows))) for part in parts]
    if not ratio or len(parts) == 1:
        return everything
    if ratio[0] <= 0:
        problem = "the first weight must be above zero: the first data set keeps every row"
        raise ConfigError(issues=[("data.mix_ratio", problem)])
    base = parts[0].table.num_rows
    chosen = everything[:1]
    for index, (part, rows) in enumerate(everything[1:], 1):
        wanted = round(base * ratio[index] / ratio[0])
        if wanted > len(rows):
            logger.warning(
                "%s has %d rows where mix_ratio asks for %d; all are used, none twice",
                part.summary.name, len(rows), wanted,
            )  # fmt: skip
        drawn = random.Random(_SEED + index).sample(rows, min(wanted, len(rows)))
        chosen.append((part, sorted(drawn)))
    return chosen


def _held_out(pieces: Sequence[_Piece]) -> tuple[list[_Piece], dict[str, Any]]:
    """Split a validation set off, drawn from all pieces alike."""
    total = sum(len(rows) for _, rows in pieces)
    count = hold_out_count(total)
    if total == 1:
        logger.warning("one row only: nothing is held out, so there is no evaluation loss")
    if not count:
        return list(pieces), {}
    held = set(random.Random(_SEED).sample(range(total), count))
    kept: list[_Piece] = []
    tables = []
    offset = 0
    for part, rows in pieces:
        mine = [row for place, row in enumerate(rows, offset) if place in held]
        kept.append((part, [row for place, row in enumerate(rows, offset) if place not in held]))
        tables.append(_take(part, mine))
        offset += len(rows)
    return kept, {"validation": _dataset(tables)}


def _take(part: EncodedSource, rows: list[int]) -> Any:
    pyarrow = require("pyarrow", extra="train", feature="Preparing data")
    return part.table.take(pyarrow.array(rows, pyarrow.int64()))


def _dataset(tables: Sequence[Any]) -> Any:
    datasets = require("datasets", extra="train", feature="Preparing data")
    pyarrow = require("pyarrow", extra="train", feature="Preparing data")
    # A given fingerprint spares the library a hash over all the data.
    return datasets.Dataset(pyarrow.concat_tables(tables), fingerprint=secrets.token_hex(8))


def _report(summary: SourceSummary) -> None:
    logger.info("%s: %d rows of format %s", summary.name, summary.rows, summary.format)
    lost = summary.lost_tokens / max(summary.trainable_tokens, 1)
    if summary.dropped_rows or lost > _LOST_SHARE_WARNED:
        logger.warning(
            "%s: model.max_length drops %d of %d rows whole and %.0f %% of the trainable tokens",
            summary.name, summary.dropped_rows, summary.rows, 100 * lost,
        )  # fmt: skip
