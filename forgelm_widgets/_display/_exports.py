"""An exported model file and a merged model as cards: where it lies and what was compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Mark, Table
from forgelm_widgets._text import count, plural, size

if TYPE_CHECKING:
    from forgelm import ExportResult, MergeResult

__all__ = ["export_result_card", "merge_result_card"]


def export_result_card(result: ExportResult) -> Card:
    """Return a GGUF file as a card, with its digest and how far its logits are off."""
    mark, compared = _compared(result.largest_difference, result.tolerance)
    rows = [
        ("File", str(result.path)),
        ("SHA-256", result.sha256),
        ("Digest of each tensor", str(result.digests_path)),
    ]
    return Card(
        kind="export-result",
        label=f"GGUF export, {result.architecture}",
        mark=mark,
        headline=f"Written as {result.dtype}; {compared}",
        figures=[
            Figure(size(result.size_bytes), "size"),
            Figure(count(result.tensor_count), "tensors"),
            Figure(result.dtype, "number format"),
        ],
        tables=[Table("Where it lies", ("What", "Value"), rows)],
    )


def merge_result_card(result: MergeResult) -> Card:
    """Return a merged model as a card: of what, how, and how far its logits are off."""
    mark, compared = _compared(result.largest_difference, result.tolerance)
    if result.method != "adapter":
        mark, compared = "ok", "there is no model it should be equal to"
    rows = [(number, source) for number, source in enumerate(result.sources, start=1)]
    return Card(
        kind="merge-result",
        label="Merged model",
        mark=mark,
        headline=f"{plural(len(rows), 'model')} merged ({result.method}); {compared}",
        tables=[
            Table("Made of", ("Place", "Model"), rows),
            Table("Where it lies", ("What", "Path"), [("Merged model", str(result.path))]),
        ],
    )


def _compared(difference: float | None, tolerance: float | None) -> tuple[Mark, str]:
    if difference is None or tolerance is None:
        return "attention", "its logits were not compared with the model's"
    allowed = f"its logits differ by {difference:.1e} of the largest, {tolerance:.1e} is allowed"
    return "ok", allowed
