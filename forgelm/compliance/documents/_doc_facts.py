"""What a run's documents are written from: plain values, and how they are made fit to publish."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from forgelm._core import json_safe
from forgelm.compliance.artefacts import is_filled

__all__ = ["DECLARATIONS", "RunFacts", "publishable", "unknowns"]

# What only a person can say: key in the Annex IV document, and the setting that declares it.
DECLARATIONS = {
    "system_identification.provider_name": "compliance.provider_name",
    "system_identification.provider_contact": "compliance.provider_contact",
    "system_identification.system_name": "compliance.system_name",
    "system_identification.system_version": "compliance.system_version",
    "system_identification.risk_classification": "compliance.risk_classification",
    "intended_purpose": "compliance.intended_purpose",
    "technical_documentation.known_limitations": "compliance.known_limitations",
    "data_governance.declared.collection_method": "data.governance.collection_method",
    "data_governance.declared.annotation_process": "data.governance.annotation_process",
    "data_governance.declared.known_biases": "data.governance.known_biases",
    "data_governance.declared.personal_data_included": "data.governance.personal_data_included",
    "data_governance.declared.dpia_completed": "data.governance.dpia_completed",
    "risk_management.risk_category": "risk_assessment.risk_category",
    "risk_management.foreseeable_misuse": "risk_assessment.foreseeable_misuse",
    "risk_management.mitigation_measures": "risk_assessment.mitigation_measures",
    "risk_management.vulnerable_groups_considered": "risk_assessment.vulnerable_groups_considered",
    "monitoring_and_logging.post_market_monitoring": "monitoring",
}

# Bounded parts and look-behind keep them linear on any text.
_URL = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>()\[\]]+")
_NAMED_SECRET = re.compile(
    r"(?i)\b(?:(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|credential)s?\s{0,3}[=:]"
    r"\s{0,3}[^\s,;\"'}\])]+|bearer\s{1,3}[\w.~+/-]{16,})"
)


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run. None and empty mean unknown, and the documents say so.

    Attributes:
        run_id: Name of the run.
        config_hash: SHA-256 of its settings.
        generated_at: When the documents are written, ISO-8601 in UTC.
        started_at: When the run began, likewise.
        settings: Every setting in force, by block, without secrets.
        declared: What a person declared, only the keys that were written: the blocks "compliance",
            "risk_assessment", "governance", "retention" and "monitoring".
        digests_when_read: SHA-256 of the data's files right before they were read, by real path,
            as `source_digests` returned them; None where nobody took them.
        model_digests_when_read: The same of the base model's files.
        data: What became of the rows: `sources` and `split_rows`.
        base_model: Name or folder of the model that was trained; None for one that was in memory.
        datasets: Names or paths of the data sets, the primary one first; empty for rows in memory.
        metrics: Figures of the run.
        evaluation: Verdicts of the gates, and scores of benchmark, safety tests and judge.
        resource_usage: Time, memory and money.
        software: Version of each package in use, and of Python.
        data_audit: The report of the data audit, where there is one.
    """

    run_id: str
    generated_at: str
    config_hash: str | None = None
    started_at: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    base_model: str | None = None
    datasets: Sequence[str] = ()
    digests_when_read: Mapping[str, str] | None = None
    model_digests_when_read: Mapping[str, str] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    resource_usage: Mapping[str, Any] = field(default_factory=dict)
    software: Mapping[str, str] = field(default_factory=dict)
    data_audit: Mapping[str, Any] | None = None

    def said(self, path: str) -> Any:
        """Return what was declared under "block.key", None where nothing was."""
        block, _, key = path.partition(".")
        value = self.declared.get(block)
        if key and value is not None:
            value = value.get(key)
        return value if is_filled(value) else None

    def setting(self, block: str, key: str) -> Any:
        """Return one setting, None where it is not known."""
        values = self.settings.get(block)
        return values.get(key) if isinstance(values, Mapping) else None


def unknowns(facts: RunFacts, *prefixes: str) -> list[dict[str, str]]:
    """Return what nobody declared, each with the setting that would.

    Args:
        facts: The run.
        prefixes: Only keys that begin with one of these; all of them when none is given.
    """
    return [
        {"key": key, "declare": path}
        for key, path in DECLARATIONS.items()
        if facts.said(path.removeprefix("data.")) is None
        and (not prefixes or key.startswith(prefixes))
    ]


def publishable(value: Any) -> Any:
    """Return `value` as strict JSON types with every address and credential in its texts masked.

    Example:
        >>> publishable({"contact": "see https://intra.example/x, token=abc"})
        {'contact': 'see [URL REMOVED] [REDACTED-SECRET]'}
    """
    from forgelm.data_audit import mask_secrets

    def masked(item: Any) -> Any:
        if isinstance(item, str):
            text = item.encode("utf-8", "backslashreplace").decode("utf-8")  # lone surrogates
            text = _URL.sub("[URL REMOVED]", mask_secrets(text))
            return _NAMED_SECRET.sub("[REDACTED-SECRET]", text)
        if isinstance(item, dict):
            return {masked(key): masked(inner) for key, inner in item.items()}
        return [masked(inner) for inner in item] if isinstance(item, list) else item

    return masked(json_safe(value))
