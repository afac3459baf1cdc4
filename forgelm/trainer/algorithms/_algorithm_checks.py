"""What an algorithm asks of a model, a tokenizer and a Trainer, looked at before time is spent."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.data import one_sided
from forgelm.errors import ConfigError, DataError
from forgelm.trainer.algorithms._algorithms import ALGORITHMS

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["check_answer_room", "check_kept", "check_labels", "check_passed"]

logger = logging.getLogger(__name__)

# Below it, the fewer answers are drowned out by the others.
_FEW_SHARE = 0.2


def check_passed(config: ForgeConfig, model: Any, tokenizer: Any) -> None:
    """Look at a model and a tokenizer that were passed in; give the tokenizer a padding token.

    Raises:
        ConfigError: The model has an adapter and the algorithm needs the model without, or the
            tokenizer has no token to pad with.
    """
    issues = []
    name = config.training.trainer_type
    if model is not None and ALGORITHMS[name].keeps_reference:
        peft = require("peft", extra="train", feature="Training")
        if isinstance(model, peft.PeftModel):
            problem = (
                f"{name} compares the model with where it started, and the one that was passed "
                "has an adapter already; pass the base model (model.merge_and_unload() makes one), "
                "and the adapter of the lora block is attached to it"
            )
            issues.append(("training.trainer_type", problem))
    if tokenizer is not None and tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            problem = "the tokenizer that was passed has no padding or end token; set its pad_token"
            issues.append(("model.name_or_path", problem))
        else:
            tokenizer.pad_token = tokenizer.eos_token
    if issues:
        raise ConfigError(issues=issues)


def check_answer_room(config: ForgeConfig, model: Any, longest_prompt: int) -> None:
    """Raise ConfigError when the model has no positions left for the answers that it writes."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    room = config.training.grpo_max_completion_length
    if not ALGORITHMS[config.training.trainer_type].is_rewarded or not positions:
        return
    if longest_prompt + room > positions:
        left = positions - longest_prompt
        advice = f"set it to {left} or less" if left > 0 else "set model.max_length lower"
        problem = (
            f"prompts are up to {longest_prompt} tokens long, answers may have {room}, and the "
            f"model takes {positions}; {advice}"
        )
        raise ConfigError(issues=[("training.grpo_max_completion_length", problem)])


def check_labels(config: ForgeConfig, train: Any) -> None:
    """Look whether kto has answers of both kinds to learn from; warn where one kind is rare.

    Raises:
        DataError: Every answer has the same label.
    """
    if config.training.trainer_type != "kto":
        return
    good = sum(train["label"])
    bad = len(train) - good
    problem = one_sided(good, bad)
    if problem:
        raise DataError(f"{problem}.")
    if min(good, bad) < _FEW_SHARE * len(train):
        logger.warning(
            "%d answers are good and %d bad: the fewer are drowned out; repeat their rows "
            "(data.extra_datasets, data.mix_ratio) or leave out others", good, bad,
        )  # fmt: skip


def check_kept(trainer: Any, splits: Mapping[str, Any]) -> None:
    """Raise DataError when the Trainer took fewer rows, or tokens, than it was given.

    TRL drops rows without a word where it finds nothing to learn from.
    """
    for name, kept in (("train", trainer.train_dataset), ("validation", trainer.eval_dataset)):
        given = splits.get(name)
        if given is None or kept is None:
            continue
        unit, before, after = "rows", len(given), len(kept)
        if "seq_lengths" in kept.column_names:  # packed: several rows are one
            unit, before, after = "tokens", _tokens(given), _tokens(kept)
        if after < before:
            raise DataError(
                f"the Trainer keeps {after} of {before} {name} {unit} and does not say why; "
                "raise model.max_length, or leave out rows that are almost as long."
            )


def _tokens(dataset: Any) -> int:
    compute = require("pyarrow.compute", extra="train", feature="Training")
    lengths = compute.list_value_length(dataset.data.column("input_ids"))
    return compute.sum(lengths).as_py() or 0
