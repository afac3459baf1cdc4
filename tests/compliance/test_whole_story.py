"""One run by the command line, from its data's audit to the bundle; then every file altered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from bundle_attacks import read_zip, write_zip

from forgelm.cli import run
from forgelm.compliance import AuditLogger, verify_audit_log, verify_evidence

pytestmark = pytest.mark.skipif(find_spec("trl") is None, reason="training is not installed")

FORGELM = (sys.executable, "-m", "forgelm.cli")
CONFIG = """
model: {name_or_path: "%s", max_length: 128}
lora: {}
data: {dataset_name_or_path: rows.jsonl}
training:
  {output_dir: runs/desk, max_steps: 4, learning_rate: 0.005, eval_steps: 2, report_to: none}
evaluation: {require_human_approval: true}
compliance: {provider_name: Acme, system_name: Desk, intended_purpose: Drafts answers}
risk_assessment: {mitigation_measures: [A person reads each answer]}
"""
NOBODY_VOUCHES_FOR = {
    ".approval.lock": "keeps two approvals apart",
    "audit_log.jsonl.head": "has two slots: one that is damaged is what a crash leaves",
    "exit.json": "is for `forgelm runs`; the log's last event has the result",
    "status.json": "is the run's sign of life",
}


@pytest.fixture(scope="module")
def place(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a run that waits for approval, `staged`, and approved, `runs/desk`."""
    folder = tmp_path_factory.mktemp("story")
    rows = [
        {"prompt": f"Where is my order number {n}?", "response": "Open the orders page."}
        for n in range(40)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "config.yaml").write_text(CONFIG % tiny_model)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FORGELM_OPERATOR", "trainer")
        assert run(["audit", "rows.jsonl", "--output-dir", "runs/desk"]) == 0
        assert run(["train", "config.yaml"]) == 4
        assert run(["approvals", "runs"]) == 0
        shutil.copytree("runs/desk", "staged")
        assert _approved_at_once("runs/desk", ["ada", "ben"]) == [0, 1]
        assert run(["evidence", "runs/desk", "-o", "desk.zip"]) == 0
    return folder


def _approved_at_once(run_dir: str, people: list[str]) -> list[int]:
    """Let each of them approve in a process of their own, and return the exit codes, sorted."""
    approvals = [
        subprocess.Popen([*FORGELM, "approve", run_dir, "--approver", person, "--comment", "fine"])
        for person in people
    ]
    return sorted(approval.wait(timeout=120) for approval in approvals)


