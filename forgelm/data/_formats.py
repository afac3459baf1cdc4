"""The shapes a row can have, recognised by its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from forgelm.errors import DataError

__all__ = [
    "FORMATS",
    "DataFormat",
    "Shape",
    "detect_format",
    "example_row",
    "most_common_format",
    "name_columns",
]

DataFormat = Literal[
    "preference",
    "kto",
    "messages",
    "conversations",
    "prompt_completion",
    "prompt_response",
    "instruction",
    "user_assistant",
    "text",
    "grpo",
]


@dataclass(frozen=True)
class Shape:
    """What makes a row one of a format, and which algorithms learn from it."""

    columns: tuple[str, ...]
    trainers: tuple[str, ...]


_PAIRED = ("dpo", "simpo", "orpo")
_ANSWERED = ("sft", "grpo")

# In the order of precedence: the original Alpaca files have a `text` column beside `instruction`,
# preference files often carry `messages`, and nearly everything has a `prompt`.
FORMATS: dict[DataFormat, Shape] = {
    "preference": Shape(("chosen", "rejected"), _PAIRED),
    "kto": Shape(("prompt", "completion", "label"), ("kto",)),
    "messages": Shape(("messages",), ("sft",)),
    "conversations": Shape(("conversations",), ("sft",)),
    "prompt_completion": Shape(("prompt", "completion"), _ANSWERED),
    "prompt_response": Shape(("prompt", "response"), _ANSWERED),
    "instruction": Shape(("instruction", "output"), ("sft",)),
    "user_assistant": Shape(("User", "Assistant"), ("sft",)),
    "text": Shape(("text",), ("sft",)),
    "grpo": Shape(("prompt",), ("grpo",)),
}
assert tuple(FORMATS) == get_args(DataFormat)

_EXAMPLES = {
    "sft": '{"prompt": "...", "completion": "..."}',
    "dpo": '{"prompt": "...", "chosen": "...", "rejected": "..."}',
    "kto": '{"prompt": "...", "completion": "...", "label": true}',
    "grpo": '{"prompt": "...", "gold_answer": "..."}',
}


def detect_format(row_or_columns: Mapping[str, Any] | Iterable[str]) -> DataFormat:
    """Return the format of a row, or of a data set with these columns.

    A column whose value is None counts as absent: tables fill missing columns that way.

    Raises:
        DataError: No known format has these columns.

    Example:
        >>> detect_format({"instruction": "Add 2 and 2.", "input": None, "output": "4"})
        'instruction'
        >>> detect_format(["prompt", "chosen", "rejected"])
        'preference'
    """
    found = _format_of(row_or_columns)
    if found is None:
        raise DataError(_unknown(row_or_columns))
    return found


def most_common_format(rows: Iterable[Mapping[str, Any]], trainer_type: str) -> DataFormat | None:
    """Return the format that most of `rows` have, or None when none of them has a known one.

    For kto a label of any kind makes a row a KTO row: one that is neither yes nor no is then a
    problem of that row, instead of a column to look past.
    """
    labelled = set(FORMATS["kto"].columns)
    counts = Counter(
        "kto" if trainer_type == "kto" and labelled <= _present(row) else found
        for row in rows
        if (found := _format_of(row)) is not None
    )
    return counts.most_common(1)[0][0] if counts else None


def example_row(trainer_type: str) -> str:
    """Return a row, as JSON, that an algorithm learns from.

    Example:
        >>> print(example_row("kto"))
        {"prompt": "...", "completion": "...", "label": true}
    """
    return _EXAMPLES.get(trainer_type, _EXAMPLES["dpo"])


def name_columns(columns: Iterable[str]) -> str:
    """Return column names for a message: at most ten, none longer than 40 characters."""
    names = [repr(name[:40]) for name in columns]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return (", ".join(names[:10]) or "none") + more


def _format_of(row_or_columns: Mapping[str, Any] | Iterable[str]) -> DataFormat | None:
    if isinstance(row_or_columns, Mapping):
        columns = _present(row_or_columns)
        if not _is_binary(row_or_columns.get("label")):
            columns.discard("label")
    else:
        columns = set(row_or_columns)
    return next(
        (name for name, shape in FORMATS.items() if columns.issuperset(shape.columns)), None
    )


def _present(row: Mapping[str, Any]) -> set[str]:
    return {name for name, value in row.items() if value is not None}


def _is_binary(value: Any) -> bool:
    return value in (0, 1) or str(value).strip().lower() in {"true", "false"}


def _unknown(row_or_columns: Mapping[str, Any] | Iterable[str]) -> str:
    known = "; ".join(" + ".join(shape.columns) for shape in FORMATS.values())
    return (
        f"no known row format has the columns {name_columns(row_or_columns)}. "
        f"Rename your columns to one of: {known}."
    )
