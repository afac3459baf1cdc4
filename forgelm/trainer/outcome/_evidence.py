"""The documents of a run that left a model: what is known is gathered here, and written."""

from __future__ import annotations

import json
import logging
import platform
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from forgelm.compliance import (
    RunFacts,
    export_compliance_documents,
    export_data_governance,
    export_model_documents,
)
from forgelm.data import DataSummary
from forgelm.results import TrainResult, Verdict
from forgelm.trainer.outcome._record import RunRecord

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["write_evidence"]

logger = logging.getLogger(__name__)

_FOLDER = "compliance"
_PACKAGES = ("accelerate", "datasets", "peft", "tokenizers", "torch", "transformers", "trl")
_MAX_REPORT_BYTES = 8 * 1024 * 1024


def write_evidence(
    config: ForgeConfig,
    record: RunRecord,
    run_dir: Path,
    result: TrainResult,
    data: DataSummary,
    *,
    has_model: bool,
    has_data: bool,
) -> None:
    """Write the documents of a run that ended with a model, and record their digests in its log.

    A document that cannot be written is logged, recorded, and said in a skipped verdict; the model
    stands all the same.

    Args:
        config: The configuration.
        record: The run's audit log.
        run_dir: Its folder.
        result: What came out.
        data: What became of the rows.
        has_model: The model was handed over, not loaded as configured.
        has_data: The rows were handed over, not read from the configured data sets.
    """
    model = result.staging_path or result.final_model_path
    if model is None:
        return
    logger.info("writing the run's documents")
    facts = _gathered(config, record, run_dir, result, data)
    if has_model:
        facts = replace(facts, base_model=None)
    if has_data:
        facts = replace(facts, datasets=())
    folder = run_dir / _FOLDER
    try:
        _set_aside(folder, run_dir, record.run_id)
        governance = export_data_governance(facts, folder)
        record.wrote("compliance.governance_exported", artifacts=governance)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost a trained model
        _failed(record, result, "compliance.governance_failed", error)
    try:
        artifacts = export_model_documents(facts, model)
        record.wrote("model.integrity_verified", model=Path(model).name, artifacts=artifacts)
        export = export_compliance_documents(facts, folder, artifacts)
        record.wrote(
            "compliance.artifacts_exported",
            artifacts=export.artifacts,
            annex_iv_manifest_hash=export.manifest_hash,
            missing_fields=export.missing_fields,
            changed_data=export.changed_data,
            changed_model=export.changed_model,
        )
        changed = [*export.changed_data, *export.changed_model]
        if changed:
            logger.warning("files changed after they were read: %s", ", ".join(changed))
    except Exception as error:  # noqa: BLE001 - the same
        _failed(record, result, "compliance.artifacts_export_failed", error)


def _failed(record: RunRecord, result: TrainResult, event: str, error: Exception) -> None:
    logger.error("the run's documents are not complete: %s", error)
    reason = f"the run's documents are not complete: {event} in the audit log"
    result.verdicts.append(Verdict("documents", "skipped", reason))
    record.wrote(event, error=type(error).__name__)


def _set_aside(folder: Path, run_dir: Path, run_id: str) -> None:
    """Keep the documents of an earlier run beside its model, which was set aside likewise."""
    if folder.exists():
        target = run_dir / "earlier" / f"before-{run_id}"
        target.mkdir(parents=True, exist_ok=True)
        folder.rename(target / _FOLDER)


def _gathered(
    config: ForgeConfig,
    record: RunRecord,
    run_dir: Path,
    result: TrainResult,
    data: DataSummary,
) -> RunFacts:
    return RunFacts(
        run_id=record.run_id,
        generated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        config_hash=result.config_hash,
        started_at=record.started_at.isoformat(timespec="microseconds"),
        settings=yaml.safe_load(config.to_yaml(include_defaults=True)),
        declared=_declared(config),
        data=data.to_dict(),
        base_model=config.model.name_or_path,
        datasets=(config.data.dataset_name_or_path, *(config.data.extra_datasets or ())),
        digests_when_read=record.data_digests,
        model_digests_when_read=record.model_digests,
        metrics=dict(result.metrics),
        evaluation=_evaluation(result),
        resource_usage=result.resource_usage or {},
        software=_software(),
        data_audit=_data_audit(run_dir / "data_audit_report.json"),
    )


def _declared(config: ForgeConfig) -> dict[str, dict[str, Any]]:
    """Return what a person wrote; a default is no declaration."""
    blocks = {
        "compliance": config.compliance,
        "risk_assessment": config.risk_assessment,
        "monitoring": config.monitoring,
        "governance": config.data.governance,
        "retention": config.retention,
    }
    return {
        name: block.model_dump(mode="json", exclude_unset=True)
        for name, block in blocks.items()
        if block is not None
    }


def _evaluation(result: TrainResult) -> dict[str, Any]:
    names = (
        "benchmark_scores", "benchmark_average", "benchmark_passed", "safety_passed",
        "safety_score", "safety_categories", "safety_severity", "judge_score",
    )  # fmt: skip
    measured = {name: getattr(result, name) for name in names}
    return {
        "verdicts": [asdict(verdict) for verdict in result.verdicts],
        **{name: value for name, value in measured.items() if value is not None},
    }


def _software() -> dict[str, str]:
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _data_audit(path: Path) -> dict[str, Any] | None:
    """Return the report of a data audit that was written into the run's folder."""
    try:
        if path.stat().st_size > _MAX_REPORT_BYTES:
            return None
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return report if isinstance(report, dict) else None