def _altered(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_two_who_approve_at_once_leave_one_decision_and_one_model(place: Path) -> None:
    desk = place / "runs/desk"
    lines = [json.loads(line) for line in (desk / "audit_log.jsonl").read_bytes().splitlines()]
    events = [line["event"] for line in lines]
    assert events[-1] == "human_approval.granted"
    assert events.count("human_approval.granted") == 1
    assert lines[-1]["approver"] in ("ada", "ben")
    started = lines[events.index("training.started")]
    assert list(started["data_sha256"]) == [str((place / "rows.jsonl").resolve())]
    assert lines[events.index("compliance.artifacts_exported")]["changed_data"] == []
    assert (desk / "final_model/model_integrity.json").is_file()
    assert not list(desk.glob("final_model.staging.*"))
    assert subprocess.run([*FORGELM, "verify", str(desk)], check=False).returncode == 0


def test_a_model_that_was_rejected_is_in_quarantine_and_still_verified(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "staged", tmp_path / "desk")
    desk = str(tmp_path / "desk")
    assert run(["reject", desk, "--reason", "wrong tone"]) == 0
    assert run(["approve", desk]) == 1
    assert run(["verify", desk]) == 0
    (weights,) = (tmp_path / "desk/rejected").rglob("adapter_model.safetensors")
    weights.write_bytes(_altered(weights.read_bytes()))
    assert run(["verify", desk]) == 6


def test_one_byte_of_any_file_of_the_run_is_found_and_the_file_named(place: Path) -> None:
    desk = place / "runs/desk"
    assert verify_evidence(desk).valid
    unseen = set()
    files = sorted(path for path in desk.rglob("*") if path.is_file())
    for path in files:
        content = path.read_bytes()
        if path.name.endswith(".manifest.json"):  # of which the log has the first line's hash
            altered = content.replace(b'first_entry_sha256": "', b'first_entry_sha256": "0')
        else:
            altered = _altered(content) if content else b"x"
        path.write_bytes(altered)
        verdict = verify_evidence(desk)
        path.write_bytes(content)
        told = [f"{part.name} {part.reason}" for part in verdict.parts if part.altered]
        if not any(path.name.removesuffix(".manifest.json") in text for text in told):
            unseen.add(path.relative_to(desk).as_posix())
    assert len(files) > 40
    assert unseen == set(NOBODY_VOUCHES_FOR)
    assert verify_evidence(desk).valid


def test_the_command_line_exits_with_6_and_names_the_file(place: Path) -> None:
    desk = place / "runs/desk"
    for name in ("metrics.jsonl", "checkpoint-2/optimizer.pt", "final_model/tokenizer.json"):
        content = (desk / name).read_bytes()
        (desk / name).write_bytes(_altered(content))
        done = subprocess.run(
            [*FORGELM, "verify", str(desk)], capture_output=True, text=True, check=False
        )
        (desk / name).write_bytes(content)
        assert done.returncode == 6
        assert Path(name).name in done.stdout.splitlines()[0]


def test_one_byte_of_any_file_of_the_bundle_is_found_and_the_file_named(
    place: Path, tmp_path: Path
) -> None:
    assert verify_evidence(place / "desk.zip").valid
    files = read_zip((place / "desk.zip").read_bytes())
    assert len(files) > 14
    for name, content in files.items():
        path = tmp_path / "altered.zip"
        path.write_bytes(write_zip({**files, name: _altered(content)}))
        verdict = verify_evidence(path)
        assert verdict.altered
        assert name in [part.name for part in verdict.parts if part.altered]


def test_an_unpacked_bundle_holds_the_same_bytes_as_the_run(place: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(place / "desk.zip") as bundle:
        bundle.extractall(tmp_path)
    copies = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in copies:
        original = place / "runs/desk" / path.relative_to(tmp_path)
        if path.name != "evidence_index.json":
            assert path.read_bytes() == original.read_bytes()
    # What a bundle has by its digest only is missing where it was unpacked, and that is told.
    verdict = verify_evidence(tmp_path)
    assert {part.name for part in verdict.parts if part.altered} == {
        "data_audit_findings.parquet",
        "final_model",
    }
    log = verify_audit_log(tmp_path / "audit_log.jsonl")
    assert (log.valid, log.anchored) == (True, True)


def test_a_run_that_was_rotated_is_verified_and_bundled_over_all_its_files(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(place / "runs/desk", "desk")
    AuditLogger("desk", run_id="fg-later").rotate()
    verdict = verify_evidence("desk")
    assert verdict.valid
    assert "in earlier files, verified with it: audit_log.jsonl.0001." in verdict.parts[0].notes[0]
    assert run(["evidence", "desk"]) == 0
    assert run(["verify", "desk.evidence.zip"]) == 0
    files = read_zip(Path("desk.evidence.zip").read_bytes())
    archive = "audit_log.jsonl.0001"
    assert files[archive] == Path("desk", archive).read_bytes()
    Path("desk", archive).write_bytes(_altered(files[archive]))
    assert run(["verify", "desk"]) == 6
    for name in ("audit_log.jsonl", "audit_log.jsonl.head", "audit_log.jsonl.manifest.json"):
        os.unlink(f"desk/{name}")
    assert run(["verify", "desk"]) == 6  # a newest file that is missing was deleted
