"""Run directories as the trainer leaves them, made with the public functions alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from forgelm.compliance import (
    AuditLogger,
    RunFacts,
    approve_model,
    export_compliance_documents,
    export_data_governance,
    export_model_documents,
    reject_model,
)

RUN_ID = "fg-0123456789ab"


def write_run(
    run_dir: Path, *, run_id: str = RUN_ID, staged: bool = False, retention: Any = None
) -> Path:
    """Write a run that ended with a model, and return the model's folder."""
    model = run_dir / (f"final_model.staging.{run_id}" if staged else "final_model")
    model.mkdir(parents=True)
    (model / "adapter_model.safetensors").write_bytes(b"weights of " + run_id.encode())
    (model / "tokenizer.json").write_text("{}")
    facts = RunFacts(
        run_id=run_id,
        generated_at="2026-01-02T03:04:05+00:00",
        base_model="acme/base",
        settings={"training": {"trainer_type": "sft"}, "retention": retention},
        metrics={"eval_loss": 0.25},
        resource_usage={"gpu_hours": 0.0},
        declared={
            "compliance": {
                "provider_name": "Acme",
                "system_name": "Desk helper",
                "intended_purpose": "Drafts answers to customers' mail",
            },
            "risk_assessment": {"mitigation_measures": ["A person reads each answer"]},
        },
    )
    log = AuditLogger(run_dir, run_id=run_id)
    log.log_event("pipeline.initialized", model="acme/base", trainer_type="sft")
    if staged:
        log.log_event(
            "human_approval.required",
            gate="human_approval",
            reason="a person has to approve the model",
            metrics={"eval_loss": 0.25},
            staging_path=str(model),
        )
    folder = run_dir / "compliance"
    log.log_event("compliance.governance_exported", artifacts=export_data_governance(facts, folder))
    artifacts = export_model_documents(facts, model)
    log.log_event("model.integrity_verified", model=model.name, artifacts=artifacts)
    export = export_compliance_documents(facts, folder, artifacts)
    log.log_event(
        "compliance.artifacts_exported",
        artifacts=export.artifacts,
        annex_iv_manifest_hash=export.manifest_hash,
        missing_fields=export.missing_fields,
    )
    return model


def _kill_at(step: int) -> None:
    """Kill this process the `step`-th time that it makes a folder or renames something."""
    seen = 0

    def hook(event: str, _: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in ("os.mkdir", "os.rename"):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), 9)

    sys.addaudithook(hook)


if __name__ == "__main__":
    verb, run_dir, step = sys.argv[1:]
    _kill_at(int(step))
    if verb == "approve":
        approve_model(run_dir, approver="ada")
    else:
        reject_model(run_dir, approver="ada", reason="wrong")
    print("finished")
