"""The blocks around the run: notices, merging, compliance, monitoring and retention."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from forgelm.config._base import Name, SecretUrl, Section, Text, Url, form

__all__ = [
    "ComplianceMetadataConfig",
    "MergeConfig",
    "MonitoringConfig",
    "RetentionConfig",
    "RiskAssessmentConfig",
    "WebhookConfig",
]

RiskTier = Literal["unknown", "minimal-risk", "limited-risk", "high-risk", "unacceptable"]


class WebhookConfig(Section):
    """Messages to a chat channel or a service of your own."""

    url: SecretUrl | None = Field(
        None,
        description="Address that gets the messages. It is a secret; better named in `url_env`.",
        json_schema_extra=form(
            "Notices", instead="name the environment variable that holds it in url_env"
        ),
    )
    url_env: Name | None = Field(
        None,
        description="Name of the environment variable that holds the address.",
        json_schema_extra=form("Notices"),
    )
    notify_on_start: bool = Field(
        True,
        description="Sends a message when training starts.",
        json_schema_extra=form("Notices"),
    )
    notify_on_success: bool = Field(
        True,
        description="Sends a message when training succeeds.",
        json_schema_extra=form("Notices"),
    )
    notify_on_failure: bool = Field(
        True,
        description="Sends a message when training fails or a gate rejects the model.",
        json_schema_extra=form("Notices"),
    )
    timeout: int = Field(
        10,
        ge=1,
        description="How long to wait for the receiver. Training goes on whatever happens.",
        json_schema_extra=form("Notices", unit="seconds"),
    )
    allow_private_destinations: bool = Field(
        False,
        description="Allows addresses inside your own network. Leave it off unless the receiver "
        "is there.",
        json_schema_extra=form("Notices"),
    )
    require_https: bool = Field(
        False,
        description="Refuses addresses that do not start with https.",
        json_schema_extra=form("Notices"),
    )
    tls_ca_bundle: Name | None = Field(
        None,
        description="File with the certificates of your own authority, for a receiver inside "
        "your network.",
        json_schema_extra=form("Notices"),
    )


class MergeConfig(Section):
    """Several trained models made into one."""

    enabled: bool = Field(
        False,
        description="Merges the models named below after training.",
        json_schema_extra=form("Merging"),
    )
    method: Literal["ties", "dare", "slerp", "linear"] = Field(
        "ties",
        description="How the weights are put together. `linear` takes the average; `ties` and "
        "`dare` drop small changes first; `slerp` is for two models.",
        json_schema_extra=form("Merging"),
    )
    models: list[dict[str, Any]] = Field(
        [],
        description="The models, each with its `path` and `weight`.",
        json_schema_extra=form("Merging"),
    )
    output_dir: Name = Field(
        "./merged_model",
        description="Folder for the merged model.",
        json_schema_extra=form("Merging"),
    )
    ties_trim_fraction: float = Field(
        0.2,
        ge=0.0,
        le=1.0,
        description="With `method: ties`: share of the smallest changes that is dropped.",
        json_schema_extra=form("Merging"),
    )
    dare_drop_rate: float = Field(
        0.3,
        ge=0.0,
        le=1.0,
        description="With `method: dare`: share of the changes that is dropped at random.",
        json_schema_extra=form("Merging"),
    )
    dare_seed: int = Field(
        42,
        description="With `method: dare`: start of the random numbers, so that a merge can be "
        "repeated.",
        json_schema_extra=form("Merging"),
    )


class ComplianceMetadataConfig(Section):
    """What the technical documentation says about the system and its provider."""

    provider_name: Text = Field(
        "",
        description="Name of the organisation that answers for the system.",
        json_schema_extra=form("Provider"),
    )
    provider_contact: Text = Field(
        "",
        description="How an authority or user reaches the provider.",
        json_schema_extra=form("Provider"),
    )
    system_name: Text = Field(
        "",
        description="Name of the system the model is for.",
        json_schema_extra=form("System"),
    )
    intended_purpose: Text = Field(
        "",
        description="What the system is for, who uses it and where.",
        json_schema_extra=form("System"),
    )
    known_limitations: Text = Field(
        "",
        description="What the system cannot do or does badly.",
        json_schema_extra=form("System"),
    )
    system_version: Text = Field(
        "",
        description="Version of the system, in quotes when it looks like a number.",
        json_schema_extra=form("System"),
    )
    risk_classification: RiskTier = Field(
        "minimal-risk",
        description="Risk tier under the EU AI Act. The two highest need "
        "`evaluation.safety.enabled: true`.",
        json_schema_extra=form("Risk"),
    )


class RiskAssessmentConfig(Section):
    """What could go wrong, and what is done about it."""

    intended_use: Text = Field(
        "",
        description="What the model is meant to be used for.",
        json_schema_extra=form("Risk"),
    )
    foreseeable_misuse: list[Text] = Field(
        [],
        description="Wrong uses that can be expected, one an entry.",
        json_schema_extra=form("Risk"),
    )
    risk_category: RiskTier = Field(
        "minimal-risk",
        description="Risk tier your assessment came to. The two highest need "
        "`evaluation.safety.enabled: true`.",
        json_schema_extra=form("Risk"),
    )
    mitigation_measures: list[Text] = Field(
        [],
        description="What is done against the risks, one measure an entry.",
        json_schema_extra=form("Risk"),
    )
    vulnerable_groups_considered: bool = Field(
        False,
        description="Say true when the effect on children and other vulnerable people was "
        "looked at.",
        json_schema_extra=form("Risk"),
    )


class MonitoringConfig(Section):
    """Watching the model after it is in use."""

    enabled: bool = Field(
        False,
        description="Notes in the documentation that the model is watched in use.",
        json_schema_extra=form("Monitoring"),
    )
    endpoint: Url = Field(
        "",
        description="Address of the monitoring service. Keys and passwords do not belong in it.",
        json_schema_extra=form("Monitoring"),
    )
    endpoint_env: Name | None = Field(
        None,
        description="Name of the environment variable that holds the address.",
        json_schema_extra=form("Monitoring"),
    )
    metrics_export: Literal["none", "prometheus", "datadog", "custom_webhook"] = Field(
        "none",
        description="System that collects the figures.",
        json_schema_extra=form("Monitoring"),
    )
    alert_on_drift: bool = Field(
        True,
        description="Raises an alert when the model's behaviour moves away from what was tested.",
        json_schema_extra=form("Monitoring"),
    )
    check_interval_hours: int = Field(
        24,
        ge=1,
        description="How often the model is checked.",
        json_schema_extra=form("Monitoring", unit="hours"),
    )


class RetentionConfig(Section):
    """How long what a run leaves behind is kept."""

    audit_log_retention_days: int = Field(
        1825,
        ge=0,
        description="How long the audit log is kept. 1825 days are five years.",
        json_schema_extra=form("Retention", unit="days"),
    )
    staging_ttl_days: int = Field(
        7,
        ge=0,
        description="How long a model waits for a person's approval.",
        json_schema_extra=form("Retention", unit="days"),
    )
    ephemeral_artefact_retention_days: int = Field(
        90,
        ge=0,
        description="How long checkpoints and other working files are kept.",
        json_schema_extra=form("Retention", unit="days"),
    )
    raw_documents_retention_days: int = Field(
        90,
        ge=0,
        description="How long the original documents are kept.",
        json_schema_extra=form("Retention", unit="days"),
    )
    enforce: Literal["log_only", "warn_on_excess", "block_on_excess"] = Field(
        "log_only",
        description="What happens when something is older: only the record says so, a warning is "
        "shown, or the run is refused.",
        json_schema_extra=form("Retention"),
    )
