"""Which result becomes which card, and the MIME bundle of a card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forgelm_widgets._card import Card
from forgelm_widgets._display._approvals import approval_result_card, pending_approval_card
from forgelm_widgets._display._artefact_results import (
    verify_annex_iv_card,
    verify_gguf_card,
    verify_integrity_card,
)
from forgelm_widgets._display._audit_report import audit_report_card
from forgelm_widgets._display._checkpoint_summary import checkpoint_summary_card
from forgelm_widgets._display._data_copies import (
    audit_diff_card,
    dedup_summary_card,
    mask_summary_card,
    split_summary_card,
)
from forgelm_widgets._display._doctor_report import doctor_report_card
from forgelm_widgets._display._evaluations import (
    benchmark_result_card,
    evaluation_report_card,
    judge_result_card,
    safety_result_card,
)
from forgelm_widgets._display._evidence import (
    checkpoint_card,
    evidence_bundle_card,
    evidence_verdict_card,
    proof_result_card,
    timestamp_result_card,
)
from forgelm_widgets._display._exports import export_result_card, merge_result_card
from forgelm_widgets._display._findings import findings_file_card
from forgelm_widgets._display._forge_config import config_field_card, forge_config_card
from forgelm_widgets._display._lists import LISTS
from forgelm_widgets._display._preflight_report import memory_estimate_card, preflight_report_card
from forgelm_widgets._display._quickstart_result import quickstart_result_card
from forgelm_widgets._display._runs import run_card, run_list_card, run_status_card
from forgelm_widgets._display._synthetic_result import synthetic_result_card
from forgelm_widgets._display._train_result import train_result_card
from forgelm_widgets._display._verify_result import verify_result_card
from forgelm_widgets._html import card_html, card_text

__all__ = ["CARDS", "bundle", "card_of"]

CARDS: dict[str, Callable[[Any], Card]] = {
    "ApprovalResult": approval_result_card,
    "AuditDiff": audit_diff_card,
    "AuditReport": audit_report_card,
    "BenchmarkResult": benchmark_result_card,
    "Checkpoint": checkpoint_card,
    "CheckpointSummary": checkpoint_summary_card,
    "ConfigField": config_field_card,
    "DedupSummary": dedup_summary_card,
    "DoctorReport": doctor_report_card,
    "EvaluationReport": evaluation_report_card,
    "EvidenceBundle": evidence_bundle_card,
    "EvidenceVerdict": evidence_verdict_card,
    "ExportResult": export_result_card,
    "FindingsFile": findings_file_card,
    "ForgeConfig": forge_config_card,
    "JudgeResult": judge_result_card,
    "MaskSummary": mask_summary_card,
    "MemoryEstimate": memory_estimate_card,
    "MergeResult": merge_result_card,
    "PendingApproval": pending_approval_card,
    "PreflightReport": preflight_report_card,
    "ProofResult": proof_result_card,
    "QuickstartResult": quickstart_result_card,
    "Run": run_card,
    "RunList": run_list_card,
    "RunStatus": run_status_card,
    "SafetyResult": safety_result_card,
    "SplitSummary": split_summary_card,
    "SyntheticResult": synthetic_result_card,
    "TimestampResult": timestamp_result_card,
    "TrainResult": train_result_card,
    "VerifyAnnexIVResult": verify_annex_iv_card,
    "VerifyGgufResult": verify_gguf_card,
    "VerifyIntegrityResult": verify_integrity_card,
    "VerifyResult": verify_result_card,
}
"""Public name of a result -> what makes its card."""


def card_of(result: Any) -> Card | None:
    """Return the card of a result, or of a list of results; None for anything else."""
    items = result if type(result) is list else ()
    # A list shows itself as a whole only where all of it is of one kind of ours.
    kinds = {type(item) for item in items[:1]}
    if items and all(type(item) in kinds for item in items):
        [kind] = kinds
        make = LISTS.get(kind.__name__) if kind.__module__.startswith("forgelm.") else None
        return make(items) if make else None
    make = CARDS.get(type(result).__name__)
    return make(result) if make else None


def bundle(card: Card) -> dict[str, Any]:
    """Return the MIME bundle of `card`: its own type, sanitiser-safe HTML, and plain text."""
    shown = card.safe()
    return {
        f"application/vnd.forgelm.{shown.kind}+json": shown.to_json(),
        "text/html": card_html(shown),
        "text/plain": card_text(shown),
    }
