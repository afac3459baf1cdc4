"""What the doctor says of this machine, and of one with something wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forgelm.cli import run
from forgelm.installation import DoctorReport, doctor


def _said(report: DoctorReport) -> dict[str, tuple[str, str]]:
    return {check.name: (check.status, check.message) for check in report.checks}


def test_a_machine_in_order_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGELM_OPERATOR", "batch-7")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    report = doctor(tmp_path / "runs" / "new")
    said = _said(report)
    assert said["operator"] == ("ok", "the audit log names batch-7")
    assert said["offline mode"] == ("ok", "on: nothing is fetched")
    assert said["model cache"][1] == f"{tmp_path / 'hf' / 'hub'}, which does not exist yet"
    assert said["write rights"] == ("ok", f"files can be written in {tmp_path}")
    assert list(tmp_path.iterdir()) == []
    assert list(report.to_frame().columns) == ["name", "status", "message"]
    json.dumps(report.to_dict(), allow_nan=False)


def test_an_audit_secret_is_named_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", "open" + "-sesame-1234567890")
    report = doctor()
    assert _said(report)["FORGELM_AUDIT_SECRET"] == ("ok", "set")
    assert "sesame" not in json.dumps(report.to_dict())


def test_a_folder_where_nothing_can_be_written_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    status, message = _said(doctor(file / "runs"))["write rights"]
    assert status == "problem"
    assert message.startswith(f"{file}: ")
    assert run(["doctor", str(file / "runs")]) == 1


def test_the_command_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "--output-format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert {"ok", "checks", "versions", "missing", "machine", "offline"} <= set(document)


def test_it_knows_what_is_missing_and_how_to_install_it() -> None:
    report = doctor()
    assert "torch" in report.versions
    for extra, names in report.missing.items():
        status, message = _said(report)[f"extra {extra}"]
        assert (status == "ok") is (not names)
        assert not names or f"pip install 'forgelm[{extra}]'" in message


def test_it_loads_pytorch_only_when_asked() -> None:
    code = "import sys, forgelm.installation as i; i.doctor(); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert _said(doctor(load_torch=True))["PyTorch"][0] == "ok"
