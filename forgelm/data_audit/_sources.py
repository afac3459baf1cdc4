"""From what the caller names to splits, files and byte ranges: the unit of work."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from forgelm.data_audit._rows import printable
from forgelm.errors import DataError

__all__ = ["ByteRange", "Corpus", "find_corpus"]

SUFFIXES = (".jsonl", ".ndjson")
RANGE_BYTES = 4 << 20

_SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "eval": "test",
    "holdout": "test",
}
_SHARD = re.compile(r"[-_.][0-9].*$")
_NEXT_STEP = f"Name a file that ends in {' or '.join(SUFFIXES)}, or a directory with such files."


@dataclass(frozen=True)
class ByteRange:
    """The lines of one file that begin in `[start, end)`."""

    split: str
    path: str
    start: int
    end: int


@dataclass(frozen=True)
class Corpus:
    """The files behind a source.

    Attributes:
        path: The source, absolute.
        splits: Files by split: train, validation, test, then the others by name.
        notes: What a reader of the report should know about the choice of files.
    """

    path: str
    splits: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """All files, in the order of the splits."""
        return [path for paths in self.splits.values() for path in paths]

    def ranges(self) -> list[ByteRange]:
        """Cut the files into ranges; the cut depends on nothing but the files' sizes."""
        return [
            ByteRange(split, path, start, start + RANGE_BYTES)
            for split, paths in self.splits.items()
            for path in paths
            for start in range(0, os.path.getsize(path), RANGE_BYTES)
        ]


def find_corpus(source: str | os.PathLike[str]) -> Corpus:
    """Find the files of `source`.

    Raises:
        DataError: Nothing there, or nothing in it that can be read.
    """
    path = Path(source)
    if not path.exists():
        raise DataError(f"{printable(str(source))}: no such file or directory. {_NEXT_STEP}")
    if path.is_dir():
        return _directory(path)
    if not path.is_file():
        raise DataError(f"{printable(str(source))}: not a regular file. {_NEXT_STEP}")
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{printable(str(source))}: files of type {printable(path.suffix)!r} are not read. "
            f"{_NEXT_STEP}"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{printable(str(source))}: the file is empty. {_NEXT_STEP}")
    return Corpus(str(path.resolve()), {"train": (str(path.resolve()),)}, ())


def _directory(path: Path) -> Corpus:
    files = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    data = [f for f in files if f.is_file() and f.suffix.lower() in SUFFIXES and f.stat().st_size]
    if not data:
        raise DataError(f"{printable(str(path))}: the directory has no data to audit. {_NEXT_STEP}")
    notes = []
    splits: dict[str, list[str]] = {}
    for file in data:
        stem = file.stem.lower()
        known = _SPLIT_NAMES.get(stem) or _SPLIT_NAMES.get(_SHARD.sub("", stem))
        split = known or printable(file.stem)
        if known is None:
            notes.append(
                f"{printable(file.name)} is no usual split name: it is the split {split!r}."
            )
        splits.setdefault(split, []).append(str(file.resolve()))
    left_out = [printable(f.name) for f in files if f not in data]
    if left_out:
        shown = ", ".join(left_out[:20]) + (", ..." if len(left_out) > 20 else "")
        notes.append(
            f"Left out, being empty, a directory or of a type that is not read "
            f"({len(left_out)} entries): {shown}"
        )
    order = {name: place for place, name in enumerate(dict.fromkeys(_SPLIT_NAMES.values()))}
    names = sorted(splits, key=lambda name: (order.get(name, len(order)), name))
    return Corpus(str(path.resolve()), {n: tuple(splits[n]) for n in names}, tuple(notes))
