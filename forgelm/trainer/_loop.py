"""Running one algorithm's Trainer over prepared data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.trainer._algorithms import ALGORITHMS
from forgelm.trainer._arguments import build_arguments
from forgelm.trainer._callbacks import StepWatcher, StoppedEarlyError, trainer_callback
from forgelm.trainer._model import lora_config

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["LoopOutcome", "build_trainer", "run_loop"]


@dataclass(frozen=True)
class LoopOutcome:
    """What came out of the loop.

    Attributes:
        model: The trained model: the best checkpoint's weights where there was evaluation.
        metrics: The Trainer's figures, `eval_loss` of `model` and `baseline_eval_loss`.
    """

    model: Any
    metrics: dict[str, float]


def build_trainer(
    config: ForgeConfig,
    model: Any,
    tokenizer: Any,
    splits: Mapping[str, Any],
    arguments: Mapping[str, Any],
) -> Any:
    """Return the algorithm's Trainer, quiet, with early stopping where it can evaluate.

    Args:
        config: The configuration.
        model: The base model, or one with an adapter already.
        tokenizer: Its tokenizer.
        splits: `train`, and `validation` to evaluate on.
        arguments: What `common_arguments` returned.
    """
    transformers = require("transformers", extra="train", feature="Training")
    peft = require("peft", extra="train", feature="Training")
    algorithm = ALGORITHMS[config.training.trainer_type]
    trainer_class, config_class = algorithm.classes()
    callbacks = []
    if "validation" in splits:
        patience = config.training.early_stopping_patience
        callbacks.append(transformers.EarlyStoppingCallback(early_stopping_patience=patience))
    trainer = trainer_class(
        model=model,
        args=build_arguments(config_class, {**arguments, **algorithm.arguments(config)}),
        train_dataset=splits["train"],
        eval_dataset=splits.get("validation"),
        processing_class=tokenizer,
        peft_config=None if isinstance(model, peft.PeftModel) else lora_config(config, model),
        callbacks=callbacks,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    # TRL would write a README.md of its own into the output directory at every checkpoint.
    trainer.create_model_card = _no_model_card
    return trainer


def run_loop(trainer: Any, watcher: StepWatcher) -> LoopOutcome:
    """Train until the end, a stop request or a loss that is no number.

    Raises:
        RuntimeError: The device ran out of memory, or the loop failed otherwise.
    """
    trainer.add_callback(trainer_callback(watcher))
    notes = require("transformers", extra="train", feature="Training").utils.logging
    verbosity = notes.get_verbosity()
    notes.set_verbosity_error()
    try:
        figures: dict[str, Any] = trainer.train().metrics
    except StoppedEarlyError:
        figures = {}
    finally:
        notes.set_verbosity(verbosity)
        watcher.close()
    metrics = {
        name: float(value) for name, value in figures.items() if isinstance(value, int | float)
    }
    metrics |= _evaluation_of(trainer, watcher)
    return LoopOutcome(trainer.accelerator.unwrap_model(trainer.model), metrics)


def _evaluation_of(trainer: Any, watcher: StepWatcher) -> dict[str, float]:
    """Return the evaluation of the weights that were kept, and the baseline's loss."""
    by_step = dict(watcher.evaluations)
    found: dict[str, float] = {}
    baseline = by_step.pop(0, {}).get("eval_loss")
    if baseline is not None:
        found["baseline_eval_loss"] = baseline
    if by_step:
        best = Path(trainer.state.best_model_checkpoint or "").name.rpartition("-")[2]
        kept = int(best) if best.isdigit() and int(best) in by_step else max(by_step)
        found |= by_step[kept]
    return found


def _no_model_card(*_: Any, **__: Any) -> None:
    """Stand in for `create_model_card`."""
