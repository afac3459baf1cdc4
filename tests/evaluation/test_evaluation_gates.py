"""The evaluations of a config, as a trainer's gates and on a model in a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from quiz_tasks import LETTERS, write_quiz

from forgelm import ForgeConfig, verify_audit_log
from forgelm.cli import run
from forgelm.errors import ConfigError, EvaluationError
from forgelm.evaluation import check_evaluation, evaluate_model, evaluation_gates


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluations")
    prompts = [{"prompt": "Where is the door?"}, {"prompt": "Who has the letter?"}]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, prompts)), encoding="utf-8")
    write_quiz(folder, rows=LETTERS[:1])
    return folder


@pytest.fixture(scope="module")
def config(tiny_model: Path, folder: Path, head: Path, marker: Path) -> ForgeConfig:
    prompts = str(folder / "prompts.jsonl")
    return ForgeConfig(
        model={"name_or_path": str(tiny_model), "load_in_4bit": False, "offline": True},
        lora={},
        data={"dataset_name_or_path": prompts},
        training={"output_dir": str(folder / "run")},
        evaluation={
            "benchmark": {"enabled": True, "tasks": [str(folder / "letters.yaml")]},
            "safety": {"enabled": True, "classifier": str(head), "test_prompts": prompts},
            "llm_judge": {"enabled": True, "judge_model": str(marker), "eval_dataset": prompts},
        },
    )


def test_each_enabled_evaluation_is_a_gate_with_its_file_and_its_event(
    config: ForgeConfig, zapper: Any, tiny: tuple[Any, Any], tmp_path: Path
) -> None:
    events: list[tuple[str, dict[str, Any]]] = []
    gates = evaluation_gates(config, lambda event, **fields: events.append((event, fields)))
    answers = [gate(zapper, tiny[1], config, tmp_path) for gate in gates]
    assert [(verdict.gate, verdict.status) for verdict, _ in answers] == [
        ("benchmark", "passed"),
        ("safety", "failed"),
        ("judge", "passed"),
    ]
    assert [event for event, _ in events] == [
        "benchmark.evaluation_completed",
        "safety.evaluation_completed",
        "judge.evaluation_completed",
    ]
    assert sorted(path.name for path in tmp_path.rglob("*.json")) == [
        "benchmark_results.json",
        "judge_results.json",
        "safety_results.json",
    ]
    fields = {name: value for _, given in answers for name, value in given.items()}
    assert fields["benchmark_passed"] is True
    assert fields["safety_passed"] is False
    assert fields["judge_score"] == 8.0


def test_a_gate_that_cannot_ask_has_failed_with_the_cause(
    config: ForgeConfig, tiny: tuple[Any, Any], tmp_path: Path
) -> None:
    changed = config.model_copy(deep=True)
    assert changed.evaluation is not None
    assert changed.evaluation.llm_judge is not None
    changed.evaluation.llm_judge.eval_dataset = "mine.jsonl"
    events: list[tuple[str, dict[str, Any]]] = []
    gate = evaluation_gates(changed, lambda event, **fields: events.append((event, fields)))[2]
    verdict, fields = gate(*tiny, changed, tmp_path)
    reason = "there is no prompt file 'mine.jsonl'. Check the path."
    assert (verdict.status, verdict.reason, fields) == ("failed", reason, {})
    assert events == [("judge.evaluation_completed", {"passed": False, "reason": reason})]


def test_what_is_missing_is_known_before_a_model_is_loaded(
    config: ForgeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_evaluation(config) == []
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    changed = config.model_copy(deep=True)
    assert changed.evaluation is not None
    assert changed.evaluation.benchmark is not None
    assert changed.evaluation.safety is not None
    assert changed.evaluation.llm_judge is not None
    changed.evaluation.benchmark.tasks = []
    changed.evaluation.safety.test_prompts = "mine.jsonl"
    changed.evaluation.llm_judge.judge_api_key_env = "JUDGE_KEY"
    assert [path for path, _ in check_evaluation(changed)] == [
        "evaluation.benchmark.tasks",
        "evaluation.safety.test_prompts",
        "evaluation.llm_judge.judge_api_key_env",
    ]


def test_the_command_tries_an_adapter_in_a_folder_and_records_it(
    config: ForgeConfig,
    zapper: Any,
    tiny: tuple[Any, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    zapper.save_pretrained(tmp_path / "adapter")
    tiny[1].save_pretrained(tmp_path / "adapter")
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
    arguments = ["evaluate", str(path), "--model", str(tmp_path / "adapter")]
    arguments += ["--output-dir", str(tmp_path / "out"), "--only", "safety"]
    assert run([*arguments, "--output-format", "json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["safety"]["regression"]["newly_unsafe"] == 2
    assert document["judge"] is None
    assert run(arguments) == 3
    out = capsys.readouterr().out
    assert "gate safety      failed: the safety score fell" in out
    assert f"results          {tmp_path / 'out'}" in out
    assert (tmp_path / "out" / "safety" / "safety_results.json").is_file()
    assert verify_audit_log(str(tmp_path / "out" / "audit_log.jsonl")).entries_count == 2


def test_a_model_that_is_not_there_is_named(config: ForgeConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder .* with a model"):
        evaluate_model(config, tmp_path / "none")
    with pytest.raises(EvaluationError, match="cannot be loaded"):
        evaluate_model(config, tmp_path)
    with pytest.raises(ConfigError, match="there is no part speed"):
        evaluate_model(config, tmp_path, parts=["speed"])


@pytest.mark.parametrize("key", ["load_in_4bit", "load_in_8bit"])
def test_fewer_bits_that_cannot_be_had_here_are_refused_only_where_they_were_asked_for(
    config: ForgeConfig,
    zapper: Any,
    tiny: tuple[Any, Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    key: str,
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("needs a machine without an NVIDIA GPU")
    zapper.save_pretrained(tmp_path / "adapter")
    tiny[1].save_pretrained(tmp_path / "adapter")
    sections = config.model_dump(mode="json", exclude_unset=True)
    place = {"name_or_path": sections["model"]["name_or_path"], "offline": True}
    asked = ForgeConfig(**{**sections, "model": {**place, key: True}})
    with pytest.raises(ConfigError, match=rf"model\.{key}: {key[8]}-bit loading needs an NVIDIA"):
        evaluate_model(asked, tmp_path / "adapter", output_dir=tmp_path, parts=["benchmark"])
    if key == "load_in_4bit":
        default = ForgeConfig(**{**sections, "model": place})
        report = evaluate_model(
            default, tmp_path / "adapter", output_dir=tmp_path, parts=["benchmark"]
        )
        assert report.passed
        assert "the adapter is tried on whole weights instead" in caplog.text


WITHOUT_SOCKETS = """
import json, sys

