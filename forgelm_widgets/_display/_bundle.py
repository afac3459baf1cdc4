"""Which result becomes which card, and the MIME bundle of a card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forgelm_widgets._card import Card
from forgelm_widgets._display._audit_report import audit_report_card
from forgelm_widgets._display._forge_config import forge_config_card
from forgelm_widgets._display._quickstart_result import quickstart_result_card
from forgelm_widgets._display._train_result import train_result_card
from forgelm_widgets._display._verify_result import verify_result_card
from forgelm_widgets._html import card_html, card_text

__all__ = ["CARDS", "bundle"]

CARDS: dict[str, Callable[[Any], Card]] = {
    "AuditReport": audit_report_card,
    "ForgeConfig": forge_config_card,
    "QuickstartResult": quickstart_result_card,
    "TrainResult": train_result_card,
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
