"""Benchmarks: real lm-eval on the tiny model, with tasks of our own."""

from __future__ import annotations

import copy
import json
import math
import socket
from pathlib import Path
from typing import Any

import pytest
from quiz_tasks import LETTERS, QUIZ, write_quiz

from forgelm.errors import ConfigError, EvaluationError
from forgelm.evaluation import BenchmarkResult, run_benchmark

PERPLEXITY = """
task: prose
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{data}"}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list:
  - {{metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}}
metadata: {{version: 1.0}}
"""
GROUP = """
group: exam
task: [letters, words]
aggregate_metric_list:
  - {metric: acc, aggregation: mean, weight_by_size: true}
  - {metric: acc_norm, aggregation: mean, weight_by_size: true}
metadata: {version: 1.0}
"""
LIST = """
group: everything
task: [letters, words]
"""
WORDS = LETTERS[:1] * 6


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    write_quiz(folder)
    write_quiz(folder, "words", WORDS)
    prose = PERPLEXITY.format(data=folder / "words.json")
    (folder / "prose.yaml").write_text(prose, encoding="utf-8")
    (folder / "exam.yaml").write_text(GROUP, encoding="utf-8")
    (folder / "everything.yaml").write_text(LIST, encoding="utf-8")
    broken = QUIZ.format(name="broken", data=folder / "not_there.json")
    (folder / "broken.yaml").write_text(broken, encoding="utf-8")
    unscored = QUIZ.format(name="unscored", data=folder / "words.json")
    unscored = unscored.partition("metric_list")[0] + "metric_list: []\n"
    (folder / "unscored.yaml").write_text(unscored, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(
    tiny: tuple[Any, Any], tasks: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[BenchmarkResult, Path, Any]:
    """One run over a group, one of its own tasks and a perplexity, with no network to use."""
    folder = tmp_path_factory.mktemp("run") / "benchmark"
    model = copy.deepcopy(tiny[0])
    model.train()
    model.model.layers[0].eval()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", _no_network)
        result = run_benchmark(
            model,
            tiny[1],
            ["exam", "letters", "prose"],
            output_dir=str(folder),
            min_score=0.8,
            include_path=str(tasks),
        )
    return result, folder, model


def _no_network(*_: Any, **__: Any) -> Any:
    raise AssertionError("a look-up of a host")


def test_a_group_counts_once_and_a_perplexity_never(
    ran: tuple[BenchmarkResult, Path, Any],
) -> None:
    result = ran[0]
    assert {name: result.scores[name] for name in ("exam", "letters")} == {
        "exam": 0.875,  # 7 of 8 right: 1 of 2 letters, 6 of 6 words
        "letters": 0.5,
    }
    assert result.scores["prose"] > 1
    assert result.average_score == 0.875
    assert result.verdict.status == "passed"


def test_standard_errors_and_sample_counts_are_kept(
    ran: tuple[BenchmarkResult, Path, Any],
) -> None:
    raw = ran[0].raw_results
    assert raw["n-samples"]["words"] == {"original": 6, "effective": 6}
    assert raw["results"]["letters"]["acc_stderr,none"] == 0.5
    assert raw["picked"]["prose"] == "word_perplexity,none"
    assert raw["settings"]["batch_size"] == 8


def test_the_results_are_written_and_told(ran: tuple[BenchmarkResult, Path, Any]) -> None:
    result, folder, _ = ran
    document = json.loads((folder / "benchmark_results.json").read_text(encoding="utf-8"))
    assert list(document) == ["scores", "average_score", "passed", "failure_reason", "raw_results"]
    assert document["average_score"] == 0.875
    assert result.events[0][0] == "benchmark.evaluation_completed"
    assert result.events[0][1]["average"] == 0.875
    assert result.train_fields["metrics"]["benchmark/letters"] == 0.5


def test_each_part_of_the_model_keeps_its_mode(ran: tuple[BenchmarkResult, Path, Any]) -> None:
    model = ran[2]
    assert model.training
    assert not model.model.layers[0].training
    assert model.model.layers[1].mlp.training


def test_a_score_below_the_least_fails(tiny: tuple[Any, Any], tasks: Path) -> None:
    result = run_benchmark(*tiny, [str(tasks / "letters.yaml")], limit=1, min_score=1.0)
    assert result.passed
    assert result.raw_results["n-samples"]["letters"] == {"original": 2, "effective": 1}
    result = run_benchmark(*tiny, ["everything"], min_score=0.8, include_path=str(tasks))
    assert result.scores == {"letters": 0.5, "words": 1.0}
    assert result.verdict.reason == "the average score 0.7500 is below min_score (0.8000)"


def test_a_perplexity_alone_reaches_no_least_score(tiny: tuple[Any, Any], tasks: Path) -> None:
    result = run_benchmark(*tiny, ["prose"], min_score=0.1, include_path=str(tasks))
    assert math.isnan(result.average_score)
    assert result.failure_reason == "no task has an accuracy to compare with min_score (0.1000)"
    assert result.train_fields["benchmark_average"] is None


def test_a_task_without_a_score_fails(tiny: tuple[Any, Any], tasks: Path) -> None:
    result = run_benchmark(*tiny, ["words", "unscored"], include_path=str(tasks))
    assert result.verdict.status == "failed"
    assert result.failure_reason == "no score for unscored"


def test_tasks_that_cannot_be_loaded_are_named(tiny: tuple[Any, Any], tasks: Path) -> None:
    with pytest.raises(EvaluationError, match=r"'broken' could not be .*not_there\.json"):
        run_benchmark(*tiny, ["words", "broken"], include_path=str(tasks))


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("task: [unclosed", "while parsing a flow sequence"),
        ("- 1\n- 2\n", "got list"),
        (QUIZ.replace("{{question}}", "{{nothing}}"), "'nothing' is undefined"),
        (QUIZ.replace("{data}", "{empty}"), "its data has no rows"),
    ],
)
def test_a_task_file_that_makes_no_sense_is_named_with_the_cause(
    tiny: tuple[Any, Any], tasks: Path, tmp_path: Path, text: str, cause: str
) -> None:
    (tmp_path / "empty.json").touch()
    names = {"name": "odd", "data": tasks / "words.json", "empty": tmp_path / "empty.json"}
    odd = tmp_path / "odd.yaml"
    odd.write_text(text.format(**names) if "{" in text else text, encoding="utf-8")
    with pytest.raises(EvaluationError, match=rf"odd\.yaml' could not be loaded: .*{cause}"):
        run_benchmark(*tiny, [str(odd)])


@pytest.mark.parametrize(
    ("tasks_given", "batch_size", "problem"),
    [([], "auto", "there are none"), (["words"], "many", "'many' is no batch size")],
)
def test_arguments_that_make_no_sense_are_refused(
    tiny: tuple[Any, Any], tasks: Path, tasks_given: list[str], batch_size: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        run_benchmark(*tiny, tasks_given, batch_size=batch_size, include_path=str(tasks))


@pytest.mark.slow
def test_a_task_nobody_knows_is_refused_with_a_suggestion(tiny: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match="no task 'helaswag'; did you mean hellaswag"):
        run_benchmark(*tiny, ["helaswag"])
