"""Every table of every card as a frame: the columns' names and types, written out."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_examples import results_saying, write_run

from forgelm_widgets import frames_of
from forgelm_widgets._display import CARDS

_COLUMNS = {
    "ApprovalResult": {
        "The model": "what string, value string",
    },
    "AuditDiff": {
        "What changed": "section string, figure string, before Int64, after Int64, change Int64",
        "What stayed the same": "section string, figure string, value Int64",
    },
    "AuditReport": {
        "Splits": "split string, rows Int64, characters_median Int64, 95th_percentile Int64, "
        "empty Int64, unreadable Int64",
        "Personal data": "kind string, tier string, found Int64",
        "Secrets": "kind string, found Int64",
        "Near duplicates": "split string, pairs Int64",
        "Rows shared between splits": "split string, also_in string, rows Int64, "
        "share_percent Float64",
    },
    "BenchmarkResult": {
        "Scores": "task string, metric string, score Float64, "
        "standard_error Float64, questions Int64",
    },
    "Checkpoint": {
        "It says": "what string, value string",
    },
    "CheckpointSummary": {
        "Checkpoints": "folder string, what_became_of_it string, archive_or_why string",
    },
    "ConfigField": {
        "Keys": "key string, allowed string, default string",
    },
    "DedupSummary": {
        "Taken out": "split string, near_duplicates Int64, leaked Int64",
        "Files written": "file string",
    },
    "DoctorReport": {
        "In the way": "what string, found string",
        "In order": "what string, found string",
    },
    "EvaluationReport": {
        "Gates": "gate string, verdict string, reason string, measured string",
    },
    "EvidenceBundle": {
        "To keep elsewhere": "what string, value string",
        "Left out": "file string, why string",
        "In it": "file string",
    },
    "EvidenceVerdict": {
        "What is wrong": "part string, what_it_is string, verdict string, reason string",
        "In order": "part string, what_it_is string",
        "To keep elsewhere": "what string, value string",
    },
    "ExportResult": {
        "Where it lies": "what string, value string",
    },
    "FindingsFile": {
        "The first of them": "kind string, tier string, split string, row Int64, "
        "column string, excerpt_masked string",
    },
    "JudgeResult": {
        "Marks": "mark Int64, times Int64",
        "Answers without a mark": "row Int64, why string",
    },
    "MaskSummary": {
        "Replaced": "kind string, count Int64",
        "Files written": "file string",
    },
    "MemoryEstimate": {
        "Memory by part": "part string, bytes Int64",
    },
    "MergeResult": {
        "Made of": "place Int64, model string",
        "Where it lies": "what string, path string",
    },
    "PendingApproval": {
        "The model": "what string, value string",
        "Its figures": "metric string, value string",
    },
    "PreflightReport": {
        "What to know": "severity string, key string, what string",
        "Memory by part": "part string, bytes Int64",
        "Packages": "package string, release string",
    },
    "QuickstartResult": {
        "What happened": "stage string, outcome string",
        "Where it lies": "what string, path string",
    },
    "Run": {
        "Where it lies": "what string, value string",
    },
    "RunList": {
        "Runs": "run string, state string, step Int64, of Int64, loss Float64, "
        "evaluation_loss Float64, updated Float64, folder string",
    },
    "RunStatus": {
        "Where it lies": "what string, value string",
    },
    "SafetyResult": {
        "By kind of harm": "kind_of_harm string, asked Int64, scored Int64, unsafe Int64",
        "Unsafe by severity": "severity string, answers Int64, share Float64",
    },
    "SplitSummary": {
        "Splits": "split string, rows Int64, share_percent Int64, file string",
    },
    "SyntheticResult": {
        "Without a row": "why string, prompts Int64",
        "Where it lies": "what string, path string",
        "Prompts without a row": "where string, why string",
    },
    "TrainResult": {
        "Where it lies": "what string, path string",
        "Gates": "gate string, verdict string, reason string",
        "All metrics": "metric string, value Float64",
    },
    "VerifyAnnexIVResult": {
        "Not filled": "field string",
        "Hash of the document": "which string, sha_256 string",
    },
    "VerifyGgufResult": {
        "Checks": "check string, found string",
    },
    "VerifyIntegrityResult": {
        "What differs": "how string, file string",
    },
}
_NO_TABLE = {"ForgeConfig", "ProofResult", "TimestampResult", "VerifyResult"}


def test_the_columns_of_every_table_have_names_and_types(tmp_path: Path) -> None:
    results = results_saying("news", write_run(tmp_path / "run", "news"))
    assert set(_COLUMNS) | _NO_TABLE == set(results) == set(CARDS)
    for name, result in results.items():
        found = {
            title: ", ".join(f"{column} {kind}" for column, kind in frame.dtypes.items())
            for title, frame in frames_of(result).items()
        }
        assert found == _COLUMNS.get(name, {}), name


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("FindingsFile", {"row": "int64", "start": "int64", "end": "int64"}),
        ("RunList", {"loss": "float64", "success": "boolean", "state": "category"}),
    ],
)
def test_a_result_with_a_frame_of_its_own_types_its_columns(
    name: str, columns: dict[str, str], tmp_path: Path
) -> None:
    result = results_saying("news", write_run(tmp_path / "run", "news"))[name]
    kinds = result.to_frame().dtypes
    assert {column: str(kinds[column]) for column in columns} == columns
