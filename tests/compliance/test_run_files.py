"""What only the log of a run vouches for: measurements, reports, checkpoints, earlier runs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from staged_run import RUN_ID, write_run

from forgelm.compliance import AuditLogger, build_evidence_bundle, verify_evidence


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    write_run(run)
    (run / "run.json").write_text("{}")
    (run / "checkpoint-1").mkdir()
    (run / "checkpoint-1" / "optimizer.pt").write_bytes(b"x")
    return run


def test_what_earlier_runs_in_the_folder_left_goes_in_and_is_verified(run_dir: Path) -> None:
    log = AuditLogger(run_dir, run_id=RUN_ID)
    metrics = {"file": "metrics.jsonl", "sha256": hashlib.sha256(b"{}\n").hexdigest()}
    log.log_event("pipeline.completed", artifacts=[{**metrics, "size_bytes": 3}])
    before = run_dir / "earlier" / "before-fg-2"
    before.mkdir(parents=True)
    for name in ("final_model", "compliance"):
        (run_dir / name).rename(before / name)
    first = run_dir / "earlier" / RUN_ID
    (first / "checkpoint-1").mkdir(parents=True)
    (first / "checkpoint-1" / "optimizer.pt").write_bytes(b"x")
    (first / "metrics.jsonl").write_text("{}\nand what came after it was recorded\n")
    write_run(run_dir, run_id="fg-2")

    bundle = build_evidence_bundle(run_dir)
    assert "earlier/before-fg-2/compliance/annex_iv_metadata.json" in bundle.files
    assert "earlier/before-fg-2/final_model/README.md" in bundle.files
    assert "earlier/before-fg-2/final_model/adapter_model.safetensors" in bundle.digested
    assert f"earlier/{RUN_ID}/metrics.jsonl" in bundle.files
    assert not [name for name in (*bundle.files, *bundle.digested) if "checkpoint-1" in name]
    assert verify_evidence(run_dir).reason is None
    assert verify_evidence(bundle.path).reason is None

    for name in (f"{RUN_ID}/metrics.jsonl", "before-fg-2/compliance/risk_assessment.json"):
        path = run_dir / "earlier" / name
        content = path.read_bytes()
        path.write_bytes(b"[" + content[1:])
        altered = [part.name for part in verify_evidence(run_dir).parts if part.altered]
        assert altered == [f"earlier/{name}"]
        path.write_bytes(content)
    weights = before / "final_model" / "adapter_model.safetensors"
    weights.write_bytes(b"others")
    verdict = verify_evidence(run_dir)
    assert [part.name for part in verdict.parts if part.altered] == [
        "earlier/before-fg-2/final_model"
    ]


def test_what_a_log_that_was_begun_anew_does_not_know_is_not_called_altered(
    run_dir: Path,
) -> None:
    before = run_dir / "earlier" / "before-fg-2"
    before.mkdir(parents=True)
    for name in ("final_model", "compliance"):
        (run_dir / name).rename(before / name)
    for path in run_dir.glob("audit_log.jsonl*"):
        path.unlink()
    write_run(run_dir, run_id="fg-2")
    assert verify_evidence(run_dir).reason is None
    assert verify_evidence(build_evidence_bundle(run_dir).path).reason is None


def test_a_run_that_goes_on_is_not_held_to_what_was_recorded_when_it_was_stopped(
    run_dir: Path,
) -> None:
    log = AuditLogger(run_dir, run_id=RUN_ID)
    record = {"file": "run.json", "sha256": hashlib.sha256(b"{}").hexdigest(), "size_bytes": 2}
    log.log_event("pipeline.completed", stopped=True, artifacts=[record])
    assert verify_evidence(run_dir).valid
    (run_dir / "run.json").write_text('{"resumed_at": 1}')
    assert verify_evidence(run_dir).altered
    log.log_event("pipeline.initialized", model="acme/base", trainer_type="sft")
    assert verify_evidence(run_dir).valid


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("../outside.json", None),
        ("/etc/hostname", None),
        ("a\0b", None),
        ("\ud800", None),
        ("missing.json", "the audit log recorded it, and it is gone"),
        ("pipe", "it is not a regular file"),
    ],
)
def test_odd_names_of_run_files_in_a_log_lead_nowhere(
    run_dir: Path, file: str, told: str | None
) -> None:
    os.mkfifo(run_dir / "pipe")
    record = {"file": file, "sha256": "0" * 64, "size_bytes": 2}
    AuditLogger(run_dir, run_id=RUN_ID).log_event("pipeline.completed", artifacts=[record])
    parts = [part for part in verify_evidence(run_dir).parts if part.kind == "run file"]
    assert [part.reason for part in parts] == ([] if told is None else [told])


CHECKPOINTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered": (lambda folder: (folder / "optimizer.pt").write_bytes(b"y"), "was altered"),
    "removed": (lambda folder: (folder / "optimizer.pt").unlink(), "was removed"),
    "added": (lambda folder: (folder / "odd.pt").write_bytes(b"y"), "was added"),
    "linked": (lambda folder: (folder / "odd").symlink_to("/etc"), "is a link"),
    "no object": (
        lambda folder: (folder / "checkpoint_manifest.json").write_text('{"files": [1]}'),
        "lists no files",
    ),
    "noise": (lambda folder: (folder / "checkpoint_manifest.json").write_bytes(b"\xff"), "not"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_is_held_to_its_manifest_and_one_without_was_never_finished(
    run_dir: Path, name: str
) -> None:
    attack, told = CHECKPOINTS[name]
    folder = run_dir / "checkpoint-1"
    assert "checkpoint-1" not in [part.name for part in verify_evidence(run_dir).parts]
    digest = hashlib.sha256(b"x").hexdigest()
    manifest = {"files": {"optimizer.pt": {"size": 1, "sha256": digest}}}
    (folder / "checkpoint_manifest.json").write_text(json.dumps(manifest))
    assert verify_evidence(run_dir).valid
    attack(folder)
    (part,) = [part for part in verify_evidence(run_dir).parts if not part.valid]
    assert (part.name, part.altered) == ("checkpoint-1", True)
    assert told in str(part.reason)
