"""The table of training algorithms: which TRL classes run them, with which arguments."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import TrainingError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["ALGORITHMS", "Algorithm"]


@dataclass(frozen=True)
class Algorithm:
    """One training algorithm.

    Attributes:
        module: Where TRL keeps its classes.
        trainer: Name of the trainer class.
        config: Name of its configuration class.
        arguments: The algorithm's own arguments, from the config.
        judged_by: The figure of an evaluation that says how good the model is.
        greater_is_better: Whether a higher figure is a better model.
        judged_name: That figure in words, for messages.
        keeps_reference: It measures the model against where it started, so that it has to attach
            the adapter itself: given a model with one, TRL saves a second adapter beside it.
        is_rewarded: It learns from rewards for answers that the model writes itself.
        smallest_batch: The fewest rows a batch may have.
    """

    module: str
    trainer: str
    config: str
    arguments: Callable[[ForgeConfig], dict[str, Any]]
    judged_by: str = "eval_loss"
    greater_is_better: bool = False
    judged_name: str = "evaluation loss"
    keeps_reference: bool = False
    is_rewarded: bool = False
    smallest_batch: int = 1

    def classes(self) -> tuple[Any, type]:
        """Return the trainer class and its configuration class.

        Raises:
            TrainingError: The installed TRL has no such class.
        """
        os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"  # a note to TRL's users, not to ours
        module = require(self.module, extra="train", feature="Training")
        try:
            return getattr(module, self.trainer), getattr(module, self.config)
        except AttributeError as error:
            raise TrainingError(
                f"the installed TRL has no {error.name} in {self.module}. "
                "Install a release that has: pip install 'forgelm[train]'."
            ) from error


def _sft(config: ForgeConfig) -> dict[str, Any]:
    packing = config.training.packing
    # Rows come truncated; only packing needs to know the length. "wrapped" would let one document
    # see the one before it.
    return {
        "packing": packing,
        "packing_strategy": "bfd",
        "max_length": config.model.max_length if packing else None,
    }


def _dpo(config: ForgeConfig) -> dict[str, Any]:
    return {"beta": config.training.dpo_beta, "max_length": config.model.max_length}


def _kto(config: ForgeConfig) -> dict[str, Any]:
    return {
        "beta": config.training.kto_beta,
        "max_length": config.model.max_length,
        # It pairs each answer with a neighbour's prompt, so batches have to keep their rows.
        "train_sampling_strategy": "sequential",
    }


def _orpo(config: ForgeConfig) -> dict[str, Any]:
    return {
        "beta": config.training.orpo_beta,
        "max_length": config.model.max_length,
        "remove_unused_columns": False,
    }


def _simpo(config: ForgeConfig) -> dict[str, Any]:
    """Return CPO's arguments that make it SimPO.

    Source: Meng, Xia, Chen, "SimPO", NeurIPS 2024: no reference model and no likelihood term.
    """
    return {
        "loss_type": "simpo",
        "cpo_alpha": 0.0,
        "beta": config.training.simpo_beta,
        "simpo_gamma": config.training.simpo_gamma,
        "max_length": config.model.max_length,
        "remove_unused_columns": False,
    }


def _grpo(config: ForgeConfig) -> dict[str, Any]:
    training = config.training
    answers = training.grpo_num_generations
    batches = -(-training.per_device_train_batch_size // answers)
    return {
        "num_generations": answers,
        "max_completion_length": training.grpo_max_completion_length,
        # Evaluation, too, needs whole groups of answers in a batch.
        "per_device_eval_batch_size": batches * answers,
        "shuffle_dataset": config.data.shuffle,
    }


ALGORITHMS: dict[str, Algorithm] = {
    "sft": Algorithm("trl", "SFTTrainer", "SFTConfig", _sft),
    "dpo": Algorithm("trl", "DPOTrainer", "DPOConfig", _dpo, keeps_reference=True),
    "kto": Algorithm(
        "trl", "KTOTrainer", "KTOConfig", _kto, keeps_reference=True, smallest_batch=2
    ),
    "orpo": Algorithm("trl.experimental.orpo", "ORPOTrainer", "ORPOConfig", _orpo),
    "simpo": Algorithm("trl.experimental.cpo", "CPOTrainer", "CPOConfig", _simpo),
    "grpo": Algorithm(
        "trl",
        "GRPOTrainer",
        "GRPOConfig",
        _grpo,
        # Its loss says nothing: it is near zero by construction.
        judged_by="eval_reward",
        greater_is_better=True,
        judged_name="mean reward",
        is_rewarded=True,
    ),
}
