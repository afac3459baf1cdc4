"""`RunComparison` over run directories: table, differences, scores, curves, card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from run_directories import write_metrics, write_run, write_scores

from forgelm import Run, TrainResult
from forgelm.errors import ForgeError
from forgelm_widgets import RunComparison
from forgelm_widgets._html import card_html, card_text


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Give a folder with two judged runs, one that was rejected and one without a model yet."""
    folder = tmp_path / "runs"
    told = write_scores(folder / "a", right=150, unsafe=2)
    write_run(folder / "a", number=0, result=told)
    told = write_scores(folder / "b", right=160, unsafe=0)
    write_run(folder / "b", number=1, result=told, config={"lora": {"r": 16}})
    failed = {"gate": "safety", "status": "failed", "reason": "the safety score is too low"}
    rejected = {"success": False, "reverted": True, "verdicts": [failed]}
    write_run(folder / "c", number=2, result=rejected, error="the safety score is too low")
    write_run(folder / "d", number=3, ended=False)
    return folder


def _texts(comparison: RunComparison) -> list[dict[str, str]]:
    titles = [title for title, _ in comparison.table["columns"]]
    return [dict(zip(titles, row["texts"], strict=True)) for row in comparison.table["rows"]]


def test_a_folder_gives_a_row_a_run_the_newest_first(runs: Path) -> None:
    comparison = RunComparison(runs)
    rows = {row["Run"]: row for row in _texts(comparison)}
    assert list(rows) == ["d", "c", "b", "a"]
    assert rows["a"] == {
        "Run": "a",
        "State": "finished",
        "Verdict": "✓ passed",
        "Best eval loss": "1.423 at step 40",
        "Last loss": "1.223",
        "Time": "1 min 0 s",
        "Cost (US$)": "1.25",
        "Energy (kWh)": "0.25",
        "Model": "acme/tiny",
        "Data": "support.jsonl",
        "Method": "sft",
        "Started": "2026-11-18 11:06 UTC",
        "Note": "–",
    }
    assert rows["c"]["Verdict"] == "✕ rejected by safety"
    assert rows["c"]["Note"] == "the safety score is too low"
    assert rows["d"]["Verdict"] == rows["d"]["Cost (US$)"] == "–"
    comparison.close()


def test_runs_are_given_in_any_form_and_keep_their_order(runs: Path) -> None:
    status = Run(runs / "b").status()
    result = TrainResult(success=True, run_dir=str(runs / "c"))
    comparison = RunComparison([runs / "d", Run(runs / "a"), status, result, str(runs / "d")])
    assert [row["Run"] for row in _texts(comparison)] == ["d", "a", "b", "c"]
    assert [one.run_id for one in comparison.runs] == [
        f"fg-{number:012x}" for number in (3, 0, 1, 2)
    ]
    comparison.close()
    with pytest.raises(TypeError, match="int is no run: give a run directory, Run or RunStatus"):
        RunComparison([3])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="names no output_dir"):
        RunComparison(TrainResult(success=True))
    with pytest.raises(NotADirectoryError, match="is no folder"):
        RunComparison(runs / "nowhere")


def test_the_frame_has_a_row_a_run_with_fit_types(runs: Path) -> None:
    frame = RunComparison(runs).to_frame().set_index("run_id")
    row = frame.loc["fg-000000000001"]
    assert (row["verdict"], row["best_step"], row["cost_usd"]) == ("passed", 40, 2.25)
    assert (row["energy_kwh"], row["wall_s"], row["usage_is_partial"]) == (0.25, 61.0, False)
    assert frame["cost_usd"].isna().tolist() == [True, False, False, False]
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds["state"] == kinds["verdict"] == "category"
    assert (kinds["step"], kinds["best_step"], kinds["best_eval_loss"]) == (
        "Int64",
        "Int64",
        "float64",
    )
    assert kinds["started_at"].startswith("datetime64[")


