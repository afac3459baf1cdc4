"""What goes into a bundle, what stays out, and that the run is only read."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zipfile
from pathlib import Path

import pytest
from staged_run import RUN_ID, write_run

from forgelm.compliance import (
    AuditLogger,
    Personal,
    build_evidence_bundle,
    verify_audit_log,
    verify_evidence,
)
from forgelm.errors import DataError

DOCUMENTS = [
    "annex_iv_metadata.json",
    "compliance_report.json",
    "data_governance_report.json",
    "data_provenance.json",
    "risk_assessment.json",
    "training_manifest.yaml",
]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    write_run(run)
    for name in ("benchmark/benchmark_results.json", "judge/judge_results.json", "run.json"):
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("{}")
    (run / "metrics.jsonl").write_text('{"step": 1}\n')
    (run / "data_audit_report.json").write_text("{}")
    (run / "checkpoint-1").mkdir()
    (run / "checkpoint-1" / "optimizer.pt").write_bytes(b"x")
    (run / "config.yaml").write_text("auth: {}")
    return run


def _snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_bundle_holds_the_evidence_and_the_digests_of_the_weights(run_dir: Path) -> None:
    before = _snapshot(run_dir)
    bundle = build_evidence_bundle(run_dir)
    assert bundle.path == run_dir.with_name("run.evidence.zip")
    with zipfile.ZipFile(bundle.path) as found:
        names = found.namelist()
        index_bytes = found.read("evidence_index.json")
    assert names == [
        "audit_log.jsonl",
        "audit_log.jsonl.head",
        "audit_log.jsonl.manifest.json",
        "benchmark/benchmark_results.json",
        *(f"compliance/{name}" for name in DOCUMENTS),
        "data_audit_report.json",
        "final_model/README.md",
        "final_model/deployer_instructions.md",
        "final_model/model_integrity.json",
        "judge/judge_results.json",
        "metrics.jsonl",
        "run.json",
        "evidence_index.json",
    ]
    index = json.loads(index_bytes)
    assert hashlib.sha256(index_bytes).hexdigest() == bundle.index_sha256
    assert {line["path"]: line["sha256"] for line in index["files"]} == {
        name: before[name] for name in names[:-1]
    }
    weights = "final_model/adapter_model.safetensors"
    assert {line["path"]: line["sha256"] for line in index["digests_only"]} == {
        weights: before[weights],
        "final_model/tokenizer.json": before["final_model/tokenizer.json"],
    }
    head = verify_audit_log(run_dir / "audit_log.jsonl").chain_head
    assert index["log"]["head"]["chain_head"] == head
    assert _snapshot(run_dir) == before
    assert verify_evidence(bundle.path).valid


def test_the_same_evidence_gives_the_same_bytes(run_dir: Path, tmp_path: Path) -> None:
    first = build_evidence_bundle(run_dir, tmp_path / "1.zip")
    os.utime(run_dir / "run.json", (1, 1))
    second = build_evidence_bundle(run_dir, tmp_path / "2.zip")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.index_sha256 == second.index_sha256


def test_the_weights_go_in_when_asked_for(run_dir: Path) -> None:
    bundle = build_evidence_bundle(run_dir, include_weights=True)
    assert "final_model/adapter_model.safetensors" in bundle.files
    assert bundle.digested == ()
    assert verify_evidence(bundle.path).valid


def test_personal_data_keys_and_credentials_stay_out_and_the_index_says_so(run_dir: Path) -> None:
    AuditLogger(run_dir).log_event("asked", name=Personal("Ada Lovelace"))
    token = "ghp_" + "Q7XN4ZT2LWJ5VKRMabcdefghPlantedToken"
    (run_dir / "judge" / "judge_results.json").write_text(json.dumps({"answer": token}))
    (run_dir / "compliance" / "signing.pem").write_text("-----BEGIN")
    bundle = build_evidence_bundle(run_dir)
    assert {
        name: reason.split(",")[0].split(" (")[0] for name, reason in bundle.left_out.items()
    } == {
        "audit_log.jsonl.personal.jsonl": "personal data",
        "compliance/signing.pem": "it may be a key",
        "judge/judge_results.json": "it seems to hold a credential",
    }
    content = bundle.path.read_bytes()
    assert token.encode() not in content
    assert b"Ada Lovelace" not in content
    assert verify_evidence(bundle.path).valid


def test_a_log_that_holds_a_credential_is_not_bundled(run_dir: Path) -> None:
    token = "ghp_" + "Q7XN4ZT2LWJ5VKRMabcdefghPlantedToken"
    AuditLogger(run_dir).log_event("note", text=token)
    with pytest.raises(DataError, match="without the log there is no bundle"):
        build_evidence_bundle(run_dir)


@pytest.mark.skipif(os.name == "nt", reason="POSIX links")
@pytest.mark.parametrize(
    "name",
    [
        "audit_log.jsonl.torn-0",
        "data_audit_report.json",
        "metrics.jsonl",
        "compliance/more.json",
        "safety",
        "final_model/tokenizer.model",
        "rejected",
        "model.gguf",
    ],
)
def test_links_where_evidence_should_be_are_refused(name: str, run_dir: Path) -> None:
    (run_dir / name).unlink(missing_ok=True)
    (run_dir / name).symlink_to("/etc")
    with pytest.raises(DataError, match=f"links or special files .*'{name}'"):
        build_evidence_bundle(run_dir)
    assert not run_dir.with_name("run.evidence.zip").exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_pipe_is_refused_and_does_not_hang(run_dir: Path) -> None:
    os.mkfifo(run_dir / "compliance" / "pipe")
    with pytest.raises(DataError, match="'compliance/pipe'"):
        build_evidence_bundle(run_dir)


def test_what_is_there_is_not_overwritten_and_the_run_is_not_changed(run_dir: Path) -> None:
    build_evidence_bundle(run_dir)
    with pytest.raises(FileExistsError):
        build_evidence_bundle(run_dir)
    with pytest.raises(ValueError, match="lies in the run directory"):
        build_evidence_bundle(run_dir, run_dir / "compliance" / "bundle.zip")
    with pytest.raises(DataError, match=r"there is no audit_log\.jsonl"):
        build_evidence_bundle(run_dir.parent)


def test_a_bundle_of_a_run_that_goes_on_holds_a_log_that_ends_between_two_events(
    run_dir: Path, tmp_path: Path
) -> None:
    stop = threading.Event()

    def write() -> None:
        log = AuditLogger(run_dir, run_id=RUN_ID)
        number = 0
        while not stop.is_set():
            log.log_event("step", number=number)
            number += 1
            if number % 20 == 0:
                log.rotate()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        bundles = [build_evidence_bundle(run_dir, tmp_path / f"{n}.zip") for n in range(5)]
    finally:
        stop.set()
        writer.join()
    heads = set()
    for bundle in bundles:
        verdict = verify_evidence(bundle.path)
        assert verdict.valid, verdict.reason
        assert verdict.chain_head == bundle.log.chain_head
        heads.add(verdict.chain_head)
    assert len(heads) > 1


def test_a_torn_tail_goes_in_as_it_is_and_is_told(run_dir: Path) -> None:
    with (run_dir / "audit_log.jsonl").open("ab") as stream:
        stream.write(b'{"timestamp": ')
    bundle = build_evidence_bundle(run_dir)
    assert not bundle.log.valid
    verdict = verify_evidence(bundle.path)
    assert verdict.altered
    assert "it is incomplete, no newline ends it" in str(verdict.reason)


def test_an_altered_log_is_bundled_and_said_to_be_altered(run_dir: Path) -> None:
    log = run_dir / "audit_log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"sft", b"dpo"))
    bundle = build_evidence_bundle(run_dir)
    assert not bundle.log.valid
    assert verify_evidence(bundle.path).altered


def test_staged_and_rejected_models_are_described_in_it(tmp_path: Path) -> None:
    run = tmp_path / "run"
    model = write_run(run, staged=True)
    kept = run / "rejected" / RUN_ID
    kept.mkdir(parents=True)
    (kept / "verdicts.json").write_text("{}")
    bundle = build_evidence_bundle(run)
    assert f"{model.name}/README.md" in bundle.files
    assert f"rejected/{RUN_ID}/verdicts.json" in bundle.files
    model.rename(kept / "final_model")
    moved = build_evidence_bundle(run, tmp_path / "moved.zip")
    assert f"rejected/{RUN_ID}/final_model/model_integrity.json" in moved.files
    assert f"rejected/{RUN_ID}/final_model/adapter_model.safetensors" in moved.digested
    assert verify_evidence(moved.path).reason is None
    assert verify_evidence(run).reason is None


def test_a_full_disk_leaves_no_zip(run_dir: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            build_evidence_bundle(run_dir)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name for path in run_dir.parent.iterdir()} == {"run"}
