"""A quickstart as a card: found, masked, trained, verified, and where everything lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Table
from forgelm_widgets._display._audit_report import audit_report_card
from forgelm_widgets._display._train_result import train_result_card
from forgelm_widgets._display._verify_result import verify_result_card
from forgelm_widgets._text import plural

if TYPE_CHECKING:
    from forgelm import QuickstartResult

__all__ = ["quickstart_result_card"]


def quickstart_result_card(result: QuickstartResult) -> Card:
    """Return the whole quickstart as a card: one line a stage, with the training's curve."""
    training = train_result_card(result.training)
    replaced = plural(sum(result.masked.counts.values()), "finding")
    stages = [
        ("Audit", audit_report_card(result.audit_before).headline),
        ("Masking", f"{replaced} replaced in {plural(result.masked.rows_masked, 'row')}"),
        ("Audit after masking", audit_report_card(result.audit_after).headline),
        ("Training", training.headline),
        ("Record", verify_result_card(result.verification).headline),
    ]
    done = result.training.success and result.verification.valid
    paths = {
        "Data as it was": result.data_path,
        "Data masked": result.masked_path,
        "Configuration": result.config_path,
        "Base model": result.model_path,
        "Final model": result.training.final_model_path,
        "Everything": result.run_dir,
    }
    return Card(
        kind="quickstart-result",
        label="Quickstart",
        mark="ok" if done else "bad",
        headline="Audited, masked, trained and verified"
        if done
        else "The quickstart did not end well; the table says where",
        figures=training.figures,
        curves={name: curve for name, curve in training.curves.items() if name != "loss"},
        picture_text=training.picture_text,
        tables=[
            Table("What happened", ("Stage", "Outcome"), stages),
            Table("Where it lies", ("What", "Path"), [(k, str(v)) for k, v in paths.items() if v]),
        ],
    )
