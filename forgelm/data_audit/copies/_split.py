"""Splits of a corpus that share no near duplicates."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forgelm.data_audit._progress import progress_bar
from forgelm.data_audit.copies._pieces import (
    JSON_LINES,
    Layout,
    check_format,
    copy_rows,
    corpus_pieces,
    grown,
    layout_of,
    writer_of,
)
from forgelm.data_audit.copies._rewrite import (
    Staging,
    matcher_for,
    refuse_present,
    sign_corpus,
)
from forgelm.data_audit.near_duplicates import INCOMPLETE, SignatureStore, find_near_duplicates
from forgelm.data_audit.sources import Corpus, Source, find_corpus, printable
from forgelm.errors import DataError

__all__ = ["SplitSummary", "split_dataset"]

_SPLITS = ("train", "validation", "test")
_MIXED = "The files of the source differ in format or columns: JSON Lines were written."
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SplitSummary:
    """What `split_dataset` did.

    Attributes:
        source: What was split.
        out: The directory of the splits.
        files: The file of each split.
        rows: Rows of each split.
        skipped: Lines that could not be read and are in no split.
        notes: What a reader should know.
    """

    source: str
    out: str
    files: dict[str, str]
    rows: dict[str, int]
    skipped: int
    notes: tuple[str, ...]


def split_dataset(
    source: Source,
    out: str | os.PathLike[str],
    *,
    validation: float = 0.1,
    test: float = 0.0,
    seed: int = 42,
    method: str = "simhash",
    near_dup_threshold: int = 3,
    minhash_jaccard: float = 0.85,
    minhash_num_perm: int = 128,
    file_format: Literal["jsonl", "source"] = "jsonl",
    overwrite: bool = False,
) -> SplitSummary:
    """Write a corpus as `train.jsonl`, `validation.jsonl` and `test.jsonl` without leaks.

    Near duplicates stay together: a cluster of them is never in two splits. Rows keep their order.
    The same source, shares and seed give the same files.

    Args:
        source: As for `audit_dataset`; splits that it has are put together first.
        out: The directory to write to.
        validation: Share of the rows for validation; 0 for none.
        test: Share of the rows for testing; 0 for none.
        seed: Which of the many possible choices to make.
        method: "simhash", or "minhash" (needs the extra `dedup`).
        near_dup_threshold: As for `audit_dataset`.
        minhash_jaccard: As for `audit_dataset`.
        minhash_num_perm: As for `audit_dataset`.
        file_format: "jsonl": JSON Lines. "source": the format of the source, such as
            `train.parquet`, where all its files have the same format and columns; where not, a
            note says that JSON Lines were written.
        overwrite: Replace files that are there already.

    Raises:
        ValueError: An argument is out of bounds.
        DataError: The source cannot be read, or a file is there already.
        OptionalDependencyError: An extra that was asked for is not installed.
        OSError: A file cannot be read or written.
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise ValueError(
            f"validation and test must be 0 or more and below 1 together, not {validation}, {test}"
        )
    check_format("split_dataset", file_format)
    matcher = matcher_for(
        "split_dataset", method, near_dup_threshold, minhash_jaccard, minhash_num_perm
    )
    corpus, folder = find_corpus(source), Path(out)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{printable(str(folder))} is a file; name a directory for the splits.")
    shares = {"train": 1.0, "validation": validation, "test": test}
    layout = _common_layout(corpus) if file_format == "source" else JSON_LINES
    notes = [_MIXED] if layout is None else []
    layout = layout or JSON_LINES
    files = {split: folder / f"{split}{layout.suffix}" for split in _SPLITS if shares[split]}
    refuse_present(list(files.values()), overwrite, corpus)
    with closing(matcher.store(list(corpus.splits))) as store, Staging(folder) as staging:
        count = sign_corpus(corpus, matcher, store).size
        found = find_near_duplicates(store, matcher)
        choice = _choose(_clusters(store, found.clusters, count), validation, test, seed)
        skipped = _copy(corpus, files, choice, staging, layout)
    rows = np.bincount(np.frombuffer(choice, np.uint8), minlength=len(_SPLITS)).tolist()
    return SplitSummary(
        source=corpus.label,
        out=os.fspath(out),
        files={split: str(path) for split, path in files.items()},
        rows={split: n for split, n in zip(_SPLITS, rows, strict=True) if split in files},
        skipped=skipped,
        notes=tuple(notes if found.complete else [*notes, INCOMPLETE]),
    )


def _common_layout(corpus: Corpus) -> Layout | None:
    """Return the layout of all files, or None where they have several."""
    if corpus.rows:
        return JSON_LINES
    first, *others = [layout_of(path) for path in corpus.files]
    if others and first.has_dictionaries:  # two files may number their words differently
        return None
    return first if all(each == first for each in others) else None


def _copy(
    corpus: Corpus, files: Mapping[str, Path], choice: bytes, staging: Staging, layout: Layout
) -> int:
    """Write each row to the file of its split; return how many lines could not be read."""
    skipped = 0
    with ExitStack() as stack, progress_bar(len(choice), "split", " rows") as bar:
        streams = {
            _SPLITS.index(split): stack.enter_context(staging.open(path))
            for split, path in files.items()
        }
        writers = {
            number: stack.enter_context(writer_of(layout, stream))
            for number, stream in streams.items()
        }
        chosen = iter(choice)

        def choose() -> int:
            bar.update()
            split = next(chosen, None)
            if split is None:
                raise grown()
            return split

        def skip(*_: object) -> None:
            nonlocal skipped
            skipped += 1

        for _, _, pieces in corpus_pieces(corpus, layout != JSON_LINES):
            copy_rows(pieces, writers, choose, skip)
    return skipped


def _clusters(store: SignatureStore, first_entry: NDArray[np.uint32], count: int) -> Indices:
    """Return the cluster of each row, numbered from 0; a row without words is one of its own."""
    positions = store.positions
    labels = np.arange(count)
    labels[positions] = positions[first_entry]
    numbers: Indices = np.unique(labels, return_inverse=True)[1]
    return numbers


def _choose(cluster: Indices, validation: float, test: float, seed: int) -> bytes:
    """Return the split of each row: clusters in random order fill test, then validation."""
    sizes = np.bincount(cluster) if cluster.size else np.zeros(0, np.int64)
    room = [round(validation * cluster.size), round(test * cluster.size)]
    split_of = np.zeros(sizes.size, np.uint8)
    for number in np.random.default_rng(seed).permutation(sizes.size).tolist():
        size = int(sizes[number])
        for split in (2, 1):
            if size <= room[split - 1]:
                split_of[number] = split
                room[split - 1] -= size
                break
        if not any(room):
            break
    return split_of[cluster].tobytes()