def test_only_settings_that_differ_are_shown_and_defaults_count(runs: Path) -> None:
    comparison = RunComparison(runs)
    comparison.choose(runs / "a", runs / "b")
    table = comparison.differences()
    assert table.to_dict("index") == {
        "lora.r": {"a": "8", "b": "16"},
        "training.learning_rate": {"a": "0.0001", "b": "0.0002"},
    }
    write_run(runs / "a", config={"lora": {"r": 16}, "training": {"output_dir": "x"}})
    write_run(runs / "b", config={"lora": {"r": 16}, "training": {"output_dir": "y"}})
    write_run(runs / "c", config={"training": {"output_dir": "z", "learning_rate": 2e-5}})
    comparison.refresh()
    assert len(comparison.differences()) == 0, "output_dir says nothing of the training"
    comparison.choose(runs / "b", runs / "c")  # 2e-5 is what holds where it is left out
    assert list(comparison.differences().index) == ["lora.r"]
    comparison.close()


def test_a_secret_in_a_run_json_is_shown_nowhere(runs: Path) -> None:
    secret = "hf_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD3f"
    for name, value in (("a", secret), ("b", "none")):
        config = {"auth": {"hf_token": value}, "model": {"name_or_path": f"acme/{value}"}}
        write_run(runs / name, number=0, config={**config, "nonsense": {"key": value}})
    comparison = RunComparison(runs)
    comparison.choose(runs / "a", runs / "b")
    comparison.wait()
    shown = [comparison.table, comparison.detail, comparison.differences().to_csv()]
    shown += [card_html(comparison.card().safe()), comparison.figure().to_json()]
    assert secret not in str(shown)
    assert "auth.hf_token" not in comparison.differences().index
    comparison.close()


def test_scores_come_with_their_uncertainty(runs: Path) -> None:
    comparison = RunComparison(runs)
    comparison.choose(runs / "a", runs / "c", runs / "d")
    table = comparison.scores().set_index("score")
    assert table["run"].tolist() == ["a", "a", "a"]
    # Wilson: 150 of 200 right, 198 of 200 safe; marks 6 to 9 five times each, s = 1.1471
    expected = {
        "benchmark/quiz": (0.75, 0.6857, 0.8049, 200),
        "safety/safe_ratio": (0.99, 0.9643, 0.9973, 200),
        "judge/average_score": (7.5, 6.9973, 8.0027, 20),
    }
    for name, figures in expected.items():
        row = table.loc[name]
        assert row[["value", "low", "high", "count"]].tolist() == pytest.approx(figures, abs=1e-4)
    [panel, *_] = comparison.detail["scores"]
    assert panel["bars"][0][-1] == "0.75 (0.686 to 0.805), 200 answers"
    comparison.close()


def test_result_files_of_an_earlier_run_are_not_taken_for_this_ones(runs: Path) -> None:
    told = write_scores(runs / "a", right=150, unsafe=2)
    write_scores(runs / "a", right=199, unsafe=0)
    write_run(runs / "a", result=told)
    write_scores(runs / "d", right=199, unsafe=0)
    comparison = RunComparison([runs / "a", runs / "d"])
    table = comparison.scores().set_index("score")
    assert table["run"].unique().tolist() == ["a"]
    assert table.loc["benchmark/quiz", "value"] == 0.75
    assert table.loc[["benchmark/quiz", "safety/safety_score"], "low"].isna().all()
    [first, _] = comparison.to_frame()["problem"]
    assert "benchmark_results.json is not of this run: it tells other scores" in first
    comparison.close()


def test_the_cost_of_a_resumed_run_is_that_of_all_its_parts(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a")
    part = run / "earlier" / "fg-000000000000-part"
    other = run / "earlier" / "fg-00000000ffff-part"
    for folder, name in ((part, "fg-000000000000"), (other, "fg-00000000ffff")):
        folder.mkdir(parents=True)
        usage = {"estimated_cost_usd": 0.5, "training_duration_seconds": 30.0}
        ended = {"run_id": name, "result": {"resource_usage": usage}}
        (folder / "exit.json").write_text(json.dumps(ended), "utf-8")
    begun = {"kind": "train_begin", "step": 20, "metrics": {}}
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps(begun) + "\n")
    comparison = RunComparison(run)
    row = comparison.to_frame().iloc[0]
    assert (row["cost_usd"], row["wall_s"], row["usage_is_partial"]) == (1.75, 90.0, False)
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as stream:
        stream.write(json.dumps(begun) + "\n")
    comparison.refresh()
    comparison.wait()
    assert comparison.to_frame().iloc[0]["usage_is_partial"]
    assert _texts(comparison)[0]["Cost (US$)"] == "≥ 1.75"
    comparison.close()


