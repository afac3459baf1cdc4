"""The documents of a run: what is in them, what is never in them, and that they verify."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from forgelm.compliance import (
    AuditLogger,
    RunFacts,
    export_compliance_documents,
    export_data_governance,
    export_model_documents,
    verify_annex_iv_artifact,
    verify_integrity,
)
from forgelm.compliance.documents import source_digests

DECLARED: dict[str, dict[str, Any]] = {
    "compliance": {
        "provider_name": "Acme",
        "provider_contact": "compliance@acme.example",
        "system_name": "Desk helper",
        "system_version": "1.2",
        "intended_purpose": "Answers customers' mail.",
        "known_limitations": "English only.",
        "risk_classification": "limited-risk",
    },
    "risk_assessment": {
        "intended_use": "Mail",
        "risk_category": "limited-risk",
        "foreseeable_misuse": ["Legal advice"],
        "mitigation_measures": ["A person reads each answer"],
        "vulnerable_groups_considered": False,
    },
    "governance": {
        "collection_method": "Tickets of 2025",
        "annotation_process": "Two agents",
        "known_biases": "None looked for",
        "personal_data_included": False,
        "dpia_completed": False,
    },
    "monitoring": {"enabled": False},
}


@pytest.fixture
def facts(tmp_path: Path) -> RunFacts:
    data = tmp_path / "rows"
    data.mkdir()
    (data / "train.jsonl").write_bytes(b'{"text": "a"}\n')
    (data / "test.jsonl").write_bytes(b'{"text": "b"}\n')
    return RunFacts(
        run_id="fg-0123456789ab",
        generated_at="2026-01-02T03:04:05+00:00",
        config_hash="c" * 64,
        settings={
            "model": {"name_or_path": "acme/base", "revision": None},
            "lora": {"r": 8},
            "training": {"trainer_type": "sft", "merge_adapters": False},
            "webhook": {"notify_on_start": True},
        },
        declared=DECLARED,
        base_model="acme/base",
        data={"split_rows": {"train": 9, "validation": 1}, "sources": []},
        datasets=(str(data), "acme/support"),
        metrics={"eval_loss": 0.25, "resource/gpu_hours": 0.0},
        evaluation={"verdicts": [{"gate": "loss", "status": "passed"}]},
        resource_usage={"gpu_hours": 0.0},
        software={"python": "3.11"},
    )


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    model = tmp_path / "run" / "final_model"
    model.mkdir(parents=True)
    (model / "adapter_model.safetensors").write_bytes(b"weights")
    return model.parent


def export(facts: RunFacts, run_dir: Path) -> None:
    """Write everything and record it, as the trainer does."""
    log = AuditLogger(run_dir, run_id=facts.run_id)
    governance = export_data_governance(facts, run_dir / "compliance")
    log.log_event("compliance.governance_exported", artifacts=governance)
    artifacts = export_model_documents(facts, run_dir / "final_model")
    log.log_event("model.integrity_verified", artifacts=artifacts)
    written = export_compliance_documents(facts, run_dir / "compliance", artifacts)
    log.log_event(
        "compliance.artifacts_exported",
        artifacts=written.artifacts,
        annex_iv_manifest_hash=written.manifest_hash,
    )


def read(run_dir: Path, name: str) -> Any:
    text = (run_dir / "compliance" / name).read_text(encoding="utf-8")
    return yaml.safe_load(text) if name.endswith(".yaml") else json.loads(text)


def test_a_fully_declared_run_verifies_as_a_whole(facts: RunFacts, run_dir: Path) -> None:
    export(facts, run_dir)
    result = verify_annex_iv_artifact(run_dir)
    assert (result.valid, result.reason, result.notes) == (True, None, [])
    assert verify_annex_iv_artifact(run_dir / "compliance" / "annex_iv_metadata.json").valid
    assert verify_integrity(run_dir / "final_model").files_checked == 3
    names = {path.name for path in (run_dir / "compliance").iterdir()}
    assert names == {
        "annex_iv_metadata.json",
        "compliance_report.json",
        "data_governance_report.json",
        "data_provenance.json",
        "risk_assessment.json",
        "training_manifest.yaml",
    }


def test_the_annex_iv_document_carries_the_hash_of_the_format_page(
    facts: RunFacts, run_dir: Path
) -> None:
    export(facts, run_dir)
    document = read(run_dir, "annex_iv_metadata.json")
    expected = document.pop("metadata")["manifest_hash"]
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(canonical.encode()).hexdigest() == expected
    assert document["system_identification"]["provider_name"] == "Acme"
    assert document["not_known"] == []


def test_the_report_and_the_governance_report_have_the_keys_that_others_read(
    facts: RunFacts, run_dir: Path
) -> None:
    export(replace(facts, data_audit={"total_samples": 10}), run_dir)
    assert set(read(run_dir, "compliance_report.json")) >= {
        "forgelm_version", "generated_at", "config_hash", "model_lineage", "training_parameters",
        "data_provenance", "evaluation_results", "annex_iv", "risk_assessment", "monitoring",
        "webhook_config", "run_id", "resource_usage",
    }  # fmt: skip
    governance = read(run_dir, "data_governance_report.json")
    assert governance["splits"] == {
        "train": {"sample_count": 9},
        "validation": {"sample_count": 1},
    }
    assert governance["data_audit"] == {"total_samples": 10}
    assert governance["governance"]["collection_method"] == "Tickets of 2025"
    manifest = json.loads((run_dir / "final_model" / "model_integrity.json").read_text())
    assert set(manifest) == {"verified_at", "model_path", "artifacts"}
    assert read(run_dir, "training_manifest.yaml")["settings"]["lora"] == {"r": 8}


def test_local_data_is_hashed_and_a_hub_name_is_said_to_have_no_digest(
    facts: RunFacts, run_dir: Path
) -> None:
    export(facts, run_dir)
    local, hub = read(run_dir, "data_provenance.json")["datasets"]
    digests = {
        "test.jsonl": hashlib.sha256(b'{"text": "b"}\n').hexdigest(),
        "train.jsonl": hashlib.sha256(b'{"text": "a"}\n').hexdigest(),
    }
    assert {entry["file"]: entry["sha256"] for entry in local["files"]} == digests
    listing = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    assert local["sha256"] == hashlib.sha256(listing.encode()).hexdigest()
    assert (hub["kind"], hub["sha256"]) == ("name on the Hub", None)


def test_data_that_changed_after_the_run_began_is_marked(facts: RunFacts, run_dir: Path) -> None:
    os.utime(Path(facts.datasets[0]) / "train.jsonl", (2e9, 2e9))
    os.utime(Path(facts.datasets[0]) / "test.jsonl", (1e9, 1e9))
    export(replace(facts, started_at="2026-01-02T03:00:00+00:00"), run_dir)
    test, train = read(run_dir, "data_provenance.json")["datasets"][0]["files"]
    assert train["changed_after_the_run_began"]
    assert "changed_after_the_run_began" not in test


def test_data_that_is_not_what_was_read_is_named_even_under_an_old_time(
    facts: RunFacts, run_dir: Path
) -> None:
    data = Path(facts.datasets[0])
    facts = replace(facts, digests_when_read=source_digests(facts.datasets))
    unchanged = export_compliance_documents(facts, run_dir / "compliance")
    assert unchanged.changed_data == []
    times = (data / "train.jsonl").stat()
    (data / "train.jsonl").write_text('{"text": "b"}\n')
    os.utime(data / "train.jsonl", ns=(times.st_atime_ns, times.st_mtime_ns))
    (data / "test.jsonl").unlink()
    (data / "added.jsonl").write_text("{}\n")
    changed = export_compliance_documents(facts, run_dir / "compliance").changed_data
    assert changed == [f"{data}: {name}.jsonl" for name in ("added", "train", "test")]
    files = read(run_dir, "data_provenance.json")["datasets"][0]["files"]
    when_read = {entry["file"]: entry["sha256_when_read"] for entry in files}
    assert when_read["added.jsonl"] is None
    assert when_read["train.jsonl"] == hashlib.sha256(b'{"text": "a"}\n').hexdigest()

    lone = replace(facts, datasets=(str(data / "train.jsonl"),))
    (data / "train.jsonl").unlink()
    gone = export_compliance_documents(lone, run_dir / "compliance").changed_data
    assert gone == [f"{data / 'train.jsonl'}: train.jsonl"]


def test_a_base_model_that_is_not_what_was_loaded_is_named_even_under_an_old_time(
    facts: RunFacts, run_dir: Path, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    weights = base / "model.safetensors"
    weights.write_bytes(b"loaded")
    names = [str(base)]
    facts = replace(facts, base_model=names[0], model_digests_when_read=source_digests(names))
    assert export_compliance_documents(facts, run_dir / "compliance").changed_model == []
    times = weights.stat()
    weights.write_bytes(b"put in its place")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = export_compliance_documents(facts, run_dir / "compliance").changed_model
    assert changed == [f"{base}: model.safetensors"]
    (entry,) = read(run_dir, "data_provenance.json")["base_model"]["files"]
    assert entry["sha256_when_read"] == hashlib.sha256(b"loaded").hexdigest()


def test_what_nobody_declared_is_said_to_be_unknown_and_never_made_up(run_dir: Path) -> None:
    export(RunFacts(run_id="fg-1", generated_at="2026-01-02T03:04:05+00:00"), run_dir)
    document = read(run_dir, "annex_iv_metadata.json")
    assert set(document["system_identification"].values()) == {None}
    assert document["risk_management"] is None
    assert {entry["declare"] for entry in document["not_known"]} >= {
        "compliance.provider_name",
        "data.governance.dpia_completed",
        "monitoring",
    }
    result = verify_annex_iv_artifact(run_dir)
    assert not result.valid
    assert not result.altered
    assert result.missing_fields == [
        "system_identification.provider_name",
        "system_identification.system_name",
        "system_identification.intended_purpose",
        "intended_purpose",
        "system_components.training_parameters",
        "computational_resources",
        "performance_metrics",
        "risk_management",
    ]
    card = (run_dir / "final_model" / "README.md").read_text(encoding="utf-8")
    assert "base_model:" not in card
    assert "Licence\n\nNot declared." in card


def _planted() -> list[str]:
    """Return addresses and credentials; built here, so that no scanner finds them in the source."""
    return [
        "https://" + "hooks.example/T000/B000/planted",
        "postgres://" + "ann:planted@db.intern/x",
        "AKIA" + "Q7XN4ZT2LWJ5VKRM",
        "password=" + "planted-hunter2",
        "Bearer " + "planted" * 4,
    ]


@pytest.mark.parametrize("number", range(5))
def test_no_planted_secret_or_address_reaches_a_document(
    number: int, facts: RunFacts, run_dir: Path
) -> None:
    planted = _planted()[number]
    blocks = {
        name: {
            key: planted if isinstance(value, str) else [planted] if value else value
            for key, value in block.items()
        }
        for name, block in DECLARED.items()
    }
    poisoned = replace(
        facts,
        declared=blocks,
        settings={
            "model": {"name_or_path": planted, "revision": planted},
            "training": {"trainer_type": planted, planted: 1},
            "webhook": {"url": planted, "notify_on_start": True},
        },
        base_model=planted,
        datasets=(planted,),
        data={"sources": [{"name": planted}], "split_rows": {planted: 1}},
        evaluation={"verdicts": [{"reason": f"it failed at {planted}"}]},
        data_audit={"source_path": planted},
        metrics={planted: 0.5},
    )
    export(poisoned, run_dir)
    folders = (run_dir / "compliance", run_dir / "final_model")
    texts = {path.name: path.read_bytes() for folder in folders for path in folder.iterdir()}
    marks = (b"://", b"planted", planted.encode())
    assert [name for name, text in texts.items() if any(mark in text for mark in marks)] == []
    assert verify_annex_iv_artifact(run_dir / "compliance" / "annex_iv_metadata.json").valid


def test_the_hub_reads_the_card_and_text_in_it_stays_text(facts: RunFacts, run_dir: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    hostile = "<script>alert(1)</script>\n# A heading\n---\n[x](y) | `z`"
    declared = DECLARED | {"compliance": {"intended_purpose": hostile, "system_name": "a\n---\nb"}}
    export(replace(facts, declared=declared), run_dir)
    card = hub.ModelCard.load(run_dir / "final_model" / "README.md")
    assert card.data.base_model == "acme/base"
    assert card.data.datasets == ["acme/support"]
    assert card.data.library_name == "peft"
    assert card.data.tags == ["forgelm", "sft"]
    assert "# a --- b" in card.text
    assert "> &lt;script&gt;alert(1)&lt;/script&gt;\n> \\# A heading\n> ---\n" in card.text
    assert "| eval\\_loss | 0.25 |" in card.text


DOCUMENT_ATTACKS = {
    "report edited": ("compliance/compliance_report.json", b" ", "compliance_report.json was"),
    "governance edited": ("compliance/data_governance_report.json", b" ", "governance_report.json"),
    "provenance cut": ("compliance/data_provenance.json", None, "data_provenance.json, but the"),
    "manifest edited": ("compliance/training_manifest.yaml", b"#\n", "training_manifest.yaml was"),
    "risks deleted": ("compliance/risk_assessment.json", None, "risk_assessment.json, but the"),
    "card edited": ("final_model/README.md", b"x", "final_model: changed: 'README.md'"),
    "weights edited": ("final_model/adapter_model.safetensors", b"x", "changed: 'adapter_model"),
    "instructions deleted": ("final_model/deployer_instructions.md", None, "final_model: removed"),
    "annex edited": ("compliance/annex_iv_metadata.json", b" ", "annex_iv_metadata.json was"),
    "integrity deleted": ("final_model/model_integrity.json", None, "has a model_integrity.json"),
    "log cut": ("audit_log.jsonl", None, "its lines were deleted"),
}


@pytest.mark.parametrize("name", DOCUMENT_ATTACKS)
def test_a_run_directory_is_checked_file_by_file(name: str, facts: RunFacts, run_dir: Path) -> None:
    export(facts, run_dir)
    file, added, expected = DOCUMENT_ATTACKS[name]
    path = run_dir / file
    if added is None:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + added)
    result = verify_annex_iv_artifact(run_dir)
    assert result.altered
    assert expected in str(result.reason)


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_a_model_folder_with_links_gets_no_manifest(facts: RunFacts, run_dir: Path) -> None:
    (run_dir / "final_model" / "x").symlink_to("/etc/hostname")
    with pytest.raises(OSError, match="holds what no manifest can name"):
        export_model_documents(facts, run_dir / "final_model")
    assert not (run_dir / "final_model" / "model_integrity.json").exists()
