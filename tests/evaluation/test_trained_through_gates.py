"""A training that has to pass all three evaluations, beside a webhook that never answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from quiz_tasks import LETTERS, write_quiz

from forgelm import ForgeConfig, ForgeTrainer, TrainResult, verify_audit_log

pytest.importorskip("trl")


@pytest.fixture(scope="module")
def silent() -> Iterator[int]:
    """A receiver that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def trained(
    tiny_model: Path,
    head: Path,
    marker: Path,
    silent: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[TrainResult, Path]:
    folder = tmp_path_factory.mktemp("gated")
    row = {"prompt": "Where is the door?", "completion": "It is next to the window."}
    for name, rows in (("train", [row] * 12), ("prompts", [{"prompt": "Who has the letter?"}])):
        path = folder / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    write_quiz(folder, rows=LETTERS[:1])
    prompts = str(folder / "prompts.jsonl")
    config = ForgeConfig(
        model={"name_or_path": str(tiny_model), "load_in_4bit": False, "offline": True},
        lora={"r": 2},
        data={"dataset_name_or_path": str(folder / "train.jsonl")},
        training={"output_dir": str(folder / "run"), "num_train_epochs": 1},
        evaluation={
            "benchmark": {"enabled": True, "tasks": [str(folder / "letters.yaml")]},
            "safety": {
                "enabled": True,
                "classifier": str(head),
                "test_prompts": prompts,
                "track_categories": True,
            },
            "llm_judge": {"enabled": True, "judge_model": str(marker), "eval_dataset": prompts},
        },
        webhook={
            "url": f"http://127.0.0.1:{silent}/hook",
            "allow_private_destinations": True,
            "timeout": 1,
        },
    )
    return ForgeTrainer(config).train(), folder / "run"


def _events(run: Path) -> list[dict[str, Any]]:
    lines = (run / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_result_has_what_each_evaluation_found(trained: tuple[TrainResult, Path]) -> None:
    result = trained[0]
    assert result.success
    assert (result.benchmark_passed, result.benchmark_scores) == (True, {"letters": 1.0})
    assert (result.safety_passed, result.safety_score) == (True, 1.0)
    assert result.safety_categories == {
        "uncategorized": {"asked": 1, "scored": 1, "unsafe": 0, "hazards": {}}
    }
    assert result.judge_score == 8.0
    assert result.metrics["benchmark/average"] == 1.0
    assert result.metrics["safety/safe_ratio"] == 1.0
    assert result.metrics["judge/average_score"] == 8.0


def test_each_evaluation_has_one_event_in_the_log_and_one_file_in_the_run(
    trained: tuple[TrainResult, Path],
) -> None:
    run = trained[1]
    names = [event["event"] for event in _events(run)]
    for part in ("benchmark", "safety", "judge"):
        assert names.count(f"{part}.evaluation_completed") == 1
        document = json.loads((run / part / f"{part}_results.json").read_text(encoding="utf-8"))
        assert document["passed"] is True
    assert verify_audit_log(str(run / "audit_log.jsonl")).valid


def test_a_webhook_that_never_answers_is_told_of_once_a_message_and_changes_nothing(
    trained: tuple[TrainResult, Path],
) -> None:
    sent = [event for event in _events(trained[1]) if event["event"] == "webhook.delivery"]
    assert [(event["notice"], event["status"]) for event in sent] == [
        ("training.start", "failed"),
        ("training.success", "failed"),
    ]
    assert all("in time" in event["reason"] for event in sent)
