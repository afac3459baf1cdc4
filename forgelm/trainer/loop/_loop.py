"""Running one algorithm's Trainer over prepared data."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import TrainingError
from forgelm.trainer.algorithms import ALGORITHMS, RewardPlan, build_arguments, check_kept
from forgelm.trainer.loop._callbacks import StepWatcher, StoppedEarlyError, trainer_callback
from forgelm.trainer.loop._checkpoints import verify_checkpoint
from forgelm.trainer.model import GatheredModel, gather_model, lora_config

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["LoopOutcome", "build_trainer", "run_loop"]

_GATHERED = ".gathered"


@dataclass(frozen=True)
class LoopOutcome:
    """What came out of the loop.

    Attributes:
        model: The trained model: the best checkpoint's weights where there was evaluation.
        gathered: The same in one piece, where it was spread over processes and the run is over.
        metrics: The Trainer's figures, `eval_loss` of `model` and `baseline_eval_loss`.
        kept: The checkpoint whose weights `model` has, where there was evaluation.
    """

    model: Any
    metrics: dict[str, float]
    gathered: GatheredModel | None = None
    kept: str | None = None


def build_trainer(
    config: ForgeConfig,
    model: Any,
    tokenizer: Any,
    splits: Mapping[str, Any],
    arguments: Mapping[str, Any],
    rewards: RewardPlan | None = None,
) -> Any:
    """Return the algorithm's Trainer, quiet, with early stopping where it can evaluate.

    Args:
        config: The configuration.
        model: The base model, or one with an adapter already.
        tokenizer: Its tokenizer.
        splits: `train`, and `validation` to evaluate on.
        arguments: What `common_arguments` returned.
        rewards: What answers are rewarded by, for an algorithm that learns from rewards.
    """
    transformers = require("transformers", extra="train", feature="Training")
    peft = require("peft", extra="train", feature="Training")
    algorithm = ALGORITHMS[config.training.trainer_type]
    trainer_class, config_class = algorithm.classes()
    callbacks = []
    if "validation" in splits:
        patience = config.training.early_stopping_patience
        callbacks.append(transformers.EarlyStoppingCallback(early_stopping_patience=patience))
    wanted = {**arguments, **algorithm.arguments(config)}
    options: dict[str, Any] = {}
    if rewards is not None:
        options["reward_funcs"] = list(rewards.functions)
        wanted["reward_weights"] = list(rewards.weights)
    has_adapter = isinstance(model, peft.PeftModel)
    adapter = None if has_adapter else lora_config(config, model)
    if algorithm.keeps_reference and adapter is None and not has_adapter:
        # TRL would load it anew by its name: not this revision, and not these weights.
        options["ref_model"] = copy.deepcopy(model)
    # KTO's advice on keys that a configuration does not have; check_labels has said it.
    logging.getLogger("trl.trainer.kto_trainer").setLevel(logging.ERROR)
    trainer = trainer_class(
        model=model,
        args=build_arguments(config_class, wanted),
        train_dataset=splits["train"],
        eval_dataset=splits.get("validation"),
        processing_class=tokenizer,
        peft_config=adapter,
        callbacks=callbacks,
        **options,
    )
    check_kept(trainer, splits)
    trainer.remove_callback(transformers.PrinterCallback)
    # TRL would write a README.md of its own into the output directory at every checkpoint.
    trainer.create_model_card = _no_model_card
    trainer._load_best_model = partial(_load_verified, trainer, trainer._load_best_model)
    return trainer


def run_loop(trainer: Any, watcher: StepWatcher, *, resume_from: Path | None = None) -> LoopOutcome:
    """Train until the end, a stop request or a loss that is no number.

    Args:
        trainer: What `build_trainer` returned.
        watcher: Sees every step.
        resume_from: A checkpoint to go on from.

    Raises:
        RuntimeError: The device ran out of memory, or the loop failed otherwise.
    """
    trainer.add_callback(trainer_callback(watcher))
    if resume_from is not None:
        trainer.args.eval_on_start = False  # the checkpoint knows that evaluation
        trainer.args.restore_callback_states_from_checkpoint = True  # early stopping's patience
    notes = require("transformers", extra="train", feature="Training").utils.logging
    verbosity = notes.get_verbosity()
    notes.set_verbosity_error()
    try:
        figures: dict[str, Any] = trainer.train(
            resume_from_checkpoint=str(resume_from) if resume_from else None
        ).metrics
    except StoppedEarlyError:
        figures = {}
    finally:
        notes.set_verbosity(verbosity)
        watcher.close()
    metrics = {
        name: float(value) for name, value in figures.items() if isinstance(value, int | float)
    }
    metrics |= _evaluation_of(trainer, watcher)
    gathered = None
    is_spread = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    if is_spread and watcher.stopped_at is None:
        gathered = gather_model(trainer, Path(trainer.args.output_dir) / _GATHERED)
    model = trainer.accelerator.unwrap_model(trainer.model)
    return LoopOutcome(model, metrics, gathered, kept=trainer.state.best_model_checkpoint)


def _evaluation_of(trainer: Any, watcher: StepWatcher) -> dict[str, float]:
    """Return the evaluation of the weights that were kept, and the baseline they are judged by."""
    by_step = dict(watcher.evaluations)
    found: dict[str, float] = {}
    untrained = by_step.pop(0, {})
    judged_by = str(trainer.args.metric_for_best_model or "eval_loss")
    for name in (judged_by, f"{judged_by}_std"):
        if name in untrained:
            found[f"baseline_{name}"] = untrained[name]
    if by_step:
        best = Path(trainer.state.best_model_checkpoint or "").name.rpartition("-")[2]
        kept = int(best) if best.isdigit() and int(best) in by_step else max(by_step)
        found |= by_step[kept]
    return found


def _load_verified(trainer: Any, load: Callable[[], None]) -> None:
    """Load the best checkpoint, once it is as its manifest says."""
    best = Path(trainer.state.best_model_checkpoint)
    # The first process committed it; in another one the manifest may be a moment away.
    problem = verify_checkpoint(best) if trainer.is_world_process_zero() else None
    if problem:
        raise TrainingError(
            f"the best weights cannot be taken: {best} is not what was saved ({problem}). Resume "
            "the run, which goes on from the newest checkpoint that is whole, or train anew."
        )
    load()


def _no_model_card(*_: Any, **__: Any) -> None:
    """Stand in for `create_model_card`."""
