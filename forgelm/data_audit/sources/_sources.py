"""From what the caller names to splits, files and ranges of rows."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgelm._core import SPLIT_NAMES, split_in_name
from forgelm.data_audit.sources._files import READABLE, file_kind
from forgelm.data_audit.sources._hub import hub_splits, is_hub_name
from forgelm.data_audit.sources._memory import IN_MEMORY, chunks
from forgelm.data_audit.sources._ranges import ByteRange, cut_file
from forgelm.data_audit.sources._rows import printable
from forgelm.data_audit.sources._storage import is_address, list_files, size_of
from forgelm.errors import DataError

__all__ = ["ByteRange", "Corpus", "Source", "find_corpus"]

Source = str | os.PathLike[str] | Mapping[str, Iterable[Any]] | Iterable[Any]

_WILD = re.compile(r"[*?\[]")
# What lies beside data and is none.
_METADATA = {
    "data_audit_findings.jsonl",
    "data_audit_findings.parquet",
    "data_audit_report.json",
    "dataset_dict.json",
    "dataset_info.json",
    "dataset_infos.json",
    "state.json",
}
_NEXT_STEP = f"Name a file of one of the types {READABLE}, or a directory with such files."


@dataclass(frozen=True)
class Corpus:
    """The files, or the rows, behind a source.

    Attributes:
        path: The source, absolute, or "(in memory)".
        splits: Files by split: train, validation, test, then the others by name.
        notes: What a reader of the report should know about the choice of files.
        label: The source as the caller named it.
        root: The directory that a copy's files are placed against; "" for a single file.
        metadata: JSON files beside the data that a copy needs too.
        rows: The rows by split of a source that is no file.
    """

    path: str
    splits: dict[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    label: str = ""
    root: str = ""
    metadata: tuple[str, ...] = ()
    rows: Mapping[str, Any] = field(default_factory=dict)
    _cut: list[ByteRange] = field(default_factory=list, repr=False, compare=False)

    @property
    def files(self) -> list[str]:
        """All files, in the order of the splits."""
        return [path for paths in self.splits.values() for path in paths]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(size_of(path) for path in self.files)

    def ranges(self) -> list[ByteRange]:
        """Cut the files into ranges; the cut depends on nothing but the files.

        Rows of a source in memory are all held from then on, so that they can be read again.
        """
        if not self._cut:
            self._cut.extend(self.stream())
        return list(self._cut)

    def stream(self) -> Iterator[ByteRange]:
        """Yield the ranges as they come, each once; for sources that yield their rows once."""
        for split, paths in self.splits.items():
            for path in paths:
                yield from cut_file(split, path)
        for split, rows in self.rows.items():
            for chunk in chunks(rows):
                yield ByteRange(split, IN_MEMORY, 0, len(chunk), rows=chunk)


def find_corpus(source: Source) -> Corpus:
    """Find what is behind `source`.

    Raises:
        DataError: Nothing there, or nothing in it that can be read.
    """
    if not isinstance(source, str | os.PathLike):
        return _in_memory(source)
    label = os.fspath(source)
    if is_address(label):
        return _addressed(label)
    path = Path(label).expanduser()
    if not label or not _is_there(path, label):
        if _WILD.search(label):
            return _globbed(label, str(path))
        if is_hub_name(label) and file_kind(label) is None:
            return _corpus_of_rows(hub_splits(label), f"hf://datasets/{label}", label)
        what = "a link that leads nowhere" if path.is_symlink() else "no such file or directory"
        raise DataError(f"{printable(label) or 'An empty name'}: {what}. {_NEXT_STEP}")
    if path.is_dir():
        return _saved(path, label) or _directory(path, label)
    if not path.is_file():
        raise DataError(f"{printable(label)}: not a regular file. {_NEXT_STEP}")
    _check_type(label)
    if path.stat().st_size == 0:
        raise DataError(f"{printable(label)}: the file is empty. {_NEXT_STEP}")
    # Links are not followed: the name that a link has tells the type, where its target's may not.
    name = os.path.abspath(path)
    return Corpus(name, {"train": (name,)}, label=label)


def _is_there(path: Path, label: str) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a name that is too long
        raise DataError(f"{printable(label)}: {error.strerror}. {_NEXT_STEP}") from error


def _check_type(label: str) -> None:
    if file_kind(label) is None:
        suffix = printable(Path(label).suffix)
        raise DataError(f"{printable(label)}: files of type {suffix!r} are not read. {_NEXT_STEP}")


def _in_memory(source: Any) -> Corpus:
    if isinstance(source, Mapping):
        wrong = [
            printable(str(name))
            for name, rows in source.items()
            if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable)
        ]
        if wrong or not source:
            raise DataError(
                "A mapping must give the rows of each split, as in {'train': rows}; no rows are in "
                f"{', '.join(wrong[:10]) or 'an empty mapping'}. Put a single row into a list."
            )
        return _corpus_of_rows(source, IN_MEMORY, IN_MEMORY)
    if isinstance(source, bytes | bytearray) or not isinstance(source, Iterable):
        raise DataError(
            f"A {type(source).__name__} is no source of rows. Pass a path, a DataFrame, a data "
            "set, an iterable of dicts, or a mapping from split to one of these."
        )
    return _corpus_of_rows({"train": source}, IN_MEMORY, IN_MEMORY)


def _corpus_of_rows(rows: Mapping[Any, Any], path: str, label: str) -> Corpus:
    splits: dict[str, Any] = {}
    for name, content in rows.items():
        split = SPLIT_NAMES.get(str(name).lower()) or printable(str(name))
        if split in splits:
            raise DataError(f"Two of the splits are {split!r}; give each rows of its own.")
        splits[split] = content
    names = _in_order(splits)
    return Corpus(
        path, dict.fromkeys(names, ()), label=label, rows={name: splits[name] for name in names}
    )


def _directory(path: Path, label: str) -> Corpus:
    files = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    data = [f for f in files if _is_data(f)]
    if not data:
        raise DataError(f"{printable(label)}: the directory has no data to audit. {_NEXT_STEP}")
    left_out = [f.name for f in files if f not in data]
    names = [os.path.abspath(file) for file in data]
    return _by_name(names, left_out, os.path.abspath(path), label)


def _is_data(file: Path) -> bool:
    readable = file_kind(file) is not None and not _is_metadata(file.name)
    return readable and file.is_file() and file.stat().st_size > 0


def _is_metadata(name: str) -> bool:
    return name in _METADATA or name.endswith(".dedup_record.jsonl")


def _globbed(label: str, pattern: str) -> Corpus:
    names = sorted(os.path.abspath(name) for name in glob.glob(pattern, recursive=True))
    found = [Path(name) for name in {os.path.realpath(name): name for name in names}.values()]
    data = [file for file in found if _is_data(file)]
    if not data:
        raise DataError(f"{printable(label)}: no data file has such a name. {_NEXT_STEP}")
    left_out = [file.name for file in found if file not in data]
    return _by_name([str(file) for file in data], left_out, os.path.abspath(pattern), label)


def _addressed(label: str) -> Corpus:
    try:
        found = list_files(label)
    except FileNotFoundError as error:
        raise DataError(f"{printable(label)}: nothing there. {_NEXT_STEP}") from error
    if [name for name, _ in found] == [label]:
        _check_type(label)
        return Corpus(label, {"train": (label,)}, label=label)
    data = [name for name, size in found if size and file_kind(name) is not None]
    data = [name for name in data if not _is_metadata(Path(name).name)]
    if not data:
        raise DataError(f"{printable(label)}: no data to audit there. {_NEXT_STEP}")
    left_out = [Path(name).name for name, _ in found if name not in data]
    return _by_name(data, left_out, label, label)


def _by_name(data: list[str], left_out: list[str], path: str, label: str) -> Corpus:
    notes = []
    splits: dict[str, list[str]] = {}
    root = data[0].rpartition("/")[0] if is_address(data[0]) else _common_root(data)
    for file in data:
        split, is_usual = _split_of(file, root)
        if not is_usual:
            name = printable(Path(file).name)
            notes.append(f"{name} names no split that is usual: it is the split {split!r}.")
        splits.setdefault(split, []).append(file)
    if left_out:
        names = [printable(name) for name in left_out[:20]]
        shown = ", ".join(names) + (", ..." if len(left_out) > 20 else "")
        notes.append(
            f"Left out, being empty, a directory or of a type that is not read "
            f"({len(left_out)} entries): {shown}"
        )
    return Corpus(path, {n: tuple(splits[n]) for n in _in_order(splits)}, tuple(notes), label, root)


def _common_root(files: list[str]) -> str:
    return os.path.commonpath([os.path.dirname(file) for file in files])


def _split_of(file: str, root: str) -> tuple[str, bool]:
    """Return the split by the file's name, or else by a folder's below `root`, and if it is usual.

    The nearest folder that names a split counts.
    """
    kind = file_kind(file)
    stem = kind.stem if kind else Path(file).stem
    folders = Path(file.removeprefix(root)).parent.parts
    for name in (stem, *reversed(folders)):
        if (known := split_in_name(name)) is not None:
            return known, True
    return printable(stem), False


def _in_order(splits: Iterable[str]) -> list[str]:
    order = {name: place for place, name in enumerate(dict.fromkeys(SPLIT_NAMES.values()))}
    return sorted(splits, key=lambda name: (order.get(name, len(order)), name))


def _saved(path: Path, label: str) -> Corpus | None:
    """Return what `datasets` has saved in a directory, or None where it has saved nothing."""
    if (path / "dataset_dict.json").is_file():
        names = [str(name) for name in _json_of(path / "dataset_dict.json").get("splits", [])]
        folders = {name: path / Path(name).name for name in names}
        metadata = [path / "dataset_dict.json"]
    elif (path / "state.json").is_file() and (path / "dataset_info.json").is_file():
        folders, metadata = {"train": path}, []
    else:
        return None
    splits: dict[str, tuple[str, ...]] = {}
    for name, folder in folders.items():
        metadata += [folder / "state.json", folder / "dataset_info.json"]
        split = SPLIT_NAMES.get(name.lower()) or printable(name)
        splits[split] = (*splits.get(split, ()), *_shards(folder))
    return Corpus(
        os.path.abspath(path),
        {name: splits[name] for name in _in_order(splits)},
        label=label,
        root=os.path.abspath(path),
        metadata=tuple(os.path.abspath(file) for file in metadata if file.is_file()),
    )


def _shards(folder: Path) -> Iterator[str]:
    for entry in _json_of(folder / "state.json").get("_data_files", []):
        file = folder / Path(str(entry.get("filename"))).name
        if not file.is_file():
            raise DataError(
                f"{printable(str(file))}: no such file, though state.json names it. "
                "Save the data set anew."
            )
        yield os.path.abspath(file)


def _json_of(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{printable(str(path))}: no JSON that can be read.") from error
    if not isinstance(document, dict):
        raise DataError(f"{printable(str(path))}: not a JSON object.")
    return document
