"""Writing the documents of a run: `compliance/`, and the model's own folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forgelm._core import write_atomic, write_json_atomic
from forgelm._version import __version__
from forgelm.compliance.artefacts import (
    ANNEX_IV_FILE,
    digest_file,
    missing_fields,
    write_model_integrity,
)
from forgelm.compliance.documents._doc_annex_iv import (
    annex_iv_document,
    model_lineage,
    training_parameters,
)
from forgelm.compliance.documents._doc_facts import RunFacts, publishable, unknowns
from forgelm.compliance.documents._doc_model_card import deployer_instructions, model_card
from forgelm.compliance.documents._doc_provenance import (
    base_model_provenance,
    changed_files,
    data_provenance,
)

__all__ = [
    "ComplianceExport",
    "export_compliance_documents",
    "export_data_governance",
    "export_model_documents",
]

_WEBHOOK_FLAGS = ("notify_on_start", "notify_on_success", "notify_on_failure", "require_https")


@dataclass(frozen=True)
class ComplianceExport:
    """What was written.

    Attributes:
        artifacts: The files, each `{file, sha256, size_bytes}`.
        manifest_hash: The hash of the Annex IV document.
        missing_fields: What that document lacks until somebody declares it.
        changed_data: Files of the data that are not what they were when they were read.
        changed_model: Files of the base model, likewise.
    """

    artifacts: list[dict[str, Any]]
    manifest_hash: str
    missing_fields: list[str]
    changed_data: list[str] = field(default_factory=list)
    changed_model: list[str] = field(default_factory=list)


def export_compliance_documents(
    facts: RunFacts,
    out_dir: str | os.PathLike[str],
    artifacts: Sequence[Mapping[str, Any]] = (),
) -> ComplianceExport:
    """Write the Annex IV document, report, manifest, provenance and risk assessment of a run.

    Each file is written whole or not at all. No address and no credential gets into them.

    Args:
        facts: The run.
        out_dir: The folder, `<run>/compliance`; made where it is missing.
        artifacts: Files of the final model, as `export_model_documents` returned them.

    Raises:
        OSError: A source cannot be read or a document not be written.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    sources, base = data_provenance(facts), base_model_provenance(facts)
    annex = annex_iv_document(facts, sources, base, artifacts)
    provenance = {**_head(facts), "datasets": sources, "base_model": base}
    risk = _risk_assessment(facts)
    lineage = model_lineage(facts, base, artifacts)
    documents = {
        ANNEX_IV_FILE: annex,
        "compliance_report.json": publishable(_report(facts, annex, lineage, sources, risk)),
        "data_provenance.json": publishable(provenance),
        "risk_assessment.json": publishable(risk),
    }
    for name, document in documents.items():
        write_json_atomic(folder / name, document)
    write_atomic(folder / "training_manifest.yaml", _manifest(facts, lineage))
    return ComplianceExport(
        artifacts=[_artifact(folder, name) for name in (*documents, "training_manifest.yaml")],
        manifest_hash=annex["metadata"]["manifest_hash"],
        missing_fields=missing_fields(annex),
        changed_data=changed_files(sources),
        changed_model=changed_files([base]),
    )


def export_data_governance(
    facts: RunFacts, out_dir: str | os.PathLike[str]
) -> list[dict[str, Any]]:
    """Write `data_governance_report.json` and return its entry, `{file, sha256, size_bytes}`.

    Raises:
        OSError: It cannot be written.
    """
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    rows = facts.data.get("split_rows")
    report = {
        **_head(facts),
        "primary_dataset": facts.datasets[0] if facts.datasets else None,
        "splits": {name: {"sample_count": count} for name, count in dict(rows or {}).items()},
        "sources": facts.data.get("sources"),
        "governance": facts.said("governance"),
        "data_audit": facts.data_audit,
        "not_known": unknowns(facts, "data_governance."),
    }
    write_json_atomic(folder / "data_governance_report.json", publishable(report))
    return [_artifact(folder, "data_governance_report.json")]


def export_model_documents(
    facts: RunFacts, model_dir: str | os.PathLike[str]
) -> list[dict[str, Any]]:
    """Write model card, instructions and, last, `model_integrity.json`; return its entries.

    Raises:
        OSError: A document cannot be written or a file of the model not be read.
    """
    folder = Path(model_dir)
    write_atomic(folder / "README.md", model_card(facts))
    write_atomic(folder / "deployer_instructions.md", deployer_instructions(facts))
    return write_model_integrity(folder)


def _artifact(folder: Path, name: str) -> dict[str, Any]:
    digest, size = digest_file(folder / name)
    return {"file": name, "sha256": digest, "size_bytes": size}


def _head(facts: RunFacts) -> dict[str, Any]:
    return {"generated_at": facts.generated_at, "run_id": facts.run_id}


def _risk_assessment(facts: RunFacts) -> dict[str, Any]:
    declared = facts.said("risk_assessment") or {}
    keys = ("intended_use", "risk_category", "foreseeable_misuse", "mitigation_measures",
            "vulnerable_groups_considered")  # fmt: skip
    return {
        **_head(facts),
        "declared": bool(declared),
        **{key: facts.said(f"risk_assessment.{key}") for key in keys},
        "risk_classification": facts.said("compliance.risk_classification"),
        "not_known": unknowns(facts, "risk_management."),
    }


def _report(
    facts: RunFacts,
    annex: Mapping[str, Any],
    lineage: Mapping[str, Any],
    sources: Sequence[Mapping[str, Any]],
    risk: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "forgelm_version": __version__,
        "generated_at": facts.generated_at,
        "run_id": facts.run_id,
        "config_hash": facts.config_hash,
        "model_lineage": lineage,
        "training_parameters": training_parameters(facts),
        "data_provenance": sources,
        "evaluation_results": {"metrics": dict(facts.metrics), **facts.evaluation},
        "resource_usage": dict(facts.resource_usage),
        "annex_iv": {
            **annex["system_identification"],
            "document": ANNEX_IV_FILE,
            "manifest_hash": annex["metadata"]["manifest_hash"],
            "missing_fields": missing_fields(annex),
        },
        "risk_assessment": risk,
        "monitoring": facts.said("monitoring"),
        "webhook_config": {
            "configured": bool(facts.settings.get("webhook")),
            **{flag: facts.setting("webhook", flag) for flag in _WEBHOOK_FLAGS},
        },
        "not_known": unknowns(facts),
    }


def _manifest(facts: RunFacts, lineage: Mapping[str, Any]) -> str:
    import yaml  # a tenth of what importing this package costs

    manifest = {
        "forgelm_version": __version__,
        **_head(facts),
        "started_at": facts.started_at,
        "config_hash": facts.config_hash,
        "settings": facts.settings,
        "software": facts.software,
        "data": facts.data,
        "model_lineage": lineage,
        "metrics": facts.metrics,
        "resource_usage": facts.resource_usage,
    }
    text: str = yaml.safe_dump(publishable(manifest), sort_keys=False, allow_unicode=True)
    return text
