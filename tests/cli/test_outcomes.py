"""What became of a command, as an object, a text, a JSON document and an exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from forgelm import AuditLogger, AuditReport, TrainResult, Verdict, verify_audit_log
from forgelm.cli import cli, run


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write_rows(count: int) -> str:
    row = {"prompt": "Is the shop open on day {}?", "completion": "Yes, from nine to {}."}
    lines = (
        json.dumps({key: text.format(number) for key, text in row.items()})
        for number in range(count)
    )
    Path("rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "rows.jsonl"


def _write_config(model: Path, *, max_steps: int, max_loss: float | None = None) -> str:
    document = {
        "model": {"name_or_path": str(model), "load_in_4bit": False, "offline": True},
        "lora": {},
        "data": {"dataset_name_or_path": _write_rows(40)},
        "training": {
            "output_dir": "out",
            "max_steps": max_steps,
            "learning_rate": 1e-3,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 1,
            "report_to": "none",
        },
        "evaluation": {"max_acceptable_loss": max_loss},
    }
    Path("config.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return "config.yaml"


def test_a_command_run_by_itself_yields_the_public_object_and_prints_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = cli.commands["audit"].main([_write_rows(3)], standalone_mode=False)
    assert isinstance(report, AuditReport)
    assert report.total_samples == 3
    assert capsys.readouterr().out == ""


def test_the_json_of_an_audit_is_the_report_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", _write_rows(3), "--output-dir", "out", "--output-format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads(Path("out/data_audit_report.json").read_text(encoding="utf-8"))
    assert len(document) == 13


def test_masking_says_what_it_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rows.jsonl").write_text('{"text": "Write to ann@example.com"}\n', encoding="utf-8")
    assert run(["mask", "rows.jsonl", "masked.jsonl"]) == 0
    assert capsys.readouterr().out == (
        "masked.jsonl: 1 rows, 1 of them masked\n  masked           email 1\n"
    )
    assert Path("masked.jsonl").read_text(encoding="utf-8") == '{"text": "Write to [REDACTED]"}\n'


def test_a_log_that_holds_exits_with_0_and_names_its_head(
    capsys: pytest.CaptureFixture[str],
) -> None:
    AuditLogger("out").log_event("test.done")
    head = verify_audit_log("out/audit_log.jsonl").chain_head
    assert run(["verify-audit", "out"]) == 0
    assert str(head) in capsys.readouterr().out
    assert run(["verify-audit", "out/audit_log.jsonl", "--output-format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["valid"], document["chain_head"]) == (True, head)


def test_an_altered_log_exits_with_6_and_names_the_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = AuditLogger("out")
    for number in range(3):
        logger.log_event("test.step", number=number)
    log = Path("out/audit_log.jsonl")
    log.write_bytes(log.read_bytes().replace(b'"number": 1', b'"number": 7'))
    assert run(["verify-audit", "out"]) == 6
    assert "line 2" in capsys.readouterr().out
    assert run(["verify-audit", "out", "--output-format", "json"]) == 6
    assert json.loads(capsys.readouterr().out)["valid"] is False


@pytest.mark.parametrize("remove", [Path.unlink, lambda log: log.write_bytes(b"")])
def test_a_log_that_was_deleted_or_emptied_is_an_alteration(
    remove: Callable[[Path], object], capsys: pytest.CaptureFixture[str]
) -> None:
    AuditLogger("out").log_event("training.started")
    remove(Path("out/audit_log.jsonl"))
    assert run(["verify-audit", "out"]) == 6
    assert "ALTERED" in capsys.readouterr().out


def test_a_secret_comes_from_the_variable_that_was_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", "first")
    AuditLogger("out").log_event("test.done")
    monkeypatch.delenv("FORGELM_AUDIT_SECRET")
    monkeypatch.setenv("MY_SECRET", "first")
    monkeypatch.setenv("WRONG_SECRET", "second")
    assert run(["verify-audit", "out", "--require-hmac", "--hmac-secret-env", "MY_SECRET"]) == 0
    assert run(["verify-audit", "out", "--require-hmac", "--hmac-secret-env", "WRONG_SECRET"]) == 6
    out, err = capsys.readouterr()
    assert "second" not in out + err


def test_training_prints_one_json_object_and_exits_with_0(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _write_config(tiny_model, max_steps=2)
    assert run(["--config", config, "--output-format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["success"] is True
    assert document["output_dir"] == "out"
    assert (Path(document["final_model_path"]) / "adapter_config.json").is_file()


def test_a_failed_gate_exits_with_3_and_says_why(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["train", _write_config(tiny_model, max_steps=1, max_loss=0.01)]) == 3
    out = capsys.readouterr().out
    assert "gate loss        failed" in out
    assert "max_acceptable_loss" in out


def test_ctrl_c_stops_at_the_end_of_a_step_and_says_where_the_checkpoint_is(
    tiny_model: Path,
) -> None:
    command = [sys.executable, "-m", "forgelm.cli", "train"]
    process = subprocess.Popen(
        [*command, _write_config(tiny_model, max_steps=100_000)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    metrics = Path("out/metrics.jsonl")
    while not (metrics.exists() and '"kind": "log"' in metrics.read_text(encoding="utf-8")):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 2
    assert out.startswith("Training was stopped")
    [named] = [line.split()[1] for line in out.splitlines() if line.startswith("  checkpoint ")]
    assert (Path(named) / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (TrainResult(success=True), 0),
        (TrainResult(success=False, error="out of memory"), 2),
        (TrainResult(success=False, stopped=True), 2),
        (TrainResult(success=False, verdicts=[Verdict("loss", "failed", "too high")]), 3),
        (TrainResult(success=False, reverted=True, error="too high"), 3),
        (TrainResult(success=True, awaiting_approval=True), 4),
    ],
    ids=["done", "failed", "stopped", "gate", "reverted", "waiting"],
)
def test_each_outcome_of_training_has_its_own_exit_code(result: TrainResult, code: int) -> None:
    assert cli.commands["train"].present(result).exit_code == code  # type: ignore[attr-defined]
