"""Masked copies of a corpus: the same JSON, with personal data and credentials replaced."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from forgelm.data_audit._jsonl import read_lines
from forgelm.data_audit._pii import mask_pii
from forgelm.data_audit._rows import printable
from forgelm.data_audit._secrets import mask_secrets
from forgelm.data_audit._sources import find_corpus
from forgelm.errors import DataError

__all__ = ["MaskSummary", "mask_dataset"]

_MAX_SHOWN = 20
# A string of a line that has been parsed already, so that quotes are known to pair up.
_JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')


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
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    pii: bool = True,
    secrets: bool = True,
    overwrite: bool = False,
) -> MaskSummary:
    """Write a copy of a corpus in which personal data and credentials are masked.

    Every string of every row is masked, keys included; numbers, spacing and order stay as they are.
    Lines that cannot be read are left out, since what they hold cannot be known, and reported. Each
    file appears whole or not at all.

    Args:
        source: A .jsonl or .ndjson file, or a directory of such files.
        out: The file, or the directory, to write.
        pii: Mask personal data.
        secrets: Mask credentials.
        overwrite: Replace files that are there already.

    Raises:
        ValueError: Neither `pii` nor `secrets`.
        DataError: The source is missing, empty or of a type that is not read, or `out` is the
            source or exists.
        OSError: A file cannot be read or written.
    """
    if not pii and not secrets:
        raise ValueError("mask_dataset: nothing to mask; set pii=True or secrets=True")
    files = _targets(source, Path(out), overwrite)
    masker = _Masker(pii, secrets)
    size = sum(path.stat().st_size for path in files)
    with tqdm(total=size, unit="B", unit_scale=True, desc="mask", disable=None) as bar:
        for path, target in files.items():
            masker.copy(path, target, bar)
    return MaskSummary(
        source=os.fspath(source),
        out=os.fspath(out),
        files=tuple(str(target) for target in files.values()),
        rows=masker.rows,
        rows_masked=masker.rows_masked,
        counts=dict(sorted(masker.counts.items())),
        skipped=masker.skipped,
        skipped_lines=tuple(masker.skipped_lines),
    )


def _targets(source: str | os.PathLike[str], out: Path, overwrite: bool) -> dict[Path, Path]:
    paths = [Path(path) for path in find_corpus(source).files]
    is_directory = Path(source).is_dir()
    if not is_directory and out.is_dir():
        raise DataError(f"{printable(str(out))} is a directory; name the file to write.")
    if is_directory and out.exists() and not out.is_dir():
        raise DataError(f"{printable(str(out))} is a file; name a directory for the masked files.")
    files = {path: out / path.name if is_directory else out for path in paths}
    for target in files.values():
        if target.exists() and any(target.samefile(path) for path in paths):
            raise DataError(
                f"{printable(str(target))} is the source itself; write the masked copy elsewhere."
            )
    present = [printable(str(target)) for target in files.values() if target.exists()]
    if present and not overwrite:
        raise DataError(
            f"Already there: {', '.join(present[:_MAX_SHOWN])}. "
            "Choose another place, or pass overwrite=True."
        )
    return files


class _Masker:
    def __init__(self, pii: bool, secrets: bool) -> None:
        self._pii = pii
        self._secrets = secrets
        self.counts: Counter[str] = Counter()
        self.rows = self.rows_masked = self.skipped = 0
        self.skipped_lines: list[str] = []

    def copy(self, path: Path, target: Path, bar: tqdm[Any]) -> None:
        with _whole_file(target) as stream:
            for number, line in enumerate(read_lines(str(path)), 1):
                bar.update(line.size_bytes)
                if line.problem is not None:
                    self._skip(f"{printable(path.name)}:{number}: {line.problem.reason}")
                elif line.text:
                    masked = _JSON_STRING.sub(self._mask_token, line.text)
                    self.rows += 1
                    self.rows_masked += masked != line.text
                    stream.write(masked.encode("utf-8") + b"\n")

    def _skip(self, where: str) -> None:
        self.skipped += 1
        if len(self.skipped_lines) < _MAX_SHOWN:
            self.skipped_lines.append(where)

    def _mask_token(self, match: re.Match[str]) -> str:
        token = match[0]
        text = json.loads(token) if "\\" in token else token[1:-1]
        masked = self._mask(text)
        return token if masked == text else json.dumps(masked)

    def _mask(self, text: str) -> str:
        # Masking personal data can part what looked like one token, so look for secrets again.
        before = ""
        while text != before:
            before = text
            if self._secrets:
                text, counts = mask_secrets(text, return_counts=True)
                self.counts.update(counts)
            if self._pii:
                text, counts = mask_pii(text, return_counts=True)
                self.counts.update(counts)
        return text


@contextmanager
def _whole_file(target: Path) -> Iterator[BinaryIO]:
    """Open a temporary file that takes the place of `target` when all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            if hasattr(os, "fchmod"):
                os.fchmod(stream.fileno(), 0o644)
            os.fsync(stream.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
