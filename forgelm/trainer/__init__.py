"""Training: from a config to a model, with every step told to whoever listens."""

from forgelm.runs import Listener, ProgressEvent, ProgressKind, read_progress
from forgelm.trainer._preflight import preflight
from forgelm.trainer._trainer import ForgeTrainer
from forgelm.trainer._worker import train_launched
from forgelm.trainer.algorithms import (
    RewardFunction,
    format_reward,
    gold_answer_reward,
    length_reward,
)
from forgelm.trainer.backend import Machine
from forgelm.trainer.model import get_model_and_tokenizer
from forgelm.trainer.outcome import Gate
from forgelm.trainer.planning import (
    DataLook,
    MemoryEstimate,
    PreflightFinding,
    PreflightReport,
    TokenLengths,
)

__all__ = [
    "DataLook",
    "ForgeTrainer",
    "Gate",
    "Listener",
    "Machine",
    "MemoryEstimate",
    "PreflightFinding",
    "PreflightReport",
    "ProgressEvent",
    "ProgressKind",
    "RewardFunction",
    "TokenLengths",
    "format_reward",
    "get_model_and_tokenizer",
    "gold_answer_reward",
    "length_reward",
    "preflight",
    "read_progress",
    "train_launched",
]
