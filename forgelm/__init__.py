"""Fine-tune a language model, with evidence that stands up to an auditor.

Every public name is resolved on first access, so `import forgelm` loads nothing heavy.
"""

from typing import TYPE_CHECKING

__all__ = [
    "ApprovalResult",
    "AuditDiff",
    "AuditLogger",
    "AuditReport",
    "BenchmarkResult",
    "Checkpoint",
    "CheckpointSummary",
    "ConfigError",
    "ConfigField",
    "ConsistencyProof",
    "DedupSummary",
    "DoctorCheck",
    "DoctorReport",
    "EvaluationReport",
    "EvidenceBundle",
    "EvidenceVerdict",
    "ExportResult",
    "FindingsFile",
    "ForgeConfig",
    "ForgeTrainer",
    "InclusionProof",
    "JudgeResult",
    "LogHead",
    "MaskSummary",
    "MemoryEstimate",
    "MergeResult",
    "PendingApproval",
    "Personal",
    "PreflightFinding",
    "PreflightReport",
    "ProgressEvent",
    "ProgressTail",
    "ProofResult",
    "QualityCheck",
    "QualityFlag",
    "QuickstartResult",
    "Run",
    "RunStatus",
    "SafetyResult",
    "SeedFailure",
    "SplitSummary",
    "SyntheticDataGenerator",
    "SyntheticResult",
    "TimestampResult",
    "TrainResult",
    "Verdict",
    "VerifyAnnexIVResult",
    "VerifyGgufResult",
    "VerifyIntegrityResult",
    "VerifyResult",
    "WebhookNotifier",
    "WebhookOutcome",
    "__api_version__",
    "__version__",
    "anchor_checkpoint",
    "approve_model",
    "attach_run",
    "audit_dataset",
    "audit_diff",
    "build_evidence_bundle",
    "compute_minhash",
    "compute_simhash",
    "consistency_proof",
    "create_signing_key",
    "deduplicate_dataset",
    "describe_config",
    "detect_pii",
    "detect_secrets",
    "doctor",
    "evaluate_model",
    "evaluate_safety",
    "export_gguf",
    "find_pii",
    "find_secrets",
    "get_model_and_tokenizer",
    "inclusion_proof",
    "judge_answers",
    "launch_run",
    "list_approvals",
    "list_quality_checks",
    "list_runs",
    "load_config",
    "manage_checkpoints",
    "mask_dataset",
    "mask_pii",
    "mask_secrets",
    "merge_adapter",
    "merge_models",
    "parse_config",
    "preflight",
    "prepare_dataset",
    "quality_flags",
    "read_checkpoints",
    "read_findings",
    "read_progress",
    "reject_model",
    "resume_run",
    "run_benchmark",
    "run_quickstart",
    "setup_authentication",
    "sign_checkpoint",
    "sign_model",
    "split_dataset",
    "timestamp_checkpoint",
    "verify_annex_iv_artifact",
    "verify_audit_log",
    "verify_consistency",
    "verify_evidence",
    "verify_gguf",
    "verify_inclusion",
    "verify_integrity",
    "verify_model_signature",
    "verify_timestamp",
]

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from forgelm._version import __api_version__, __version__
    from forgelm.auth import setup_authentication
    from forgelm.checkpoints import CheckpointSummary, manage_checkpoints
    from forgelm.compliance import (
        ApprovalResult,
        AuditLogger,
        Checkpoint,
        ConsistencyProof,
        EvidenceBundle,
        EvidenceVerdict,
        InclusionProof,
        LogHead,
        PendingApproval,
        Personal,
        ProofResult,
        TimestampResult,
        VerifyAnnexIVResult,
        VerifyGgufResult,
        VerifyIntegrityResult,
        VerifyResult,
        anchor_checkpoint,
        approve_model,
        build_evidence_bundle,
        consistency_proof,
        create_signing_key,
        inclusion_proof,
        list_approvals,
        read_checkpoints,
        reject_model,
        sign_checkpoint,
        sign_model,
        timestamp_checkpoint,
        verify_annex_iv_artifact,
        verify_audit_log,
        verify_consistency,
        verify_evidence,
        verify_gguf,
        verify_inclusion,
        verify_integrity,
        verify_model_signature,
        verify_timestamp,
    )
    from forgelm.config import ConfigField, ForgeConfig, describe_config, load_config, parse_config
    from forgelm.data import prepare_dataset
    from forgelm.data_audit import (
        AuditDiff,
        AuditReport,
        DedupSummary,
        FindingsFile,
        MaskSummary,
        QualityCheck,
        QualityFlag,
        SplitSummary,
        audit_dataset,
        audit_diff,
        compute_minhash,
        compute_simhash,
        deduplicate_dataset,
        detect_pii,
        detect_secrets,
        find_pii,
        find_secrets,
        list_quality_checks,
        mask_dataset,
        mask_pii,
        mask_secrets,
        quality_flags,
        read_findings,
        split_dataset,
    )
    from forgelm.errors import ConfigError
    from forgelm.evaluation import (
        BenchmarkResult,
        EvaluationReport,
        JudgeResult,
        SafetyResult,
        evaluate_model,
        evaluate_safety,
        judge_answers,
        run_benchmark,
    )
    from forgelm.export import ExportResult, MergeResult, export_gguf, merge_adapter, merge_models
    from forgelm.installation import DoctorCheck, DoctorReport, doctor
    from forgelm.quickstart import QuickstartResult, run_quickstart
    from forgelm.results import TrainResult, Verdict
    from forgelm.runs import (
        ProgressEvent,
        ProgressTail,
        Run,
        RunStatus,
        attach_run,
        launch_run,
        list_runs,
        read_progress,
        resume_run,
    )
    from forgelm.synthetic import SeedFailure, SyntheticDataGenerator, SyntheticResult
    from forgelm.trainer import (
        ForgeTrainer,
        MemoryEstimate,
        PreflightFinding,
        PreflightReport,
        get_model_and_tokenizer,
        preflight,
    )
    from forgelm.webhook import WebhookNotifier, WebhookOutcome
else:

    def __getattr__(name):
        import importlib

        from forgelm._api import EXPORTS

        if name not in EXPORTS:
            raise AttributeError(f"module 'forgelm' has no attribute {name!r}")
        value = getattr(importlib.import_module(EXPORTS[name][0]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(ipython: "InteractiveShell") -> None:
    """Run by `%load_ext forgelm`: hand over to the interactive layer."""
    import forgelm_widgets

    forgelm_widgets.load_ipython_extension(ipython)


def unload_ipython_extension(ipython: "InteractiveShell") -> None:
    """Run by `%unload_ext forgelm`: take away exactly what loading added."""
    import forgelm_widgets

    forgelm_widgets.unload_ipython_extension(ipython)
