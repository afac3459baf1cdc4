"""Masked copies of a corpus: the same rows in the same form, without what the audit would find."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from forgelm.data_audit._progress import progress_bar
from forgelm.data_audit.copies._mask_files import mask_csv, mask_json, mask_lines, mask_objects
from forgelm.data_audit.copies._mask_tables import mask_table
from forgelm.data_audit.copies._rewrite import place_below
from forgelm.data_audit.detectors import MAX_SHOWN, Masker
from forgelm.data_audit.sources import (
    Corpus,
    Damaged,
    FileKind,
    Source,
    check_packages,
    chunks,
    damage,
    file_kind,
    find_corpus,
    is_address,
    packing,
    printable,
    size_of,
)
from forgelm.errors import DataError

__all__ = ["MaskSummary", "mask_dataset"]


@dataclass(frozen=True)
class MaskSummary:
    """What `mask_dataset` did.

    Attributes:
        source: What was masked.
        out: The masked file or directory.
        files: The files written.
        rows: Rows written.
        rows_masked: Those of them in which anything was replaced.
        counts: Replacements by kind.
        skipped: Lines that could not be read and are in no output.
        skipped_lines: The first twenty of them: file, line and why.
    """

    source: str
    out: str
    files: tuple[str, ...]
    rows: int
    rows_masked: int
    counts: dict[str, int]
    skipped: int
    skipped_lines: tuple[str, ...]


def mask_dataset(
    source: Source,
    out: str | os.PathLike[str],
    *,
    pii: bool = True,
    secrets: bool = True,
    overwrite: bool = False,
) -> MaskSummary:
    """Write a copy of a corpus in which personal data and credentials are masked.

    Every string of every row is masked, keys included; numbers and order stay as they are. A copy
    has the format of its source: columns and types of a table, packing, and in JSON and CSV also
    the spacing. Rows that cannot be read are left out, since what they hold cannot be known, and
    reported. Each file appears whole or not at all.

    Args:
        source: What `audit_dataset` takes. Rows in memory, or of the Hub, are written as JSON
            Lines: a mapping of splits into a directory.
        out: The file to write, or the directory where the source has more than one.
        pii: Mask personal data.
        secrets: Mask credentials.
        overwrite: Replace files that are there already.

    Raises:
        ValueError: Neither `pii` nor `secrets`.
        DataError: The source is missing, empty, damaged or of a type that is not read, or `out` is
            the source, exists, or is named as another format.
        OptionalDependencyError: What reads the format is not installed.
        OSError: A file cannot be read or written.
    """
    if not pii and not secrets:
        raise ValueError("mask_dataset: nothing to mask; set pii=True or secrets=True")
    corpus = find_corpus(source)
    out_path = Path(out)
    masker = Masker(pii, secrets)
    if corpus.rows:
        targets = _mask_rows(corpus, isinstance(source, Mapping | str), out_path, overwrite, masker)
    else:
        targets = _mask_corpus(corpus, out_path, overwrite, masker)
    return MaskSummary(
        source=corpus.label,
        out=os.fspath(out),
        files=tuple(str(target) for target in targets),
        rows=masker.rows,
        rows_masked=masker.rows_masked,
        counts=dict(sorted(masker.counts.items())),
        skipped=masker.skipped,
        skipped_lines=tuple(masker.skipped_lines),
    )


def _mask_rows(
    corpus: Corpus, is_many: bool, out: Path, overwrite: bool, masker: Masker
) -> list[Path]:
    """Write the rows of each split as JSON Lines."""
    names = {split: out / f"{split.replace(os.sep, '_')}.jsonl" for split in corpus.rows}
    targets = names if is_many else dict.fromkeys(corpus.rows, out)
    _check_place(out, is_many)
    _check_type(out, FileKind("jsonl", "", ""), may_pack=True)
    _check_absent(list(targets.values()), [], overwrite)
    with progress_bar(None, "mask", " rows") as bar:
        for split, rows in corpus.rows.items():
            kind = file_kind(targets[split])
            with _whole_file(targets[split], kind.packed if kind else "") as stream:
                for chunk in chunks(rows):
                    mask_objects(chunk, masker, stream)
                    bar.update(len(chunk))
    return list(targets.values())


def _mask_corpus(corpus: Corpus, out: Path, overwrite: bool, masker: Masker) -> list[Path]:
    """Write a masked copy of each file."""
    paths = [*corpus.files, *corpus.metadata]
    is_many = bool(corpus.root)
    _check_place(out, is_many)
    targets = {path: out / place_below(path, corpus.root) if is_many else out for path in paths}
    for path in corpus.files:
        kind = file_kind(path)
        assert kind is not None
        check_packages(kind)
        _check_type(targets[path], kind)
    _check_absent(list(targets.values()), paths, overwrite)
    with progress_bar(corpus.size_bytes, "mask") as bar:
        for path, target in targets.items():
            if path in corpus.metadata:
                with _whole_file(target, "") as stream:
                    text = Path(path).read_text(encoding="utf-8")
                    stream.write(masker.json(text).encode("utf-8"))
            else:
                _mask_file(path, target, masker, bar)
    return [targets[path] for path in corpus.files]


def _check_place(out: Path, is_many: bool) -> None:
    if not is_many and out.is_dir():
        raise DataError(f"{printable(str(out))} is a directory; name the file to write.")
    if is_many and out.exists() and not out.is_dir():
        raise DataError(f"{printable(str(out))} is a file; name a directory for the masked files.")


def _check_type(target: Path, kind: FileKind, may_pack: bool = False) -> None:
    named = file_kind(target)
    if named is None or (named.form == kind.form and (may_pack or named.packed == kind.packed)):
        return
    form = "jsonl" if kind.form == "jsonl" else kind.form
    raise DataError(
        f"{printable(str(target))} is named as another format than the copy has, which is "
        f"{form}{kind.packed}; name it so."
    )


def _check_absent(targets: list[Path], sources: list[str], overwrite: bool) -> None:
    local = [path for path in sources if not is_address(path)]
    for target in targets:
        if target.exists() and any(target.samefile(path) for path in local):
            raise DataError(
                f"{printable(str(target))} is the source itself; write the masked copy elsewhere."
            )
    present = [printable(str(target)) for target in targets if target.exists()]
    if present and not overwrite:
        raise DataError(
            f"Already there: {', '.join(present[:MAX_SHOWN])}. "
            "Choose another place, or pass overwrite=True."
        )


def _mask_file(path: str, target: Path, masker: Masker, bar: tqdm[Any]) -> None:
    kind = file_kind(path)
    assert kind is not None
    before, rows = bar.n, masker.rows
    try:
        with _whole_file(target, kind.packed) as stream:
            if kind.is_table:
                mask_table(path, kind.form, masker, stream)
            elif kind.form == "jsonl":
                for text, size in mask_lines(path, masker):
                    stream.write(text)
                    bar.update(0 if kind.packed else size)
            else:
                (mask_json if kind.form == "json" else mask_csv)(path, masker, stream)
    except Damaged as error:
        raise damage(path, f"{error} after row {masker.rows - rows:,}") from error
    bar.update(max(0, before + size_of(path) - bar.n))


@contextmanager
def _whole_file(target: Path, packed: str) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of `target` when all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            content = packing(stream, packed)
            yield content
            if content is not stream:
                content.close()
            stream.flush()
            if hasattr(os, "fchmod"):
                os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
