"""Where rows come from: a file, a directory with splits, or a name on the Hub."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import SPLIT_NAMES, split_in_name
from forgelm.data._files import SUFFIXES, read_rows
from forgelm.data._hub import is_hub_name, load_hub_dataset
from forgelm.data._problems import RowProblems
from forgelm.errors import DataError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["RowSource", "check_source", "open_source", "rows_in_memory"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RowSource:
    """One split of one data set, ready to be read once."""

    name: str
    parts: tuple[Path, ...] = ()
    rows: Iterable[Any] = ()

    def read(self, problems: RowProblems) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Yield `(file, number, row)`; rows that are no objects go to `problems`."""
        for part in self.parts:
            for number, row in read_rows(part, problems):
                yield part.name, number, row
        for number, row in enumerate(self.rows, 1):
            if isinstance(row, Mapping):
                yield self.name, number, dict(row)
            else:
                problems.add(self.name, number, "a row must be an object (a dict)")


def check_source(name: str) -> str | None:
    """Say what is wrong with a data set's name or path before anything is read, or None."""
    try:
        return _problem_with(name, Path(name).expanduser())
    except (OSError, RuntimeError, ValueError) as error:  # too long, no rights, no such home
        return f"{name[:100]!r} cannot be read: {error}"


def _problem_with(name: str, path: Path) -> str | None:
    if path.is_dir():
        if not _data_files(path):
            return f"the directory {name!r} holds no {_suffixes()} file"
        return None
    if path.is_file():
        if path.suffix.lower() not in SUFFIXES:
            return f"{name!r} is not one of {_suffixes()}; convert it to JSONL"
        return None if path.stat().st_size else f"the file {name!r} is empty"
    if path.exists():
        return f"{name!r} is not a regular file"
    if path.suffix.lower() in SUFFIXES or not is_hub_name(name):
        return f"there is no file or directory {name!r} (seen from {Path.cwd()})"
    return None


def open_source(name: str, config: ForgeConfig) -> dict[str, RowSource]:
    """Return the splits of a data set, unread.

    Raises:
        DataError: There is nothing to read, or no training split among what there is.
    """
    problem = check_source(name)
    if problem is not None:
        raise DataError(f"{problem}.")
    path = Path(name).expanduser()
    if path.is_dir():
        splits = _directory_splits(path)
    elif path.is_file():
        splits = {"train": RowSource(name, parts=(path,))}
    else:
        splits = rows_in_memory(load_hub_dataset(name, config), name)
    if "train" not in splits:
        raise DataError(f"{name!r} has no training split, only {', '.join(sorted(splits))}.")
    return splits


def rows_in_memory(splits: Mapping[str, Iterable[Any]], name: str) -> dict[str, RowSource]:
    """Return splits that are already loaded, under the names that training uses."""
    found: dict[str, RowSource] = {}
    for split, rows in splits.items():
        known = SPLIT_NAMES.get(split.lower())
        if known is None or known in found:
            logger.warning("%s: the split %r is not used", name, split)
        else:
            found[known] = RowSource(f"{name}[{split}]", rows=rows)
    return found


def _directory_splits(folder: Path) -> dict[str, RowSource]:
    parts: dict[str, list[Path]] = {}
    unnamed: list[Path] = []
    for path in _data_files(folder):
        split = split_in_name(path.stem)
        (unnamed if split is None else parts.setdefault(split, [])).append(path)
    if unnamed and "train" in parts:
        names = ", ".join(path.name for path in unnamed[:5])
        logger.warning("%s: not named for a split, so not used: %s", folder, names)
    elif unnamed:
        parts["train"] = unnamed
    return {
        split: RowSource(f"{folder.name}[{split}]", parts=tuple(paths))
        for split, paths in parts.items()
    }


def _data_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )


def _suffixes() -> str:
    return ", ".join(SUFFIXES)
