"""Writing a changed copy of a data set: masked, without duplicates, split anew."""

from __future__ import annotations

from forgelm.data_audit.copies._deduplicate import DedupSummary, deduplicate_dataset
from forgelm.data_audit.copies._mask import MaskSummary, mask_dataset
from forgelm.data_audit.copies._split import SplitSummary, split_dataset

__all__ = [
    "DedupSummary",
    "MaskSummary",
    "SplitSummary",
    "deduplicate_dataset",
    "mask_dataset",
    "split_dataset",
]
