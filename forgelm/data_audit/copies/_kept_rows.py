"""What stays of a corpus, written in the form that was asked for."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from tqdm import tqdm

from forgelm.data_audit._progress import progress_bar
from forgelm.data_audit.copies._pieces import (
    JSON_LINES,
    Layout,
    copy_rows,
    corpus_pieces,
    grown,
    layout_of,
    writer_of,
)
from forgelm.data_audit.copies._rewrite import Staging
from forgelm.data_audit.sources import Corpus, Problem, file_kind, printable

__all__ = ["KeptRows", "without_counts"]

_MAX_SHOWN = 20


class KeptRows:
    """Copies rows, but for those that go.

    Args:
        gone: For each split a byte a row, 1 where the row goes.
    """

    def __init__(self, gone: dict[str, bytes]) -> None:
        self._gone = gone
        self._seen: Counter[str] = Counter()
        self.rows = self.kept = self.skipped = 0
        self.skipped_lines: list[str] = []

    def write(
        self,
        corpus: Corpus,
        targets: dict[tuple[str, str], Path],
        staging: Staging,
        as_source: bool,
    ) -> None:
        """Write each file's rows to its target.

        Raises:
            DataError: A file is damaged, or has grown since its rows were compared.
            OSError: A file cannot be read or written.
        """
        total = sum(len(gone) for gone in self._gone.values())
        pieces = corpus_pieces(corpus, as_source)
        with progress_bar(total, "copy", " rows") as bar:
            for target, files in groupby(pieces, key=lambda file: targets[file[:2]]):
                with staging.open(target) as stream, ExitStack() as stack:
                    writer = None
                    for split, path, content in files:
                        if writer is None:
                            layout = layout_of(path) if as_source else _json_lines(target)
                            writer = stack.enter_context(writer_of(layout, stream))
                        skip = partial(self._skip, path)
                        copy_rows(content, {True: writer}, partial(self._stays, split, bar), skip)

    def _stays(self, split: str, bar: tqdm[Any]) -> bool | None:
        self.rows += 1
        bar.update()
        if self._seen[split] >= len(self._gone[split]):
            raise grown()
        gone = self._gone[split][self._seen[split]]
        self._seen[split] += 1
        self.kept += not gone
        return None if gone else True

    def _skip(self, path: str, number: int, problem: Problem) -> None:
        self.skipped += 1
        if len(self.skipped_lines) < _MAX_SHOWN:
            where = f"{printable(Path(path).name)}:{number}"
            self.skipped_lines.append(f"{where}: {problem.reason}")


def _json_lines(target: Path) -> Layout:
    kind = file_kind(target)
    return JSON_LINES._replace(suffix=".jsonl" + (kind.packed if kind else ""))


def without_counts(path: str) -> bytes:
    """Return a file that `datasets` keeps beside its data, without sizes that no longer hold."""
    raw = Path(path).read_bytes()
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(document, dict):
        return raw
    if Path(path).name == "dataset_info.json":
        for key in ("splits", "dataset_size", "size_in_bytes", "download_size"):
            document.pop(key, None)
    if "_fingerprint" in document:
        document["_fingerprint"] = None
    return json.dumps(document, indent=2).encode("ascii")
