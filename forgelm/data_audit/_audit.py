"""`audit_dataset`: one pass over a corpus, one report."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from forgelm._core import write_json_atomic
from forgelm.data_audit._progress import progress_bar
from forgelm.data_audit.detectors import NerFinder
from forgelm.data_audit.engines import ENGINES, Engine, FinishedRanges, is_engine, map_ranges
from forgelm.data_audit.near_duplicates import (
    MinHasher,
    MinHashMatcher,
    SignatureStore,
    SimHashMatcher,
)
from forgelm.data_audit.quality import named_checks
from forgelm.data_audit.report import (
    CARD_KEYS,
    REPORT_FILE,
    AuditReport,
    build_report,
    croissant_card,
    findings_file_name,
    open_findings_file,
)
from forgelm.data_audit.scan import Merger, Partial, ScanOptions
from forgelm.data_audit.sources import ByteRange, Corpus, Source, find_corpus

__all__ = ["audit_dataset"]

_log = logging.getLogger("forgelm.data_audit")


def audit_dataset(
    source: Source,
    *,
    output_dir: str | os.PathLike[str] | None = None,
    near_dup_threshold: int = 3,
    dedup_method: str = "simhash",
    minhash_jaccard: float = 0.85,
    minhash_num_perm: int = 128,
    enable_quality_filter: bool = False,
    quality_checks: str | Sequence[str] = "default",
    enable_pii_ml: bool = False,
    pii_ml_language: str = "en",
    emit_croissant: bool = False,
    workers: int = 1,
    engine: Engine = "local",
    resume_dir: str | os.PathLike[str] | None = None,
    croissant_metadata: Mapping[str, Any] | None = None,
) -> AuditReport:
    """Audit a corpus for personal data, credentials, near duplicates and leaks between splits.

    Every string of every row is searched. Lines that cannot be read are counted, located in
    `report.notes` and passed over. The report is the same for any number of workers, but for
    `generated_at`.

    Args:
        source: A file (.jsonl, .json, .csv, .tsv, also packed as .gz or .zst; .parquet, .arrow,
            .feather), a directory or a pattern such as "data/*.parquet" whose files' names give
            the splits, a directory that `datasets` has saved, or the name of a data set of the
            Hub. Or rows: a DataFrame, a `datasets` data set, an iterable of dicts, or a mapping
            from split to one of these; they are scanned in this process, and so are those of the
            Hub.
        output_dir: Where to write `data_audit_report.json`, and the findings with masked
            excerpts as `data_audit_findings.parquet` (`.jsonl` without pyarrow); made when it is
            not there. `read_findings` reads them.
        near_dup_threshold: SimHash: rows at most so many of 64 bits apart are near duplicates, 0
            to 16. High values are slow on large corpora.
        dedup_method: "simhash", or "minhash" (needs the extra `dedup`).
        minhash_jaccard: MinHash: rows that share at least this part of their words.
        minhash_num_perm: MinHash: places of a signature, 16 to 1024.
        enable_quality_filter: Also judge the prose of each row.
        quality_checks: With `enable_quality_filter`, by which checks: names or groups of
            `list_quality_checks()` ("default", "gopher", "c4", "fineweb"), or "all".
        enable_pii_ml: Also find names of people, organisations and places with Presidio and an
            installed spaCy pipeline (needs the extra `pii`).
        pii_ml_language: Language of that pipeline.
        emit_croissant: Also describe the corpus in a Croissant 1.0 card, in `report.croissant`.
        workers: Processes to scan with, with the engine "local".
        engine: Where to scan: "local"; "dask" or "ray", on the cluster that the program is
            connected to; any `concurrent.futures.Executor`; or a callable that maps a function
            over items as the built-in `map` does.
        resume_dir: Where to keep the results of finished parts until the audit is done. After a
            crash, the same call goes on where it stood. They hold excerpts of the corpus.
        croissant_metadata: With `emit_croissant`, what the audit cannot know: any of "name",
            "description", "license", "creator", "publisher", "version", "citation",
            "date_published", "url" and "keywords".

    Raises:
        ValueError: Arguments out of bounds; all of them are listed.
        DataError: The source is missing, empty, damaged or of a type that is not read.
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
    problems += _quality_problems(quality_checks)
    problems += _engine_problems(engine, croissant_metadata)
    problems += _idle_problems(
        enable_quality_filter, quality_checks, emit_croissant, croissant_metadata
    )
    if problems:
        raise ValueError("audit_dataset: " + "; ".join(problems))
    corpus = find_corpus(source)
    if corpus.rows:
        _check_rows_stay_here(engine, resume_dir, workers)
    target = _prepared(output_dir) if output_dir is not None else None
    use_minhash = dedup_method == "minhash"
    options = ScanOptions(
        num_perm=minhash_num_perm if use_minhash else None,
        quality=named_checks(quality_checks) if enable_quality_filter else (),
        ner_language=pii_ml_language if enable_pii_ml else None,
        excerpts=target is not None,
        shapes=emit_croissant,
    )
    _check_extras(options)
    ranges = [] if corpus.rows else corpus.ranges()
    finished = None
    if resume_dir is not None:
        finished = FinishedRanges(Path(resume_dir), options)
    matcher = (
        MinHashMatcher(minhash_jaccard, minhash_num_perm)
        if use_minhash
        else SimHashMatcher(near_dup_threshold)
    )
    with ExitStack() as stack:
        store = stack.enter_context(closing(matcher.store(list(corpus.splits))))
        keep_findings = stack.enter_context(open_findings_file(target)) if target else None
        scanned = _scan(
            corpus,
            ranges,
            lambda rest: map_ranges(rest, options, workers, engine),
            finished,
            store,
            keep_findings,
        )
        report = build_report(
            corpus.label, corpus, scanned, store, matcher, quality=enable_quality_filter
        )
    if emit_croissant:
        report.croissant = croissant_card(corpus, scanned, croissant_metadata or {})
    if target is not None:
        report._place_findings_file(target / findings_file_name())
        report.notes.append(f"Findings with masked excerpts are in {findings_file_name()}.")
        write_json_atomic(target / REPORT_FILE, report.to_dict())
    if finished is not None:
        finished.clear(ranges)
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


