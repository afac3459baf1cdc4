"""From a trained model to one that others can run: merged adapters, merged models, GGUF."""

from forgelm.export._adapter import BASE_SETTINGS, MergeResult, merge_adapter, merge_into
from forgelm.export._gguf import ExportResult, export_gguf
from forgelm.export._models import merge_issues, merge_models
from forgelm.export._probe import free_weights, largest_difference, probe_logits

__all__ = [
    "BASE_SETTINGS",
    "ExportResult",
    "MergeResult",
    "export_gguf",
    "free_weights",
    "largest_difference",
    "merge_adapter",
    "merge_into",
    "merge_issues",
    "merge_models",
    "probe_logits",
]
