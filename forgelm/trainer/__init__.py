"""Training: from a config to a model, with every step told to whoever listens."""

from forgelm.trainer._progress import Listener, ProgressEvent, ProgressKind, read_progress

__all__ = ["Listener", "ProgressEvent", "ProgressKind", "read_progress"]
