"""Run directories that anybody may have written: a row says what is wrong, nothing raises."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_directories import write_run

from forgelm_widgets import RunComparison
from forgelm_widgets._html import card_html

_WORDS = "<img src=x onerror=alert(1)>\u202e|\x00"


def _shown(comparison: RunComparison) -> list[list[str]]:
    """Return the table's texts, once everything that a view can ask for has been made."""
    comparison.wait()
    comparison.choose(*comparison.chosen)
    for run_dir in comparison.chosen:
        comparison.select(run_dir)
        comparison.wait()
    for table in (comparison.to_frame(), comparison.differences(), comparison.scores()):
        table.to_csv()
    comparison.figure().to_json()
    card_html(comparison.card().safe())
    document = {**comparison.detail, "curves": None, "table": comparison.table}
    json.dumps(document, allow_nan=False).encode("utf-8")
    comparison.close()
    return [row["texts"] for row in comparison.table["rows"]]


def test_folders_without_a_run_are_rows_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_bytes(b'{"run_id": "\xff')
    (tmp_path / "file").touch()
    rows = _shown(RunComparison([tmp_path / name for name in ("gone", "empty", "broken", "file")]))
    assert rows == [
        ["gone", "✕ is no folder"],
        ["empty", "✕ has no run.json that can be read"],
        ["broken", "✕ has no run.json that can be read"],
        ["file", "✕ is no folder"],
    ]


def test_a_broken_run_below_a_folder_is_not_passed_over(tmp_path: Path) -> None:
    write_run(tmp_path / "good")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("[]", "utf-8")
    rows = _shown(RunComparison(tmp_path))
    assert [row[:2] for row in rows] == [
        ["good", "finished"],
        ["broken", "✕ has no run.json that can be read"],
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["run.json", "status.json", "exit.json", "STOP"])
def test_a_pipe_in_a_files_place_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    run = write_run(tmp_path / "a")
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    [row] = _shown(RunComparison([run]))
    assert row[1] == f"✕ {name} is no file; remove it"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_folders_beside_a_run_are_told(tmp_path: Path) -> None:
    scores = {"benchmark_scores": {"quiz": 0.5}, "safety_score": 0.5}
    run = write_run(tmp_path / "a", result=scores)
    (run / "metrics.jsonl").unlink()
    os.mkfifo(run / "metrics.jsonl")
    (run / "benchmark").mkdir()
    os.mkfifo(run / "benchmark" / "benchmark_results.json")
    (run / "safety" / "safety_results.json").mkdir(parents=True)
    comparison = RunComparison([run])
    names = ("metrics.jsonl", "benchmark_results.json", "safety_results.json")
    told = "; ".join(f"{name} is no file" for name in names)
    assert comparison.to_frame()["problem"][0] == told
    assert comparison.scores()["value"].tolist() == [0.5, 0.5]
    _shown(comparison)


def test_lines_that_are_no_events_cost_only_themselves(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", steps=10)
    with open(run / "metrics.jsonl", "ab") as stream:
        stream.write(b'{"kind": "evaluate", "step": 11, "metrics": {"eval_loss": "NaN"}}\n')
        stream.write(b'{"kind": "evaluate", "step": -3, "metrics": {"eval_loss": 0.1}}\n')
        stream.write(b'{"kind": "evaluate", "step": 1e400, "metrics": {"eval_loss": 1e400}}\n')
        stream.write(b'{"kind": "evaluate", "step": 12, "metrics": [1]}\n"evaluate"\n\x00\xff\n')
        stream.write(b'{"kind": "evaluate", "metrics": ' + b"[" * 100_000 + b"\n")
        stream.write(b'{"kind": "evaluate", "step": 12, "metrics": {"eval_loss": 1.0}}\n')
        stream.write(b'{"kind": "evaluate", "step": 13, "metrics": {"eval_loss": 0.5}}')
    comparison = RunComparison([run])
    row = comparison.to_frame().iloc[0]
    assert (row["best_eval_loss"], row["best_step"]) == (1.0, 12)
    _shown(comparison)


def test_hostile_names_and_words_are_shown_as_text(tmp_path: Path) -> None:
    named = tmp_path / os.fsdecode(b"caf\xe9 <b>\x1b[31m")
    config = {"model": {"name_or_path": _WORDS}, _WORDS: {_WORDS: [_WORDS]}}
    verdicts = [{"gate": _WORDS, "status": "failed", "reason": _WORDS * 1000}]
    result = {"success": False, "verdicts": verdicts, "benchmark_scores": {_WORDS: 0.5}}
    write_run(named, config=config, result=result, error=_WORDS)
    write_run(tmp_path / "b", number=1)
    comparison = RunComparison([named, tmp_path / "b"])
    html = card_html(comparison.card().safe())
    assert "<img src=x" not in html
    [row, _] = _shown(comparison)
    assert row[0] == "caf\\udce9 <b>\\u001b[31m"
    assert "\u202e" not in str(row)
    assert "\\u202e" in str(row)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_KEYS = (
    ("run_id", "config", "started_at", "pid", "host", "process_started_at"),
    ("state", "result", "error", "time"),
    ("success", "verdicts", "resource_usage", "benchmark_scores", "safety_score", "judge_score"),
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.tuples(*(st.dictionaries(st.sampled_from(keys), _JSON) for keys in _KEYS)))
def test_no_document_raises(tmp_path: Path, documents: tuple[dict[str, Any], ...]) -> None:
    run, ended, result = documents
    folder = tmp_path / "a"
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run), "utf-8")
    (folder / "exit.json").write_text(json.dumps({"result": result, **ended}), "utf-8")
    comparison = RunComparison([folder, folder.parent])
    table = comparison.to_frame()
    assert len(table) == 2
    json.dumps(comparison.table, allow_nan=False).encode("utf-8")
    comparison.card().safe()
    comparison.close()