def _quality_problems(quality_checks: Any) -> list[str]:
    try:
        named_checks(quality_checks)
    except ValueError as error:
        return [str(error)]
    return []


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


def _engine_problems(engine: Any, card: Any) -> list[str]:
    checks = {
        f"engine must be one of {', '.join(ENGINES)}, an executor or a callable, not {engine!r}": (
            is_engine(engine)
        ),
        f"croissant_metadata must be a mapping with keys of {', '.join(CARD_KEYS)}": (
            card is None or (isinstance(card, Mapping) and set(card) <= set(CARD_KEYS))
        ),
    }
    return [problem for problem, holds in checks.items() if not holds]


def _idle_problems(quality: Any, checks: Any, card: Any, metadata: Any) -> list[str]:
    """Tell what was asked for in vain: an audit without it would look like one with it."""
    idle = {
        "quality_checks needs enable_quality_filter=True": (
            not quality and checks not in ("default", ("default",), ["default"])
        ),
        "croissant_metadata needs emit_croissant=True": bool(metadata) and not card,
    }
    return [problem for problem, is_idle in idle.items() if is_idle]


def _check_rows_stay_here(engine: Any, resume_dir: Any, workers: int) -> None:
    asked = {"engine": engine != "local", "resume_dir": resume_dir is not None}
    given = [name for name, is_given in asked.items() if is_given]
    if given:
        raise ValueError(
            f"audit_dataset: {' and '.join(given)} need files: rows in memory and of the Hub are "
            "scanned once, as they come, in this process. Write them to a file first."
        )
    if workers > 1:
        _log.warning(
            "rows in memory and of the Hub are scanned in this process, not in %d", workers
        )


def _scan(
    corpus: Corpus,
    ranges: Sequence[ByteRange],
    scan: Callable[[Sequence[ByteRange]], Generator[Partial, None, None]],
    finished: FinishedRanges | None,
    store: SignatureStore,
    keep_findings: Callable[[str, Partial], None] | None,
) -> dict[str, Partial]:
    merged = {split: Merger() for split in corpus.splits}
    results = _results(corpus, ranges, scan, finished)
    total = None if corpus.rows else sum(part.size_bytes for part in ranges)
    unit = " rows" if corpus.rows else "B"
    with progress_bar(total, "audit", unit) as bar, closing(results):
        for byte_range, partial in results:
            store.add(byte_range.split, partial.signatures, partial.has_words)
            # Copies: a view would hold on to the whole until the partial is merged.
            partial.signatures = partial.signatures[:0].copy()
            partial.has_words = partial.has_words[:0].copy()
            if keep_findings is not None:
                keep_findings(byte_range.split, partial)
                partial.excerpts = []
            merged[byte_range.split].add(partial)
            bar.update(byte_range.size_bytes)
    return {split: merger.merged() for split, merger in merged.items()}


def _results(
    corpus: Corpus,
    ranges: Sequence[ByteRange],
    scan: Callable[[Sequence[ByteRange]], Generator[Partial, None, None]],
    finished: FinishedRanges | None,
) -> Generator[tuple[ByteRange, Partial], None, None]:
    """Yield ranges and results; rows in memory are scanned as they come, here."""
    if corpus.rows:
        for part in corpus.stream():
            yield from ((part, partial) for partial in scan([part]))
        return
    partials = scan(ranges) if finished is None else finished.scan(ranges, scan)
    with closing(partials):
        yield from zip(ranges, partials, strict=True)
