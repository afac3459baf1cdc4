"""From a config to splits that a trainer can take."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.data._encode import IGNORED
from forgelm.data._hub import hub_session
from forgelm.data._load import RowSource, open_source, rows_in_memory
from forgelm.data._mix import Piece, dataset_of, held_out, mixed
from forgelm.data._recipes import COUNTED, ROW_COLUMN, Recipe, recipe_for
from forgelm.data._summary import DataSummary, PreparedData, SourceSummary
from forgelm.data._table import EncodedSource, SourceReader
from forgelm.errors import DataError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["prepare_dataset", "prepare_splits"]

logger = logging.getLogger(__name__)

_LOST_SHARE_WARNED = 0.05
_LOOKED_AT = 100  # rows of a passed data set whose columns are read


def prepare_dataset(config: ForgeConfig, tokenizer: Any) -> dict[str, Any]:
    """Load the configured data and return its splits, ready for training.

    Args:
        config: `data`, `model.max_length` and `training.trainer_type` are read.
        tokenizer: The model's tokenizer; its chat template is applied.

    Returns:
        `{"train": ..., "validation": ..., "test": ...}` of `datasets.Dataset`. For sft the columns
        are `input_ids` and `labels` (-100 where no loss is taken); the other algorithms get texts,
        rendered with the chat template (see `PreparedData`). `validation` is held out of the
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
            came from here already are passed through.
    """
    recipe = recipe_for(config, tokenizer)
    if rows is not None and all(_is_prepared(split, recipe) for split in rows.values()):
        return _passed_through(rows, writes_answers=config.training.trainer_type == "grpo")
    require("datasets", extra="train", feature="Preparing data")
    reader = SourceReader(
        recipe=recipe,
        max_length=config.model.max_length,
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
    pieces = mixed([splits["train"], *extras], config.data.mix_ratio)
    sources = _used(splits, pieces)
    others = {
        name: dataset_of([Piece.whole(part)]) for name, part in splits.items() if name != "train"
    }
    held: dict[str, Any] = {}
    if "validation" not in others:
        pieces, held = held_out(pieces)
    # KTO's batches keep their rows from epoch to epoch, so the order is drawn here, once.
    drawn = config.training.trainer_type == "kto" and config.data.shuffle
    train = dataset_of(pieces, drawn=drawn)
    datasets = {"train": train, **held, **others}
    datasets = {name: dataset for name, dataset in datasets.items() if len(dataset)}
    if "train" not in datasets:
        raise DataError(_nothing_left(config))
    sizes = {name: len(dataset) for name, dataset in datasets.items()}
    logger.info("data: %s", ", ".join(f"{n} {name}" for name, n in sizes.items()))
    return PreparedData(datasets, DataSummary(sources, sizes))


def _nothing_left(config: ForgeConfig) -> str:
    length = config.model.max_length
    if config.training.trainer_type == "grpo":
        return f"no prompt fits into model.max_length ({length} tokens). Raise max_length."
    return (
        f"no row keeps a trainable token within model.max_length "
        f"({length} tokens). Raise max_length or shorten the prompts."
    )


def _used(
    splits: Mapping[str, EncodedSource], pieces: Sequence[Piece]
) -> tuple[SourceSummary, ...]:
    """Return the sources' summaries, with how many rows of each the mix took."""
    mix = [
        replace(piece.source.summary, used_rows=len(piece.rows), weight=piece.weight)
        for piece in pieces
    ]
    others = [part.summary for name, part in splits.items() if name != "train"]
    return (mix[0], *others, *mix[1:])


def _is_prepared(split: Any, recipe: Recipe) -> bool:
    columns = set(getattr(split, "column_names", ()))
    return columns.issuperset(recipe.columns)


def _passed_through(splits: Mapping[str, Any], *, writes_answers: bool) -> PreparedData:
    if "train" not in splits:
        raise DataError("the dataset that was passed has no split named train.")
    sources = {name: _passed_summary(f"dataset[{name}]", rows) for name, rows in splits.items()}
    train = sources["train"]
    if not (train.rows if writes_answers else train.trainable_tokens):
        raise DataError("the dataset that was passed has no token to learn from in train.")
    sizes = {name: len(rows) for name, rows in splits.items()}
    return PreparedData(splits, DataSummary(tuple(sources.values()), sizes))


def _passed_summary(name: str, rows: Any) -> SourceSummary:
    compute = require("pyarrow.compute", extra="train", feature="Preparing data")
    if COUNTED.keys() <= set(rows.column_names):
        lengths, trained = (rows.data.column(name) for name in COUNTED)
        data_format: Any = "texts"
    else:
        lengths = compute.list_value_length(rows.data.column("input_ids"))
        labels = compute.list_flatten(rows.data.column("labels"))
        trained, data_format = compute.not_equal(labels, IGNORED), "tokens"
    return SourceSummary(
        name=name,
        format=data_format,
        columns=_columns_of(rows),
        rows=len(rows),
        dropped_rows=0,
        truncated_rows=0,
        trainable_tokens=compute.sum(trained).as_py() or 0,
        lost_tokens=0,
        longest_tokens=compute.max(lengths).as_py() or 0,
        used_rows=len(rows),
    )


def _columns_of(rows: Any) -> tuple[str, ...]:
    if ROW_COLUMN not in rows.column_names:
        return tuple(rows.column_names)
    head = (json.loads(row) for row in rows[:_LOOKED_AT][ROW_COLUMN])
    return tuple(dict.fromkeys(name for row in head for name in row))


def _report(summary: SourceSummary) -> None:
    logger.info("%s: %d rows of format %s", summary.name, summary.rows, summary.format)
    lost = summary.lost_tokens / max(summary.trainable_tokens, 1)
    if summary.dropped_rows or lost > _LOST_SHARE_WARNED:
        logger.warning(
            "%s: model.max_length drops %d of %d rows whole and %.0f %% of the trainable tokens",
            summary.name, summary.dropped_rows, summary.rows, 100 * lost,
        )  # fmt: skip
