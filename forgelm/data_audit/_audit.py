"""`audit_dataset`: one pass over a corpus, one report."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from tqdm import tqdm

from forgelm._core import write_json_atomic
from forgelm.data_audit._croissant import croissant_card
from forgelm.data_audit._engines import map_ranges
from forgelm.data_audit._near_duplicates import MinHashMatcher, SimHashMatcher
from forgelm.data_audit._ner import NerFinder
from forgelm.data_audit._report import build_report
from forgelm.data_audit._scan import Partial, ScanOptions, merge
from forgelm.data_audit._signatures import MinHasher
from forgelm.data_audit._sources import Corpus, find_corpus
from forgelm.data_audit._types import REPORT_FILE, AuditReport

__all__ = ["audit_dataset"]


def audit_dataset(
    source: str | os.PathLike[str],
    *,
    output_dir: str | os.PathLike[str] | None = None,
    near_dup_threshold: int = 3,
    dedup_method: str = "simhash",
    minhash_jaccard: float = 0.85,
    minhash_num_perm: int = 128,
    enable_quality_filter: bool = False,
    enable_pii_ml: bool = False,
    pii_ml_language: str = "en",
    emit_croissant: bool = False,
    workers: int = 1,
) -> AuditReport:
    """Audit a corpus for personal data, credentials, near duplicates and leaks between splits.

    Every string of every row is searched. Lines that cannot be read are counted, located in
    `report.notes` and passed over. The report is the same for any number of workers, but for
    `generated_at`.

    Args:
        source: A .jsonl or .ndjson file (the split "train"), or a directory of such files, whose
            names give the splits.
        output_dir: Where to write `data_audit_report.json`; made when it is not there.
        near_dup_threshold: SimHash: rows at most so many of 64 bits apart are near duplicates, 0
            to 16. High values are slow on large corpora.
        dedup_method: "simhash", or "minhash" (needs the extra `dedup`).
        minhash_jaccard: MinHash: rows that share at least this part of their words.
        minhash_num_perm: MinHash: places of a signature, 16 to 1024.
        enable_quality_filter: Also judge each row by five checks of prose.
        enable_pii_ml: Also find names of people, organisations and places with Presidio and an
            installed spaCy pipeline (needs the extra `pii`).
        pii_ml_language: Language of that pipeline.
        emit_croissant: Also describe the corpus in a Croissant 1.0 card, in `report.croissant`.
        workers: Processes to scan with.

    Raises:
        ValueError: Arguments out of bounds; all of them are listed.
        DataError: The source is missing, empty or of a type that is not read.
        OptionalDependencyError: An extra that was asked for is not installed.
        OSError: A file cannot be read or the report not be written.

    Example:
        >>> import pathlib, tempfile
        >>> source = pathlib.Path(tempfile.mkdtemp(), "rows.jsonl")
        >>> _ = source.write_text('{"text": "Write to alice@example.com"}', encoding="utf-8")
        >>> audit_dataset(str(source)).pii_summary
        {'email': 1}
    """
    problems = _problems(
        near_dup_threshold,
        dedup_method,
        minhash_jaccard,
        minhash_num_perm,
        pii_ml_language,
        workers,
    )
    if problems:
        raise ValueError("audit_dataset: " + "; ".join(problems))
    corpus = find_corpus(source)
    target = _prepared(output_dir) if output_dir is not None else None
    use_minhash = dedup_method == "minhash"
    options = ScanOptions(
        num_perm=minhash_num_perm if use_minhash else None,
        quality=enable_quality_filter,
        ner_language=pii_ml_language if enable_pii_ml else None,
    )
    _check_extras(options)
    scanned = _scan(corpus, options, workers)
    matcher = (
        MinHashMatcher(minhash_jaccard, minhash_num_perm)
        if use_minhash
        else SimHashMatcher(near_dup_threshold)
    )
    report = build_report(
        os.fspath(source), corpus, scanned, matcher, quality=enable_quality_filter
    )
    if emit_croissant:
        report.croissant = croissant_card(corpus, scanned)
    if target is not None:
        write_json_atomic(target / REPORT_FILE, report.to_dict())
    return report


def _problems(
    threshold: Any, method: Any, jaccard: Any, num_perm: Any, language: Any, workers: Any
) -> list[str]:
    checks = {
        f"near_dup_threshold must be an integer from 0 to 16, not {threshold!r}": (
            _is_int(threshold) and 0 <= threshold <= 16
        ),
        f"dedup_method must be 'simhash' or 'minhash', not {method!r}": (
            method in ("simhash", "minhash")
        ),
        f"minhash_jaccard must be above 0 and at most 1, not {jaccard!r}": (
            isinstance(jaccard, int | float) and 0 < jaccard <= 1
        ),
        f"minhash_num_perm must be an integer from 16 to 1024, not {num_perm!r}": (
            _is_int(num_perm) and 16 <= num_perm <= 1024
        ),
        f"pii_ml_language must be a language code such as 'en', not {language!r}": (
            isinstance(language, str) and language.isalpha()
        ),
        f"workers must be an integer of at least 1, not {workers!r}": (
            _is_int(workers) and workers >= 1
        ),
    }
    return [problem for problem, holds in checks.items() if not holds]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _prepared(output_dir: str | os.PathLike[str]) -> Path:
    """Make the directory and try it: better to fail now than after an hour."""
    target = Path(output_dir)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target):
            pass
    except OSError as error:
        message = (
            f"the report cannot be written there ({error.strerror}); choose another output_dir"
        )
        raise OSError(error.errno, message, str(target)) from error
    return target


def _check_extras(options: ScanOptions) -> None:
    if options.num_perm is not None:
        MinHasher(options.num_perm)
    if options.ner_language is not None:
        NerFinder(options.ner_language)


def _scan(corpus: Corpus, options: ScanOptions, workers: int) -> dict[str, Partial]:
    parts: dict[str, list[Partial]] = {split: [] for split in corpus.splits}
    ranges = corpus.ranges()
    size = sum(os.path.getsize(path) for path in corpus.files)
    with tqdm(total=size, unit="B", unit_scale=True, desc="audit", disable=None) as bar:
        for byte_range, partial in zip(ranges, map_ranges(ranges, options, workers), strict=True):
            parts[byte_range.split].append(partial)
            bar.update(min(byte_range.end - byte_range.start, size - bar.n))
    return {split: merge(partials) for split, partials in parts.items()}