REACHING = {"connect", "getaddrinfo", "gethostbyname", "sendto", "sendmsg"}

def refuse(event, arguments):
    if event.startswith("socket.") and event[7:] in REACHING:
        print("NETWORK", event, arguments, file=sys.stderr)
        raise OSError("there is no network")
    if event in {"subprocess.Popen", "os.posix_spawn"}:
        print("PROCESS", arguments, file=sys.stderr)

sys.addaudithook(refuse)
from forgelm import ForgeConfig
from forgelm.evaluation import evaluate_model
config = ForgeConfig(**json.load(open(sys.argv[1])))
report = evaluate_model(config, sys.argv[2], output_dir=sys.argv[3])
print(json.dumps([[verdict.gate, verdict.status] for verdict in report.verdicts]))
"""


def test_what_lies_on_this_machine_is_tried_without_a_socket_and_without_a_word(
    config: ForgeConfig, zapper: Any, tiny: tuple[Any, Any], tmp_path: Path
) -> None:
    zapper.save_pretrained(tmp_path / "adapter")
    tiny[1].save_pretrained(tmp_path / "adapter")
    sections = config.model_dump(mode="json", exclude_unset=True)
    sections["model"]["offline"] = False  # nothing here may rest on the switch
    path = tmp_path / "config.json"
    path.write_text(json.dumps(sections))
    command = [sys.executable, "-c", WITHOUT_SOCKETS, str(path), str(tmp_path / "adapter")]
    environment = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    done = subprocess.run(
        [*command, str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == [
        ["benchmark", "passed"],
        ["safety", "failed"],
        ["judge", "passed"],
    ]
