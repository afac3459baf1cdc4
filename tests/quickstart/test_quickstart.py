"""One real quickstart: offline, it finds, masks, learns and proves what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from forgelm import load_config, read_progress, verify_audit_log
from forgelm.cli import run
from forgelm.errors import ConfigError, DataError
from forgelm.quickstart import run_quickstart


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Give one `forgelm quickstart` in a fresh folder: what it printed and where it lies."""
    folder = tmp_path_factory.mktemp("quickstart")
    command = [sys.executable, "-m", "forgelm.cli", "quickstart"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    assert process.returncode == 0, process.stderr[-4000:]
    return SimpleNamespace(
        folder=folder, run_dir=folder / "forgelm-quickstart" / "run-001", text=process.stdout
    )


def _report(done: SimpleNamespace, name: str) -> dict[str, object]:
    path = done.run_dir / name / "data_audit_report.json"
    document: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return document


def test_the_planted_faults_are_found_and_masked(done: SimpleNamespace) -> None:
    before, after = _report(done, "audit_before"), _report(done, "audit_after")
    assert before["pii_summary"] == {"email": 8, "phone": 6, "iban": 2, "credit_card": 2}
    assert before["secrets_summary"] == {"aws_access_key": 1}
    assert (after["pii_summary"], after["secrets_summary"]) == ({}, {})
    masked = (done.run_dir / "data_masked" / "train.jsonl").read_text(encoding="utf-8")
    assert masked.count("[REDACTED]") == 18
    assert masked.count("[REDACTED-SECRET]") == 1


def test_the_loss_falls_visibly(done: SimpleNamespace) -> None:
    events = read_progress(done.run_dir / "training")
    losses = [event.metrics["loss"] for event in events if "loss" in event.metrics]
    held_out = [event.metrics["eval_loss"] for event in events if "eval_loss" in event.metrics]
    assert len(losses) > 5
    assert sum(losses[-3:]) / 3 < 0.6 * losses[0]
    assert held_out[-1] < 0.6 * held_out[0]


def test_the_record_holds(done: SimpleNamespace) -> None:
    result = verify_audit_log(str(done.run_dir / "training" / "audit_log.jsonl"))
    assert result.valid, result.reason
    assert result.entries_count > 2


def test_the_model_is_where_the_account_says(done: SimpleNamespace) -> None:
    final_model = done.run_dir / "training" / "final_model"
    assert str(final_model.relative_to(done.folder)) in done.text
    assert (final_model / "adapter_model.safetensors").is_file()


def test_the_account_is_readable_at_80_columns(done: SimpleNamespace) -> None:
    lines = done.text.splitlines()
    assert lines[0] == "Data: 500 rows (train 400, validation 60, test 40)"
    assert "  personal data        18      0   iban 2, credit_card 2, email 8, phone 6" in lines
    assert "  credentials           1      0   aws_access_key 1" in lines
    assert "  leaked rows           1      1   train/validation 1" in lines
    assert "make lab" in done.text
    assert [line for line in lines if len(line) > 80] == []
    assert "\x1b" not in done.text


def test_the_config_it_wrote_is_complete(done: SimpleNamespace) -> None:
    config = load_config(str(done.run_dir / "config.yaml"))
    assert config.model.name_or_path == str(done.run_dir / "model")
    assert config.data.dataset_name_or_path == str(done.run_dir / "data_masked")
    assert config.training.max_steps == 120


def test_a_second_call_with_other_data_and_model_touches_nothing_of_the_first(
    done: SimpleNamespace, tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first = {path: path.read_bytes() for path in done.run_dir.rglob("*") if path.is_file()}
    rows = done.folder / "mine.jsonl"
    lines = (done.run_dir / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows.write_text("\n".join(lines[:40]) + "\n", encoding="utf-8")
    options = {"output-dir": done.run_dir.parent, "model": tiny_model, "data": rows}
    arguments = [f"--{name}={value}" for name, value in options.items()]

    code = run(["quickstart", *arguments, "--max-steps=2", "--output-format=json"])

    document = json.loads(capfd.readouterr().out)
    assert code == 0
    assert document["run_dir"] == str(done.run_dir.parent / "run-002")
    assert document["training"]["success"] is True
    assert document["verification"]["valid"] is True
    assert document["audit_before"]["total_samples"] == 40
    assert {path: path.read_bytes() for path in first} == first


def test_bad_arguments_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_steps") as caught:
        run_quickstart(tmp_path / "out", model="./no-model", max_steps=0)
    assert [path for path, _ in caught.value.issues] == ["training.max_steps", "model.name_or_path"]
    with pytest.raises(DataError, match="no-data"):
        run_quickstart(tmp_path / "out", data="no-data")
    assert list(tmp_path.iterdir()) == []
