"""Data sets of the Hugging Face Hub, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from forgelm._core import require
from forgelm.data_audit.sources._rows import printable
from forgelm.errors import DataError, OptionalDependencyError

__all__ = ["hub_splits", "is_hub_name"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def is_hub_name(name: str) -> bool:
    """Say whether `name` has the form owner/name.

    Example:
        >>> is_hub_name("HuggingFaceH4/ultrachat_200k"), is_hub_name("a/b/c")
        (True, False)
    """
    return _NAME.fullmatch(name) is not None


def hub_splits(name: str) -> Mapping[str, Any]:
    """Return the splits of a data set on the Hub; rows are fetched as they are read.

    Raises:
        DataError: No file has this name, and neither has a data set that can be reached.
    """
    start = f"{printable(name)}: no such file or directory, and"
    try:
        datasets = require("datasets", extra="train", feature="A data set of the Hub")
    except OptionalDependencyError as error:
        raise DataError(f"{start} not looked for on the Hub. {error}") from error
    try:
        splits = datasets.load_dataset(name, streaming=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{start} no data set of the Hub that can be reached ({type(error).__name__}). "
            "Check the name and the connection, or name a local file."
        ) from error
    assert isinstance(splits, Mapping)
    return splits
