"""What writers of changed corpora share: reading rows twice, and files that appear together."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit._progress import progress_bar
from forgelm.data_audit.near_duplicates import (
    MinHasher,
    MinHashMatcher,
    SignatureStore,
    SimHashMatcher,
    simhash_batch,
    token_hashes,
)
from forgelm.data_audit.sources import (
    ByteRange,
    Corpus,
    Line,
    Source,
    file_kind,
    is_address,
    printable,
    read_range,
    training_text,
)
from forgelm.errors import DataError

__all__ = [
    "Staging",
    "file_rows",
    "matcher_for",
    "place_below",
    "refuse_present",
    "sign_corpus",
    "target_files",
]

_BATCH_CHARS = 100_000
_METHODS = ("simhash", "minhash")
_SUFFIXES = (".jsonl", ".ndjson")


def matcher_for(
    caller: str, method: str, threshold: int, jaccard: float, num_perm: int
) -> SimHashMatcher | MinHashMatcher:
    """Return the matcher that these arguments name.

    Raises:
        ValueError: One of them is out of bounds.
        OptionalDependencyError: "minhash", and datasketch is not installed.
    """
    problems = [
        problem
        for problem, holds in {
            f"method must be 'simhash' or 'minhash', not {method!r}": method in _METHODS,
            f"near_dup_threshold must be from 0 to 16, not {threshold!r}": 0 <= threshold <= 16,
            f"minhash_jaccard must be above 0 and at most 1, not {jaccard!r}": 0 < jaccard <= 1,
            f"minhash_num_perm must be from 16 to 1024, not {num_perm!r}": 16 <= num_perm <= 1024,
        }.items()
        if not holds
    ]
    if problems:
        raise ValueError(f"{caller}: {'; '.join(problems)}")
    if method == "minhash":
        MinHasher(num_perm)
        return MinHashMatcher(jaccard, num_perm)
    return SimHashMatcher(threshold)


def file_rows(corpus: Corpus) -> Iterator[tuple[str, str, Iterator[Line]]]:
    """Yield split and path of each file, and its lines."""
    ranges = groupby(corpus.ranges(), key=lambda part: (part.split, part.path))
    for (split, path), parts in ranges:
        yield split, path, _lines(parts)


def _lines(parts: Iterator[ByteRange]) -> Iterator[Line]:
    for part in parts:
        yield from read_range(part)


def sign_corpus(
    corpus: Corpus, matcher: SimHashMatcher | MinHashMatcher, store: SignatureStore
) -> NDArray[np.uint32]:
    """Put the signature of every row into `store`; return the lengths of their texts.

    Raises:
        DataError: A file is damaged.
        OSError: A file cannot be read.
    """
    batch: Callable[..., Any] = simhash_batch
    if isinstance(matcher, MinHashMatcher):
        batch = MinHasher(matcher.num_perm).batch
    lengths: list[NDArray[np.uint32]] = [np.zeros(0, np.uint32)]

    def flush(split: str, texts: list[str]) -> None:
        hashes, offsets = token_hashes(texts)
        store.add(split, batch(hashes, offsets), np.diff(offsets) > 0)
        lengths.append(np.array([len(text) for text in texts], np.uint32))
        texts.clear()

    with progress_bar(None, "compare", unit=" rows") as bar:
        for split, _, lines in file_rows(corpus):
            texts: list[str] = []
            waiting = 0
            for line in lines:
                if line.row is None:
                    continue
                texts.append(training_text(line.row))
                waiting += len(texts[-1])
                bar.update()
                if waiting >= _BATCH_CHARS:
                    flush(split, texts)
                    waiting = 0
            flush(split, texts)
    return np.concatenate(lengths)


def target_files(
    source: Source, corpus: Corpus, out: Path, as_source: bool = False
) -> dict[tuple[str, str], Path]:
    """Return where the rows of each file go, by split and path.

    With `as_source` every file keeps its name. Else those of JSON Lines right in the directory do,
    and all others become `<split>.jsonl`.

    Raises:
        DataError: `out` is a directory where a file is needed, or the other way round, or is named
            as another format.
    """
    files = list(dict.fromkeys((part.split, part.path) for part in corpus.ranges()))
    if len(files) == 1 and not corpus.root and not isinstance(source, Mapping):
        if out.is_dir():
            raise DataError(f"{printable(str(out))} is a directory; name the file to write.")
        _check_name(out, files[0][1] if as_source else None)
        return {files[0]: out}
    if out.exists() and not out.is_dir():
        raise DataError(f"{printable(str(out))} is a file; name a directory for the copies.")
    if as_source and not corpus.rows:
        return {(split, path): out / place_below(path, corpus.root) for split, path in files}
    return {(split, path): out / _name(split, path, corpus.root) for split, path in files}


def _check_name(out: Path, like: str | None) -> None:
    if like is None and out.suffix.lower() not in _SUFFIXES:
        raise DataError(
            f"{printable(str(out))}: JSON Lines are written; let the name end in .jsonl, "
            "or pass file_format='source' for the format of the source."
        )
    kind, named = file_kind(like or ""), file_kind(out)
    if kind is not None and (
        named is None or (named.form, named.packed) != (kind.form, kind.packed)
    ):
        raise DataError(
            f"{printable(str(out))} is named as another format than the copy has, which is "
            f"{kind.form}{kind.packed}; name it so."
        )


def refuse_present(targets: Sequence[Path], overwrite: bool, corpus: Corpus) -> None:
    """Raise a DataError if a target is a source, or is there and may not be replaced."""
    sources = [path for path in corpus.files if os.path.exists(path)]
    for target in targets:
        if target.exists() and any(target.samefile(path) for path in sources):
            raise DataError(f"{printable(str(target))} is the source itself; write elsewhere.")
    present = [printable(str(target)) for target in targets if target.exists()]
    if present and not overwrite:
        raise DataError(
            f"Already there: {', '.join(present[:20])}. "
            "Choose another place, or pass overwrite=True."
        )


def place_below(path: str, root: str) -> str:
    """Return a file's place against the directory that the copies are placed against."""
    return path.removeprefix(root).lstrip("/") if is_address(path) else os.path.relpath(path, root)


def _name(split: str, path: str, root: str) -> str:
    place = Path(path)
    if place.suffix.lower() in _SUFFIXES and str(place.parent) == root:
        return place.name
    return f"{split.replace(os.sep, '_')}.jsonl"


class Staging:
    """Files that take their places together, when the block ends without an error.

    Until then they lie in a hidden directory beside `out`, which is removed in the end.
    """

    def __init__(self, out: Path) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp"))
        self._staged: dict[Path, Path] = {}

    def __enter__(self) -> Self:
        return self

    @contextmanager
    def open(self, target: Path) -> Iterator[BinaryIO]:
        """Open the file that becomes `target`."""
        name = self._folder / str(len(self._staged))
        self._staged[target] = name
        with name.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for target, name in self._staged.items():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(name, target)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
