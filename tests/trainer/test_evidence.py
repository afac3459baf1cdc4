"""The documents that a real run leaves, and that they stand up to the verifiers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ForgeTrainer
from forgelm.compliance import verify_annex_iv_artifact, verify_integrity

if TYPE_CHECKING:
    from conftest import ConfigMaker, TrainedRun

pytest.importorskip("trl")


def _read(run_dir: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((run_dir / "compliance" / name).read_text("utf-8"))
    return document


def test_an_undeclared_run_is_documented_unaltered_and_honestly_incomplete(
    trained: TrainedRun, support_data: Path
) -> None:
    result = verify_annex_iv_artifact(trained.run_dir)
    assert not result.altered
    assert result.missing_fields == [
        "system_identification.provider_name",
        "system_identification.system_name",
        "system_identification.intended_purpose",
        "intended_purpose",
        "risk_management",
    ]
    annex = _read(trained.run_dir, "annex_iv_metadata.json")
    assert annex["run_id"] == trained.result.run_id
    assert (
        annex["performance_metrics"]["metrics"]["eval_loss"] == trained.result.metrics["eval_loss"]
    )
    assert annex["system_identification"]["risk_classification"] is None
    source = annex["data_governance"]["sources"][0]
    assert source["sha256"] == hashlib.sha256(support_data.read_bytes()).hexdigest()
    assert "changed_after_the_run_began" not in source["files"][0]
    base = annex["system_components"]["model_lineage"]["base_model"]
    assert base["kind"] == "local folder"
    assert {entry["file"] for entry in base["files"]} >= {"config.json", "model.safetensors"}


def test_the_log_has_the_digest_of_every_document(trained: TrainedRun) -> None:
    lines = (trained.run_dir / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()
    events = {entry["event"]: entry for entry in map(json.loads, lines)}
    exported = events["compliance.artifacts_exported"]
    annex = _read(trained.run_dir, "annex_iv_metadata.json")
    base = annex["system_components"]["model_lineage"]["base_model"]
    when_read = events["training.started"]["model_sha256"].values()
    assert sorted(when_read) == sorted(entry["sha256"] for entry in base["files"])
    assert exported["changed_model"] == []
    assert exported["annex_iv_manifest_hash"] == annex["metadata"]["manifest_hash"]
    recorded = exported["artifacts"] + events["compliance.governance_exported"]["artifacts"]
    folder = trained.run_dir / "compliance"
    assert {entry["file"]: entry["sha256"] for entry in recorded} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
    }
    model = Path(str(trained.result.final_model_path))
    assert verify_integrity(model).valid
    names = {entry["file"] for entry in events["model.integrity_verified"]["artifacts"]}
    assert names >= {"adapter_model.safetensors", "README.md", "deployer_instructions.md"}


def test_a_declared_run_is_complete_and_its_predecessor_kept(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    token = "hf_" + "PlantedTokenQ7XN4ZT2LWJ5VKRMabcdef"
    config = make_config(
        tmp_path / "run",
        training={"max_steps": 1},
        auth={"hf_token": token},
        compliance={
            "provider_name": "Acme",
            "system_name": "Desk",
            "intended_purpose": "Answers mail, see https://" + "intern.example/plan",
        },
        risk_assessment={"foreseeable_misuse": ["Legal advice"]},
        data={"governance": {"collection_method": "Tickets"}},
        evaluation={"max_acceptable_loss": 100.0},
    )
    trainer = ForgeTrainer(config)
    first = trainer.train()
    assert first.success, first.error
    result = verify_annex_iv_artifact(tmp_path / "run")
    assert (result.valid, result.reason) == (True, None)
    governance = _read(tmp_path / "run", "data_governance_report.json")["governance"]
    assert governance == {"collection_method": "Tickets"}

    second = trainer.train()
    assert second.success, second.error
    assert verify_annex_iv_artifact(tmp_path / "run").valid
    earlier = tmp_path / "run" / "earlier" / f"before-{second.run_id}"
    kept = json.loads((earlier / "compliance" / "annex_iv_metadata.json").read_text("utf-8"))
    assert kept["run_id"] == first.run_id
    assert verify_integrity(earlier / "final_model").valid
    for path in (tmp_path / "run").rglob("*"):
        if path.suffix in {".json", ".jsonl", ".md", ".yaml"} and "checkpoint" not in str(path):
            text = path.read_text(encoding="utf-8")
            assert token not in text, path
            if path.name != "run.json":  # the settings, as they were written
                assert "intern.example" not in text, path


def test_a_model_and_rows_that_were_handed_over_are_said_to_be(
    make_config: ConfigMaker, tmp_path: Path, tiny_model: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_model)
    config = make_config(tmp_path / "run", training={"max_steps": 1})
    rows = [{"prompt": f"Is shop {n} open?", "completion": "Yes."} for n in range(20)]
    ForgeTrainer(config, model=model, dataset=rows).train()
    provenance = _read(tmp_path / "run", "data_provenance.json")
    assert [source["kind"] for source in provenance["datasets"]] == ["rows in memory"]
    assert provenance["base_model"]["kind"] == "a model in memory"


def test_documents_that_cannot_be_written_are_recorded_and_the_model_stands(
    make_config: ConfigMaker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run_dir = tmp_path / "run"
    (run_dir / "earlier").mkdir(parents=True)
    (run_dir / "compliance").symlink_to(tmp_path / "nowhere" / "at all")
    result = ForgeTrainer(make_config(run_dir, training={"max_steps": 1})).train()
    assert Path(str(result.final_model_path)).is_dir()
    said = [verdict.reason for verdict in result.verdicts if verdict.gate == "documents"]
    assert [str(reason).split(": ")[1] for reason in said] == [
        "compliance.governance_failed in the audit log",
        "compliance.artifacts_export_failed in the audit log",
    ]
    log = (run_dir / "audit_log.jsonl").read_text(encoding="utf-8")
    assert '"compliance.governance_failed"' in log
    assert '"compliance.artifacts_export_failed"' in log
    assert "documents are not complete" in caplog.text
