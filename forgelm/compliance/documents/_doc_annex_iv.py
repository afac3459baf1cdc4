"""The Annex IV document of a run.

Source: Regulation (EU) 2024/1689, Annex IV.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from forgelm._version import __version__
from forgelm.compliance.artefacts import manifest_hash
from forgelm.compliance.documents._doc_facts import RunFacts, publishable, unknowns

__all__ = ["annex_iv_document", "model_lineage", "training_parameters"]

# What the regulation asks for and no training run can know.
_FOR_THE_PROVIDER = (
    "1(a) relation to previous versions",
    "1(b) interaction with other hardware and software",
    "1(d) forms in which the system is placed on the market",
    "1(e) hardware the system is intended to run on",
    "1(f) markings and layout of a product it is part of",
    "1(g) user interface given to the deployer",
    "2(b) design choices, their rationale and trade-offs",
    "2(e) human oversight under Article 14",
    "2(f) pre-determined changes",
    "2(g) signature of the persons responsible for the tests",
    "2(h) cybersecurity measures",
    "3 accuracy for specific groups of persons",
    "4 why the metrics are appropriate",
    "6 changes through the lifecycle",
    "7 harmonised standards applied",
    "8 EU declaration of conformity",
    "9 post-market monitoring plan under Article 72",
)
_FILES = {
    "compliance_report.json": "the run on one page",
    "data_governance_report.json": "the training data, what was declared and what was measured",
    "data_provenance.json": "sources and digests of data and base model",
    "risk_assessment.json": "the risks that were declared",
    "training_manifest.yaml": "every setting and version, to repeat the run",
    "README.md": "the model card, in the model's folder",
    "deployer_instructions.md": "instructions for use, in the model's folder",
    "model_integrity.json": "digests of the model's files, in the model's folder",
}


def annex_iv_document(
    facts: RunFacts,
    sources: Sequence[Mapping[str, Any]],
    base_model: Mapping[str, Any],
    artifacts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the document with its hash in `metadata.manifest_hash`.

    Args:
        facts: The run.
        sources: What `data_provenance` returned.
        base_model: What `base_model_provenance` returned.
        artifacts: Files of the final model with their digests.
    """
    purpose = facts.said("compliance.intended_purpose")
    document = {
        "generated_at": facts.generated_at,
        "run_id": facts.run_id,
        "forgelm_version": __version__,
        "config_hash": facts.config_hash,
        "system_identification": {
            "provider_name": facts.said("compliance.provider_name"),
            "provider_contact": facts.said("compliance.provider_contact"),
            "system_name": facts.said("compliance.system_name"),
            "system_version": facts.said("compliance.system_version"),
            "intended_purpose": purpose,
            "risk_classification": facts.said("compliance.risk_classification"),
        },
        "intended_purpose": purpose or facts.said("risk_assessment.intended_use"),
        "system_components": {
            "model_lineage": model_lineage(facts, base_model, artifacts),
            "training_parameters": training_parameters(facts),
            "software": dict(facts.software) or None,
        },
        "computational_resources": dict(facts.resource_usage) or None,
        "data_governance": _data_governance(facts, sources),
        "technical_documentation": {
            "files": _FILES,
            "known_limitations": facts.said("compliance.known_limitations"),
            "for_the_provider_to_add": list(_FOR_THE_PROVIDER),
        },
        "monitoring_and_logging": {
            "audit_log": "audit_log.jsonl: one line an event, each naming the hash of the last",
            "live_metrics": "metrics.jsonl",
            "retention": facts.said("retention"),
            "post_market_monitoring": facts.said("monitoring"),
        },
        "performance_metrics": _performance(facts),
        "risk_management": facts.said("risk_assessment"),
        "not_known": unknowns(facts),
    }
    published: dict[str, Any] = publishable(document)
    published["metadata"] = {"manifest_hash": manifest_hash(published)}
    return published


def model_lineage(
    facts: RunFacts, base_model: Mapping[str, Any], artifacts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return from which model, by which method and into which files the run went."""
    merged = facts.setting("training", "merge_adapters")
    return {
        "base_model": dict(base_model),
        "fine_tuning_method": facts.setting("training", "trainer_type"),
        "adapter": None if merged else dict(facts.settings.get("lora") or {}) or None,
        "adapter_merged": merged,
        "final_model": [dict(artifact) for artifact in artifacts],
    }


def training_parameters(facts: RunFacts) -> dict[str, Any]:
    """Return the settings that decide what is learnt."""
    return {
        block: facts.settings[block]
        for block in ("model", "lora", "training", "data")
        if facts.settings.get(block)
    }


def _data_governance(
    facts: RunFacts, sources: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    audit = facts.data_audit or {}
    keys = ("total_samples", "pii_severity", "secrets_summary", "near_duplicate_summary")
    return {
        "sources": [dict(source) for source in sources],
        "rows": dict(facts.data) or None,
        "declared": facts.said("governance"),
        "data_audit": {key: audit[key] for key in keys if key in audit} or None,
    }


def _performance(facts: RunFacts) -> dict[str, Any] | None:
    found = {"metrics": dict(facts.metrics), **facts.evaluation}
    return found if any(found.values()) else None
