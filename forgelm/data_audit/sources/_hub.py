"""Data sets of the Hugging Face Hub, by name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from forgelm._core import require
from forgelm.data_audit.sources._rows import printable
from forgelm.errors import DataError, OptionalDependencyError

__all__ = ["hub_splits", "is_hub_name"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_DOWNLOAD = "Download its files (`hf download --repo-type dataset`) and name their directory"


def is_hub_name(name: str) -> bool:
    """Say whether `name` has the form owner/name.

    Example:
        >>> is_hub_name("HuggingFaceH4/ultrachat_200k"), is_hub_name("a/b/c")
        (True, False)
    """
    return _NAME.fullmatch(name) is not None


def hub_splits(name: str) -> Mapping[str, Any]:
    """Return the splits of a data set on the Hub; rows are fetched as they are read.

    The token is that of training: `HUGGINGFACE_TOKEN`, else what the Hub's own library finds.

    Raises:
        DataError: No file has this name, and neither has a data set that can be reached.
    """
    start = f"{printable(name)}: no such file or directory, and"
    try:
        datasets = require("datasets", extra="train", feature="A data set of the Hub")
    except OptionalDependencyError as error:
        raise DataError(f"{start} not looked for on the Hub. {error}") from error
    token = os.environ.get("HUGGINGFACE_TOKEN") or None
    try:
        splits = datasets.load_dataset(name, streaming=True, token=token)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{start} no data set of the Hub that can be reached ({_reason(error)}). "
            "Check the name, your access and the connection, or name a local file."
        ) from error
    assert isinstance(splits, Mapping)
    return {split: _Rows(name, str(split), rows) for split, rows in splits.items()}


@dataclass(frozen=True)
class _Rows:
    """The rows of a split; what the Hub's library cannot read is told as a DataError."""

    name: str
    split: str
    rows: Any

    def __iter__(self) -> Iterator[Any]:
        place = 0
        try:
            for place, row in enumerate(self.rows, 1):  # noqa: B007  told in the error
                yield row
        except Exception as error:
            if isinstance(error, MemoryError | DataError):
                raise
            raise DataError(
                f"{printable(self.name)}, split {printable(self.split)}: it cannot be read after "
                f"row {place:,} ({_reason(error)}). {_DOWNLOAD}: there, what cannot be read is "
                "passed over."
            ) from error


def _reason(error: Exception) -> str:
    said = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {printable(said)}" if said else type(error).__name__
