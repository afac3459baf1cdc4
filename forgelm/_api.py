"""The one table of public names: name -> (module that defines it, stability tier).

`forgelm.__all__`, `dir(forgelm)`, the type checkers' view and the tier column of
`docs/reference/api.md` are each tested against it.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["EXPORTS", "Tier"]

Tier = Literal["Stable", "Experimental"]

EXPORTS: dict[str, tuple[str, Tier]] = {
    "AuditDiff": ("forgelm.data_audit", "Experimental"),
    "AuditLogger": ("forgelm.compliance", "Stable"),
    "AuditReport": ("forgelm.data_audit", "Stable"),
    "ConfigError": ("forgelm.errors", "Stable"),
    "ConfigField": ("forgelm.config", "Experimental"),
    "DedupSummary": ("forgelm.data_audit", "Experimental"),
    "ExportResult": ("forgelm.export", "Experimental"),
    "FindingsFile": ("forgelm.data_audit", "Experimental"),
    "ForgeConfig": ("forgelm.config", "Stable"),
    "ForgeTrainer": ("forgelm.trainer", "Stable"),
    "MaskSummary": ("forgelm.data_audit", "Experimental"),
    "MemoryEstimate": ("forgelm.trainer", "Experimental"),
    "MergeResult": ("forgelm.export", "Experimental"),
    "PreflightFinding": ("forgelm.trainer", "Experimental"),
    "PreflightReport": ("forgelm.trainer", "Experimental"),
    "ProgressEvent": ("forgelm.runs", "Experimental"),
    "ProgressTail": ("forgelm.runs", "Experimental"),
    "QualityCheck": ("forgelm.data_audit", "Experimental"),
    "QualityFlag": ("forgelm.data_audit", "Experimental"),
    "QuickstartResult": ("forgelm.quickstart", "Experimental"),
    "Run": ("forgelm.runs", "Experimental"),
    "RunStatus": ("forgelm.runs", "Experimental"),
    "SplitSummary": ("forgelm.data_audit", "Experimental"),
    "TrainResult": ("forgelm.results", "Stable"),
    "Verdict": ("forgelm.results", "Experimental"),
    "VerifyResult": ("forgelm.compliance", "Stable"),
    "__api_version__": ("forgelm._version", "Stable"),
    "__version__": ("forgelm._version", "Stable"),
    "attach_run": ("forgelm.runs", "Experimental"),
    "audit_dataset": ("forgelm.data_audit", "Stable"),
    "audit_diff": ("forgelm.data_audit", "Experimental"),
    "compute_minhash": ("forgelm.data_audit", "Experimental"),
    "compute_simhash": ("forgelm.data_audit", "Experimental"),
    "deduplicate_dataset": ("forgelm.data_audit", "Experimental"),
    "describe_config": ("forgelm.config", "Experimental"),
    "detect_pii": ("forgelm.data_audit", "Stable"),
    "detect_secrets": ("forgelm.data_audit", "Stable"),
    "export_gguf": ("forgelm.export", "Experimental"),
    "find_pii": ("forgelm.data_audit", "Experimental"),
    "find_secrets": ("forgelm.data_audit", "Experimental"),
    "get_model_and_tokenizer": ("forgelm.trainer", "Experimental"),
    "launch_run": ("forgelm.runs", "Experimental"),
    "list_quality_checks": ("forgelm.data_audit", "Experimental"),
    "list_runs": ("forgelm.runs", "Experimental"),
    "load_config": ("forgelm.config", "Stable"),
    "mask_dataset": ("forgelm.data_audit", "Experimental"),
    "mask_pii": ("forgelm.data_audit", "Stable"),
    "mask_secrets": ("forgelm.data_audit", "Stable"),
    "merge_adapter": ("forgelm.export", "Experimental"),
    "merge_models": ("forgelm.export", "Experimental"),
    "parse_config": ("forgelm.config", "Experimental"),
    "preflight": ("forgelm.trainer", "Experimental"),
    "prepare_dataset": ("forgelm.data", "Experimental"),
    "quality_flags": ("forgelm.data_audit", "Experimental"),
    "read_findings": ("forgelm.data_audit", "Experimental"),
    "read_progress": ("forgelm.runs", "Experimental"),
    "resume_run": ("forgelm.runs", "Experimental"),
    "run_quickstart": ("forgelm.quickstart", "Experimental"),
    "split_dataset": ("forgelm.data_audit", "Experimental"),
    "verify_audit_log": ("forgelm.compliance", "Stable"),
}
