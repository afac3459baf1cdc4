"""What files and columns of a data set call its splits."""

from __future__ import annotations

__all__ = ["SPLIT_NAMES"]

# One table for the audit and for training.
SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "eval": "test",
    "holdout": "test",
}
