"""A look at the configured data without preparing it: formats, problems, one row, token counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.data._formats import FORMATS, DataFormat, example_row, most_common_format, name_columns
from forgelm.data._judged import read_labelled, read_pair, read_prompt
from forgelm.data._load import RowSource, open_source
from forgelm.data._normalise import normalise_row
from forgelm.data._problems import RowError, RowProblems
from forgelm.data._recipes import Recipe, recipe_for
from forgelm.errors import ForgeError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["SourceSample", "sample_sources"]

_DETECTION_ROWS = 100


@dataclass(frozen=True)
class SourceSample:
    """What the first rows of one split of one data set are like.

    Attributes:
        key: The configuration key that names the data set.
        name: File, directory or Hub name, with the split.
        split: "train", "validation" or "test".
        rows: Rows looked at.
        is_whole: There are no more rows than those.
        format: Their format, None where there is none that the algorithm learns from.
        columns: Their columns, in order of appearance.
        problem: What is wrong with them, with files and rows, or None.
        first: The first usable row as the algorithm reads it, in plain types; unmasked.
        lengths: Tokens of each usable row before truncation; empty without a tokenizer.
        trainable_tokens: Tokens that carry loss before truncation.
        lost_tokens: How many of those truncation takes away.
        truncated_rows: Rows that are longer than `model.max_length`.
        dropped_rows: Rows with nothing to learn from after truncation.
        labels: Usable rows with a thumb up and with a thumb down, for kto alone.
    """

    key: str
    name: str
    split: str
    rows: int = 0
    is_whole: bool = True
    format: DataFormat | None = None
    columns: tuple[str, ...] = ()
    problem: str | None = None
    first: dict[str, Any] | None = None
    lengths: tuple[int, ...] = ()
    trainable_tokens: int = 0
    lost_tokens: int = 0
    truncated_rows: int = 0
    dropped_rows: int = 0
    labels: tuple[int, int] | None = None


def sample_sources(
    config: ForgeConfig, *, limit: int | None, tokenizer: Any = None
) -> list[SourceSample]:
    """Return a look at each split of each configured data set that lies on this machine.

    Args:
        config: `data` and `training.trainer_type` are read, and `model.max_length`.
        limit: Rows of each split to look at; None for all.
        tokenizer: Counts tokens; None to leave that out, which is much faster.

    Raises:
        ConfigError: The data needs a chat template and the tokenizer has none.
        OSError: A file cannot be read.
    """
    names = [("data.dataset_name_or_path", config.data.dataset_name_or_path)]
    extras = config.data.extra_datasets or []
    names += [(f"data.extra_datasets[{index}]", name) for index, name in enumerate(extras)]
    recipe = None if tokenizer is None else recipe_for(config, tokenizer)
    return [sample for key, name in names for sample in _samples(config, key, name, limit, recipe)]


def _samples(
    config: ForgeConfig, key: str, name: str, limit: int | None, recipe: Recipe | None
) -> Iterator[SourceSample]:
    if not Path(name).expanduser().exists():
        return  # on the Hub: nothing is fetched for a look
    try:
        splits = open_source(name, config)
    except ForgeError as error:
        yield SourceSample(key, name, "train", problem=str(error))
        return
    for split, source in splits.items():
        if split == "train" or key == "data.dataset_name_or_path":
            sample = SourceSample(key, source.name, split)
            try:
                yield _sample(config, sample, source, limit, recipe)
            except ForgeError as error:
                yield replace(sample, problem=str(error))


def _sample(
    config: ForgeConfig,
    sample: SourceSample,
    source: RowSource,
    limit: int | None,
    recipe: Recipe | None,
) -> SourceSample:
    problems = RowProblems()
    located = source.read(problems)
    rows = list(islice(located, limit))
    is_whole = limit is None or next(located, None) is None
    columns = dict.fromkeys(name for _, _, row in rows[:_DETECTION_ROWS] for name in row)
    sample = replace(sample, rows=len(rows), is_whole=is_whole, columns=tuple(columns))
    if not rows:
        problems.raise_if_any()
        return replace(sample, problem=f"{source.name} has no rows.")
    trainer_type = config.training.trainer_type
    found = most_common_format([row for _, _, row in rows[:_DETECTION_ROWS]], trainer_type)
    if found is None or trainer_type not in FORMATS[found].trainers:
        shape = f"{found} rows" if found else f"the columns {name_columns(columns)}"
        text = f"{source.name} holds {shape}, which {trainer_type} cannot learn from. A row for it:"
        return replace(sample, problem=f"{text} {example_row(trainer_type)}")
    read = _reader(trainer_type, config.data.clean_text)
    usable: list[tuple[str, int, Any]] = []
    for file, number, row in rows:
        try:
            usable.append((file, number, read(row, found)))
        except RowError as error:
            problems.add(file, number, str(error))
    first = _plain(usable[0][2]) if usable else None
    sample = replace(sample, format=found, first=first)
    if trainer_type == "kto":
        good = sum(answer.label for _, _, answer in usable)
        sample = replace(sample, labels=(good, len(usable) - good))
    if recipe is not None:
        sample = _counted(sample, usable, recipe, problems, config.model.max_length)
    return replace(sample, problem=_text_of(problems))


def _reader(trainer_type: str, clean: bool) -> Callable[[Mapping[str, Any], DataFormat], Any]:
    if trainer_type == "sft":
        return lambda row, found: normalise_row(row, found, clean=clean)
    judged: Callable[..., Any]
    judged = {"kto": read_labelled, "grpo": read_prompt}.get(trainer_type, read_pair)
    return lambda row, _: judged(row, clean=clean)


def _counted(
    sample: SourceSample,
    usable: list[tuple[str, int, Any]],
    recipe: Recipe,
    problems: RowProblems,
    max_length: int,
) -> SourceSample:
    examples = []
    for file, number, read in usable:
        try:
            examples.append(recipe.make(read))
        except RowError as error:  # the chat template refuses it
            problems.add(file, number, str(error))
    trainable = sum(example.trainable for example in examples)
    kept = sum(example.left for example in examples if example.teaches)
    return replace(
        sample,
        lengths=tuple(example.tokens for example in examples),
        trainable_tokens=trainable,
        lost_tokens=trainable - kept,
        truncated_rows=sum(example.tokens > max_length for example in examples),
        dropped_rows=sum(not example.teaches for example in examples),
    )


def _plain(read: Any) -> dict[str, Any]:
    shown = asdict(read)
    shown.pop("row", None)  # what a GRPO reward sees: the row as it was
    return {key: value for key, value in shown.items() if value is not None}


def _text_of(problems: RowProblems) -> str | None:
    try:
        problems.raise_if_any()
    except ForgeError as error:
        return str(error)
    return None
