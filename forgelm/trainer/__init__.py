"""Training: from a config to a model, with every step told to whoever listens."""

from forgelm.trainer._model import get_model_and_tokenizer
from forgelm.trainer._progress import Listener, ProgressEvent, ProgressKind, read_progress
from forgelm.trainer._trainer import ForgeTrainer

__all__ = [
    "ForgeTrainer",
    "Listener",
    "ProgressEvent",
    "ProgressKind",
    "get_model_and_tokenizer",
    "read_progress",
]
