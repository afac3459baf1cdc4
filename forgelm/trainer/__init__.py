"""Training: from a config to a model, with every step told to whoever listens."""

from forgelm.runs import Listener, ProgressEvent, ProgressKind, read_progress
from forgelm.trainer._evaluators import Gate
from forgelm.trainer._machine import Machine
from forgelm.trainer._memory_estimate import MemoryEstimate
from forgelm.trainer._model import get_model_and_tokenizer
from forgelm.trainer._preflight import preflight
from forgelm.trainer._preflight_report import (
    DataLook,
    PreflightFinding,
    PreflightReport,
    TokenLengths,
)
from forgelm.trainer._reward_plan import RewardFunction
from forgelm.trainer._rewards import format_reward, gold_answer_reward, length_reward
from forgelm.trainer._trainer import ForgeTrainer
from forgelm.trainer._worker import train_launched

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
