"""Keeping, packing and deleting the checkpoints of a run; needs neither torch nor the run."""

from forgelm.checkpoints._retention import CheckpointSummary, manage_checkpoints

__all__ = ["CheckpointSummary", "manage_checkpoints"]
