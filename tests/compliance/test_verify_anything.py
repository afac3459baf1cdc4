"""Whatever one is handed: what it is taken for, and what is found where it was tampered with."""

from __future__ import annotations

import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_attacks import ANNEX, BUNDLES, MANIFEST, REPORT, VAST, read_zip, write_zip
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_run import write_run

from forgelm.compliance import (
    AuditLogger,
    build_evidence_bundle,
    create_signing_key,
    sign_checkpoint,
    verify_evidence,
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run directory with a bundle of it beside it; never write into either."""
    run = tmp_path_factory.mktemp("sound") / "run"
    write_run(run)
    (run / "metrics.jsonl").write_text('{"step": 1}\n')
    build_evidence_bundle(run)
    return run


def _bundle(sound: Path) -> bytes:
    return sound.with_name("run.evidence.zip").read_bytes()


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_or_altered_bundle_gets_a_verdict_that_names_the_entry(
    name: str, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attack, blamed, expected = BUNDLES[name]
    path = tmp_path / "evidence.zip"
    path.write_bytes(attack(_bundle(sound)))
    private = tmp_path / "private"
    private.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(private))
    verdict = verify_evidence(path)
    assert (verdict.kind, verdict.valid, verdict.altered) == ("evidence bundle", False, True)
    told = [str(part.reason) for part in verdict.parts if part.name == blamed and not part.valid]
    assert any(expected in reason for reason in told), verdict.reason
    assert {path.name for path in tmp_path.iterdir()} == {"evidence.zip", "private"}
    assert list(private.iterdir()) == []


@pytest.mark.parametrize("name", VAST)
def test_a_vast_bundle_takes_little_memory(name: str, sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "evidence.zip"
    path.write_bytes(VAST[name](_bundle(sound)))
    tracemalloc.start()
    try:
        assert not verify_evidence(path).valid
        assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    finally:
        tracemalloc.stop()


def test_a_zip_of_something_else_is_not_valid_and_not_called_altered(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    path.write_bytes(write_zip({"a.txt": b"x"}))
    verdict = verify_evidence(path)
    assert (verdict.valid, verdict.altered) == (False, False)
    assert verdict.reason == "it has no evidence_index.json: it is a zip, and no evidence bundle"


def test_a_bundle_that_was_packed_anew_and_compressed_still_verifies(
    sound: Path, tmp_path: Path
) -> None:
    path = tmp_path / "again.zip"
    path.write_bytes(write_zip(read_zip(_bundle(sound)), zipfile.ZIP_DEFLATED))
    assert verify_evidence(path).reason is None


@settings(max_examples=60, deadline=None)
@given(where=st.floats(0, 0.999), byte=st.integers(1, 255))
def test_any_changed_byte_of_a_bundle_is_found(
    where: float, byte: int, sound: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = bytearray(_bundle(sound))
    at = int(where * len(data))
    data[at] ^= byte
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    path.write_bytes(data)
    verdict = verify_evidence(path)
    if verdict.valid:  # only what a zip says of itself, never of the content, may go unseen
        assert read_zip(bytes(data)) == read_zip(_bundle(sound))


def test_everything_is_recognised_for_what_it_is(sound: Path, tmp_path: Path) -> None:
    kinds = {
        "run directory": sound,
        "evidence bundle": sound.with_name("run.evidence.zip"),
        "audit log": sound / "audit_log.jsonl",
        "Annex IV document": sound / ANNEX,
        "model folder": sound / "final_model",
    }
    for kind, path in kinds.items():
        verdict = verify_evidence(path)
        assert (verdict.kind, verdict.valid, verdict.reason) == (kind, True, None)
    assert verify_evidence(sound / MANIFEST).kind == "model folder"
    copy = tmp_path / "copied.txt"
    copy.write_bytes((sound / "audit_log.jsonl").read_bytes())
    assert verify_evidence(copy).kind == "audit log"
    (tmp_path / "x.bin").write_bytes(b"GGUF\3\0\0\0")
    verdict = verify_evidence(tmp_path / "x.bin")
    assert (verdict.kind, verdict.altered) == ("GGUF file", True)


def test_a_run_directory_has_a_verdict_for_every_part(sound: Path) -> None:
    verdict = verify_evidence(sound)
    assert {(part.name, part.kind) for part in verdict.parts} == {
        ("audit_log.jsonl", "audit log"),
        (ANNEX, "Annex IV document"),
        (REPORT, "document"),
        ("compliance/data_governance_report.json", "document"),
        ("compliance/data_provenance.json", "document"),
        ("compliance/risk_assessment.json", "document"),
        ("compliance/training_manifest.yaml", "document"),
        ("final_model", "model"),
    }
    assert verdict.to_dict()["parts"][0]["valid"] is True


RUNS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "log edited": (
        "audit_log.jsonl",
        lambda path: path.write_bytes(path.read_bytes().replace(b"sft", b"dpo")),
        "line 1",
    ),
    "log deleted": ("audit_log.jsonl", Path.unlink, "its lines were deleted"),
    "document edited": (
        REPORT,
        lambda path: path.write_text("{}"),
        "not the one whose SHA-256 the audit log recorded",
    ),
    "document deleted": (ANNEX, Path.unlink, "it was deleted or moved"),
    "weights edited": (
        "final_model",
        lambda path: (path / "adapter_model.safetensors").write_bytes(b"x"),
        "changed: 'adapter_model.safetensors'",
    ),
    "file added to the model": (
        "final_model",
        lambda path: (path / "more.py").write_text("import os"),
        "added",
    ),
    "model deleted": ("final_model", lambda path: path.rename(path.parent / "x" / "y"), "removed"),
}


@pytest.mark.parametrize("name", RUNS)
def test_tampering_with_a_run_is_told_by_the_part(name: str, tmp_path: Path) -> None:
    part_name, attack, expected = RUNS[name]
    run = tmp_path / "run"
    write_run(run)
    (run / "x").mkdir()
    attack(run / part_name)
    verdict = verify_evidence(run)
    assert (verdict.kind, verdict.valid, verdict.altered) == ("run directory", False, True)
    reasons = [str(part.reason) for part in verdict.parts if part.name == part_name]
    assert any(expected in reason for reason in reasons), reasons
    bundle = tmp_path / "altered.zip"
    if part_name != "audit_log.jsonl" or (run / "audit_log.jsonl").exists():
        build_evidence_bundle(run, bundle)
        blamed = {part.name for part in verify_evidence(bundle).parts if part.altered}
        assert part_name in blamed


def test_an_expected_head_and_a_secret_hold_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLogger(tmp_path)
    log.log_event("one")
    head = verify_evidence(tmp_path).chain_head
    log.log_event("two")
    assert verify_evidence(tmp_path, expected_head=head).valid
    assert verify_evidence(tmp_path, expected_head="0" * 64).altered
    with pytest.raises(ValueError, match="expected_head"):
        verify_evidence(tmp_path, expected_head="no hash")
    unchecked = verify_evidence(tmp_path, require_hmac=True)
    assert (unchecked.valid, unchecked.altered) == (False, False)
    monkeypatch.setenv("FORGELM_AUDIT_SECRET", "a-secret" + "-of-the-test")
    assert verify_evidence(tmp_path, require_hmac=True).altered


def test_a_run_without_a_model_has_no_documents_and_is_valid(tmp_path: Path) -> None:
    AuditLogger(tmp_path).log_event("pipeline.failed", error="DataError")
    verdict = verify_evidence(tmp_path)
    assert verdict.valid
    assert verdict.parts[1].notes == ("There are no documents, and the log records none.",)


def test_documents_without_a_log_are_not_valid_and_not_called_altered(tmp_path: Path) -> None:
    write_run(tmp_path)
    for path in tmp_path.glob("audit_log.jsonl*"):
        path.unlink()
    verdict = verify_evidence(tmp_path)
    assert (verdict.kind, verdict.valid, verdict.altered) == ("run directory", False, False)
    assert verdict.reason == "audit_log.jsonl: there is no audit_log.jsonl"


NOTHING = {
    "nothing": (lambda folder: folder / "none", "there is nothing at"),
    "empty folder": (lambda folder: folder, "the folder holds no audit log"),
    "text": (lambda folder: _wrote(folder / "a.txt", b"hello"), "it is no audit log"),
    "empty": (lambda folder: _wrote(folder / "a.txt", b""), "it is no audit log"),
    "device": (lambda _: Path("/dev/zero"), "is not a regular file"),
    "NUL": (lambda _: "a\0b", "cannot be a path"),
}


def _wrote(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
@pytest.mark.parametrize("name", NOTHING)
def test_what_is_no_evidence_is_said_to_be_none(name: str, tmp_path: Path) -> None:
    make, expected = NOTHING[name]
    verdict = verify_evidence(make(tmp_path))
    assert (verdict.kind, verdict.valid, verdict.altered) == ("unknown", False, False)
    assert expected in str(verdict.reason)


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.zip")
    assert "is not a regular file" in str(verify_evidence(tmp_path / "pipe.zip").reason)


def test_a_bundle_is_held_to_a_signed_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    run, other = tmp_path / "run", tmp_path / "other"
    for folder in (run, other):
        write_run(folder)
    keys = [create_signing_key(tmp_path / f"{name}.key", name) for name in ("acme", "evil")]
    sign_checkpoint(run / "audit_log.jsonl", tmp_path / "acme.key")
    bundle = build_evidence_bundle(run)
    assert "audit_log.jsonl.checkpoints" in bundle.files
    assert verify_evidence(bundle.path, public_key=keys[0]).reason is None
    assert verify_evidence(bundle.path, public_key=keys[1]).altered
    kept = run / "audit_log.jsonl.checkpoints"
    replaced = build_evidence_bundle(other).path
    assert verify_evidence(replaced).valid
    assert verify_evidence(replaced, public_key=keys[0], checkpoint=kept).altered
    with pytest.raises(ValueError, match="public_key"):
        verify_evidence(replaced, public_key="no key")
