"""A model that is spread over processes, put together again and proven to be the same."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import MODEL_LOADING, require
from forgelm.errors import TrainingError
from forgelm.export import largest_difference, probe_logits
from forgelm.trainer.backend import Precision
from forgelm.trainer.model._model import load_model

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["GatheredModel", "assemble_model", "gather_model"]

# Largest difference of a logit, as a share of the largest one: processes add up in another order,
# and a GPU computes in fewer bits than the CPU that the whole model is put together on.
_TOLERANCE = 5e-2


@dataclass(frozen=True)
class GatheredModel:
    """What the processes of a run wrote down of the model that they share.

    Attributes:
        folder: The adapter, or every weight, in one piece.
        logits: What the spread model answered to the probe.
    """

    folder: Path
    logits: Any


def gather_model(trainer: Any, folder: Path) -> GatheredModel:
    """Let every process answer the probe and write the model as the Trainer does; all have to ask.

    Args:
        trainer: The Trainer, after its loop.
        folder: A folder to write to, which is not there yet.
    """
    logits = probe_logits(trainer.model, device=trainer.args.device)
    trainer.save_model(str(folder))
    return GatheredModel(folder, logits)


def assemble_model(
    gathered: GatheredModel, config: ForgeConfig, precision: Precision, *, compare: bool = True
) -> Any:
    """Return the whole model on the CPU; for one process alone, and what was gathered is deleted.

    Args:
        gathered: What `gather_model` returned.
        config: The configuration.
        precision: Number formats it was trained with.
        compare: False for a model that broke down: what is no number equals nothing.

    Raises:
        TrainingError: It could not be put together, or does not compute what the spread model did.
    """
    transformers = require("transformers", extra="train", feature="Training")
    peft = require("peft", extra="train", feature="Training")
    torch = require("torch", extra="train", feature="Training")
    alone = replace(precision, device="cpu")
    try:
        with MODEL_LOADING:
            if (gathered.folder / "adapter_config.json").is_file():
                base = load_model(config, alone)
                model = peft.PeftModel.from_pretrained(base, gathered.folder, is_trainable=True)
            else:
                model = transformers.AutoModelForCausalLM.from_pretrained(
                    gathered.folder,
                    dtype=getattr(torch, precision.dtype),
                    trust_remote_code=config.model.trust_remote_code,
                )
        difference = largest_difference(gathered.logits, probe_logits(model))
    except Exception as error:
        told = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise TrainingError(
            f"the model could not be gathered from its processes: {told}. Nothing was saved but "
            "the checkpoints."
        ) from error
    finally:
        shutil.rmtree(gathered.folder, ignore_errors=True)
    if compare and not difference <= _TOLERANCE:
        raise TrainingError(
            "the model that was gathered from its processes does not compute what they trained: "
            f"the logits differ by {difference:.2g} of the largest, {_TOLERANCE:g} is allowed. "
            "Nothing was saved but the checkpoints."
        )
    return model
