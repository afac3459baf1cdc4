"""The verifying commands: what they say, and the code a script can branch on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from forgelm.cli import cli, run
from forgelm.compliance import VerifyGgufResult


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write_annex(**changes: Any) -> str:
    names = (
        "computational_resources", "data_governance", "technical_documentation",
        "monitoring_and_logging", "performance_metrics", "risk_management", "intended_purpose",
    )  # fmt: skip
    identity = {"provider_name": "Acme", "system_name": "Desk", "intended_purpose": "Mail"}
    document: dict[str, Any] = {
        "system_identification": identity,
        "system_components": {"model_lineage": 1, "training_parameters": 1},
        **dict.fromkeys(names, "x"),
        **changes,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    document["metadata"] = {"manifest_hash": hashlib.sha256(text.encode()).hexdigest()}
    Path("annex.json").write_text(json.dumps(document), encoding="utf-8")
    return "annex.json"


def test_a_complete_document_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify-annex-iv", _write_annex()]) == 0
    assert capsys.readouterr().out.startswith("valid: every required key is filled\n  hash ")


def test_an_incomplete_document_exits_with_1_and_names_the_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        run(["verify-annex-iv", _write_annex(risk_management=""), "--output-format", "json"]) == 1
    )
    document = json.loads(capsys.readouterr().out)
    assert (document["valid"], document["missing_fields"]) == (False, ["risk_management"])


def test_an_altered_document_exits_with_6(capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(_write_annex())
    path.write_text(path.read_text("utf-8").replace("Acme", "Acne"), encoding="utf-8")
    assert run(["verify-annex-iv", "annex.json"]) == 6
    assert capsys.readouterr().out.startswith("ALTERED: it was altered: its hash is ")


def test_a_models_folder_exits_with_0_1_and_6(capsys: pytest.CaptureFixture[str]) -> None:
    model = Path("model")
    model.mkdir()
    assert run(["verify-integrity", "model"]) == 1
    (model / "weights").write_bytes(b"x")
    entry = {"file": "weights", "sha256": hashlib.sha256(b"x").hexdigest(), "size_bytes": 1}
    (model / "model_integrity.json").write_text(json.dumps({"artifacts": [entry]}))
    assert run(["verify-integrity", "model"]) == 0
    (model / "weights").write_bytes(b"y")
    capsys.readouterr()
    assert run(["verify-integrity", "model", "--output-format", "json"]) == 6
    assert json.loads(capsys.readouterr().out)["changed"] == ["weights"]


def test_a_gguf_file_exits_with_1_when_it_is_none_and_6_when_it_is_damaged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("picture.gguf").write_bytes(b"\x89PNG")
    assert run(["verify-gguf", "picture.gguf"]) == 1
    assert capsys.readouterr().out.startswith("NOT VALID: byte 0: it does not begin")
    Path("cut.gguf").write_bytes(b"GGUF\3\0\0\0")
    assert run(["verify-gguf", "cut.gguf"]) == 6
    assert "byte 8: the file ends inside the number of tensors" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["verify-annex-iv", "verify-integrity", "verify-gguf"])
def test_a_path_that_is_not_there_is_an_input_error(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, "nowhere"]) == 1
    assert "nowhere: there is no such file or folder" in capsys.readouterr().err


def test_the_commands_yield_the_public_objects() -> None:
    Path("x").write_bytes(b"x")
    result = cli.commands["verify-gguf"].main(["x"], standalone_mode=False)
    assert isinstance(result, VerifyGgufResult)
