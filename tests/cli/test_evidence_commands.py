"""`evidence`, `verify`, `approve`, `reject` and `approvals`: what they say, and their codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forgelm.cli import cli, run
from forgelm.compliance import (
    AuditLogger,
    EvidenceBundle,
    EvidenceVerdict,
    RunFacts,
    export_model_documents,
)

STAGED = "run/final_model.staging.fg-1"


@pytest.fixture(autouse=True)
def _a_run_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORGELM_OPERATOR", "ada")
    model = tmp_path / STAGED
    model.mkdir(parents=True)
    (model / "weights").write_bytes(b"x")
    log = AuditLogger("run", run_id="fg-1")
    log.log_event(
        "human_approval.required", gate="human_approval", reason="why", staging_path=STAGED
    )
    facts = RunFacts(run_id="fg-1", generated_at="2026-01-02T03:04:05+00:00")
    log.log_event("model.integrity_verified", artifacts=export_model_documents(facts, model))


def test_a_bundle_is_written_and_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evidence", "run", "-o", "out.zip"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("out.zip: 6 files, and the digests of 1 more\n  index  ")
    assert run(["verify", "out.zip"]) == 0
    verified = capsys.readouterr().out
    assert verified.startswith("valid: evidence bundle, 10 parts\n")
    assert told.splitlines()[1] in verified.splitlines()
    assert run(["evidence", "run", "-o", "out.zip"]) == 1
    assert "out.zip: File exists" in capsys.readouterr().err
    Path("out.zip").write_bytes(Path("out.zip").read_bytes()[:-1])
    assert run(["verify", "out.zip", "--output-format", "json"]) == 6
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["altered"]) == ("evidence bundle", True)


def test_a_bundle_of_an_altered_log_is_written_and_exits_with_6(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = Path("run/audit_log.jsonl")
    log.write_bytes(log.read_bytes().replace(b"why", b"who"))
    assert run(["evidence", "run"]) == 6
    assert capsys.readouterr().out.startswith("ALTERED: the audit log in it is altered: ")
    assert Path("run.evidence.zip").is_file()


def test_verify_exits_with_0_1_and_6(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "run/audit_log.jsonl"]) == 0
    head = capsys.readouterr().out.split("head   ")[1].strip()
    assert run(["verify", "run", "--expected-head", head]) == 0
    assert run(["verify", "run", "--expected-head", "0" * 64]) == 6
    assert run(["verify", "nowhere"]) == 1
    Path("text").write_text("hello")
    assert run(["verify", "text"]) == 1
    assert "NOT VALID: it is no audit log" in capsys.readouterr().out
    assert run(["verify", "run", "--expected-head", "x"]) == 1
    assert run(["verify", "run", "--require-hmac"]) == 1
    assert "set FORGELM_AUDIT_SECRET" in capsys.readouterr().err
    Path("run/audit_log.jsonl").unlink()
    assert run(["verify", "run/audit_log.jsonl"]) == 6


def test_a_waiting_model_is_listed_and_approved(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["approvals"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1 model waiting\nrun  fg-1\n  waiting  0.0 days; trained by ada\n")
    assert run(["approve", "run", "--four-eyes"]) == 1
    assert "NOTHING CHANGED: ada trained this model" in capsys.readouterr().out
    assert run(["approve", "run", "--comment", "read 40 answers"]) == 0
    assert capsys.readouterr().out == (
        "granted: the model of fg-1, by ada\n  model    run/final_model\n"
    )
    assert run(["reject", "run", "--reason", "late"]) == 1
    assert "ada approved the model of fg-1 at" in capsys.readouterr().out
    assert run(["approvals", "run", "--output-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"pending": []}


def test_a_model_is_rejected_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["reject", "run"]) == 1
    assert "Missing option '--reason'" in capsys.readouterr().err
    assert run(["reject", "run", "--reason", "it swears", "--output-format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model_path"].endswith("rejected/fg-1/final_model")
    assert (document["decision"], document["approver"]) == ("rejected", "ada")


def test_an_altered_model_is_not_approved_and_exits_with_6(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path(STAGED, "weights").write_bytes(b"y")
    assert run(["approve", "run"]) == 6
    assert capsys.readouterr().out.startswith("ALTERED: the staged model is not the one")


def test_the_list_says_which_models_are_overdue(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["approvals", "--ttl-days", "0"]) == 0
    assert "waiting" in capsys.readouterr().out
    assert run(["approvals", "nowhere"]) == 1


def test_the_commands_yield_the_public_objects() -> None:
    made = cli.commands["evidence"].main(["run"], standalone_mode=False)
    assert isinstance(made, EvidenceBundle)
    found = cli.commands["verify"].main(["run.evidence.zip"], standalone_mode=False)
    assert isinstance(found, EvidenceVerdict)
