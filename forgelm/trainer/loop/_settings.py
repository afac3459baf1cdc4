"""The settings that decide what a run learns: a checkpoint is of use to no other values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from forgelm._core import sha256_hex
from forgelm.runs import config_to_document
from forgelm.trainer.backend import Ranks

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig
    from forgelm.data import PreparedData

__all__ = ["deciding_settings"]

_BLOCKS = ("model", "lora", "training", "data")
# They change where things go and what is kept, not a single weight.
_FREE = frozenset(
    {
        "model.offline",
        "model.trust_remote_code",
        "training.output_dir",
        "training.final_model_dir",
        "training.merge_adapters",
        "training.save_steps",
        "training.save_total_limit",
        "training.oom_recovery",
        "training.oom_recovery_min_batch_size",
        "training.report_to",
        "training.run_name",
        "training.gpu_cost_per_hour",
        "data.governance",
    }
)
_SAMPLED_ROWS = 256


def deciding_settings(config: ForgeConfig, data: PreparedData, ranks: Ranks) -> dict[str, Any]:
    """Return every setting that differs from its default and decides what is learned.

    The rows count too: how many there are, and a digest of some of them.
    """
    document = config_to_document(config)
    settings = {
        f"{block}.{name}": value
        for block in _BLOCKS
        for name, value in document.get(block, {}).items()
        if f"{block}.{name}" not in _FREE and value != _default(config, block, name)
    }
    train = data.splits["train"]
    return settings | {
        "processes": ranks.count,
        "rows of the train split": len(train),
        "digest of the rows": _sample_digest(train),
    }


def _default(config: ForgeConfig, block: str, name: str) -> Any:
    return type(getattr(config, block)).model_fields[name].get_default()


def _sample_digest(split: Any) -> str:
    places = sorted({i * (len(split) - 1) // (_SAMPLED_ROWS - 1) for i in range(_SAMPLED_ROWS)})
    rows = [split[place] for place in places]
    return sha256_hex(json.dumps(rows, sort_keys=True, default=str).encode())
