"""Which result becomes which card, and the MIME bundle of a card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forgelm_widgets._card import Card
from forgelm_widgets._display._artefact_results import (
    verify_annex_iv_card,
    verify_gguf_card,
    verify_integrity_card,
)
from forgelm_widgets._display._audit_report import audit_report_card
from forgelm_widgets._display._data_copies import (
    audit_diff_card,
    dedup_summary_card,
    mask_summary_card,
    split_summary_card,
)
from forgelm_widgets._display._doctor_report import doctor_report_card
from forgelm_widgets._display._exports import export_result_card, merge_result_card
from forgelm_widgets._display._forge_config import forge_config_card
from forgelm_widgets._display._preflight_report import preflight_report_card
from forgelm_widgets._display._quickstart_result import quickstart_result_card
from forgelm_widgets._display._runs import run_card, run_list_card, run_status_card
from forgelm_widgets._display._train_result import train_result_card
from forgelm_widgets._display._verify_result import verify_result_card
from forgelm_widgets._html import card_html, card_text

__all__ = ["CARDS", "bundle"]

CARDS: dict[str, Callable[[Any], Card]] = {
    "AuditDiff": audit_diff_card,
    "AuditReport": audit_report_card,
    "DedupSummary": dedup_summary_card,
    "DoctorReport": doctor_report_card,
    "ExportResult": export_result_card,
    "ForgeConfig": forge_config_card,
    "MaskSummary": mask_summary_card,
    "MergeResult": merge_result_card,
    "PreflightReport": preflight_report_card,
    "QuickstartResult": quickstart_result_card,
    "Run": run_card,
    "RunList": run_list_card,
    "RunStatus": run_status_card,
    "SplitSummary": split_summary_card,
    "TrainResult": train_result_card,
    "VerifyAnnexIVResult": verify_annex_iv_card,
    "VerifyGgufResult": verify_gguf_card,
    "VerifyIntegrityResult": verify_integrity_card,
    "VerifyResult": verify_result_card,
}
"""Public name of a result -> what makes its card."""


def bundle(card: Card) -> dict[str, Any]:
    """Return the MIME bundle of `card`: its own type, sanitiser-safe HTML, and plain text."""
    shown = card.safe()
    return {
        f"application/vnd.forgelm.{shown.kind}+json": shown.to_json(),
        "text/html": card_html(shown),
        "text/plain": card_text(shown),
    }