def test_what_a_resume_took_back_is_no_best_loss(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", steps=20)
    later: list[dict[str, Any]] = [
        {"kind": "train_begin", "step": 10, "metrics": {}},
        {"kind": "evaluate", "step": 20, "metrics": {"eval_loss": 2.5}},
    ]
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(event) + "\n" for event in later)
    row = RunComparison(run).to_frame().iloc[0]
    # the evaluation at step 20 was the lowest before the run went on from step 10
    assert (row["best_eval_loss"], row["best_step"]) == (pytest.approx(1.6791, abs=1e-4), 10)


def test_the_model_that_waited_for_a_person_is_not_said_to_wait_for_ever(tmp_path: Path) -> None:
    staged = tmp_path / "a" / "final_model.staging.fg-000000000000"
    waiting = {"awaiting_approval": True, "staging_path": f"elsewhere/{staged.name}"}
    run = write_run(tmp_path / "a", result=waiting)
    staged.mkdir()
    comparison = RunComparison(run)
    assert _texts(comparison)[0]["Verdict"] == "! awaits approval"
    staged.rmdir()
    comparison.refresh()
    comparison.wait()
    assert _texts(comparison)[0]["Verdict"] == "! decided since"
    comparison.close()


def test_a_run_is_picked_and_runs_are_chosen(runs: Path) -> None:
    comparison = RunComparison(runs)
    assert comparison.selected is None
    assert comparison.chosen == [runs / name for name in "dcba"]
    comparison.select(runs / "b")
    assert comparison.selected == runs / "b"
    comparison.wait()
    assert comparison.detail["picked"]["gates"] == [["loss", "passed", ""]]
    with pytest.raises(LookupError, match="is not in the table"):
        comparison.select(runs / "z")
    for number in range(4, 14):
        write_run(runs / f"more-{number}", number=number, steps=10)
    comparison.refresh()
    with pytest.raises(ForgeError, match="12 runs at most"):
        comparison.choose(*comparison.to_frame()["run_dir"][:13])
    assert comparison.chosen == [runs / name for name in "dcba"]
    comparison.close()


def test_the_figure_has_the_curves_and_the_scores_with_error_bars(runs: Path) -> None:
    comparison = RunComparison(runs)
    comparison.choose(runs / "a", runs / "b")
    figure = comparison.figure()
    lines = [(one.name, len(one.x)) for one in figure.data if one.type == "scatter"]
    assert lines == [("a", 10), ("b", 10), ("a", 40), ("b", 40)]
    bars = [one for one in figure.data if one.type == "bar"]
    assert list(bars[0].x) == ["benchmark/quiz", "safety/safe_ratio"]
    assert bars[0].error_y.arrayminus[0] == pytest.approx(0.0643, abs=1e-4)
    comparison.choose(runs / "d")
    write_metrics(runs / "d", number=9, steps=20)
    assert len(comparison.figure().data[1].x) == 20
    comparison.close()


def test_unlike_runs_are_said_not_to_be_comparable_by_their_loss(runs: Path) -> None:
    write_run(runs / "c", number=2, config={"data": {"dataset_name_or_path": "other.jsonl"}})
    comparison = RunComparison(runs)
    assert comparison.detail["note"] == (
        "These runs differ in data: a lower loss need not be a better model."
    )
    comparison.choose(runs / "a", runs / "b")
    comparison.wait()
    assert comparison.detail["note"] == ""
    comparison.close()


def test_the_card_of_many_runs_is_small(runs: Path) -> None:
    for number in range(4, 60):
        told = write_scores(runs / f"sweep-{number:03}", right=100 + number, unsafe=number)
        config = {"training": {"seed": number, "learning_rate": 1e-5 * number, "max_steps": number}}
        name = f"a run with a long name, number {number:03}"
        write_run(runs / name, number=number, steps=200, result=told, config=config)
    comparison = RunComparison(runs)
    html = card_html(comparison.card().safe())
    assert len(html) < 10_000
    assert html.count("<img ") == 1
    assert card_text(comparison.card()).startswith("Runs as of 2")
    comparison.close()
