"""The one place that knows what TRL and transformers call their arguments."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm.errors import ConfigError, TrainingError
from forgelm.trainer.algorithms._algorithms import ALGORITHMS
from forgelm.trainer.algorithms._galore import galore_arguments
from forgelm.trainer.algorithms._tracking import reporting_tool
from forgelm.trainer.backend import Precision

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig, TrainingConfig

__all__ = ["build_arguments", "common_arguments"]

# What we call an argument -> what some release calls it, the newest first.
_NAMES: dict[str, tuple[str, ...]] = {
    "warmup_ratio": ("warmup_steps", "warmup_ratio"),
    "max_length": ("max_length", "max_seq_length"),
    "eval_strategy": ("eval_strategy", "evaluation_strategy"),
    "use_cpu": ("use_cpu", "no_cuda"),
    "activation_checkpointing": ("activation_checkpointing", "gradient_checkpointing"),
}
_LOGS_A_RUN = 500
_SEED = 42


def build_arguments(config_class: type, wanted: Mapping[str, Any]) -> Any:
    """Return `config_class(**wanted)` under the names that the installed release has.

    Raises:
        TrainingError: The installed release has no argument for one of them; names it.
    """
    known = {field.name for field in dataclasses.fields(config_class) if field.init}
    found: dict[str, Any] = {}
    lost: list[str] = []
    for name, value in wanted.items():
        target = next((n for n in _NAMES.get(name, (name,)) if n in known), None)
        if target is None:
            lost.append(name)
        else:
            found[target] = value
    if lost:
        raise TrainingError(
            f"{config_class.__name__} of TRL {version('trl')} has no argument for "
            f"{', '.join(lost)}. Install a release that has: pip install 'forgelm[train]'."
        )
    return config_class(**found)


def common_arguments(
    config: ForgeConfig, precision: Precision, run_dir: Path, *, evaluates: bool
) -> dict[str, Any]:
    """Return the arguments that every algorithm shares, by our own names."""
    training = config.training
    wanted: dict[str, Any] = {
        "output_dir": str(run_dir),
        "num_train_epochs": training.num_train_epochs,
        "max_steps": training.max_steps or -1,
        "per_device_train_batch_size": training.per_device_train_batch_size,
        "per_device_eval_batch_size": training.per_device_train_batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "learning_rate": training.learning_rate,
        # Below 1 it is a share of the steps; 1 itself would be read as one step.
        "warmup_ratio": min(training.warmup_ratio, math.nextafter(1.0, 0.0)),
        "weight_decay": training.weight_decay,
        "neftune_noise_alpha": training.neftune_noise_alpha,
        "run_name": training.run_name,
        "report_to": reporting_tool(training),
        "seed": _SEED,
        "data_seed": _SEED,
        # A share of the steps: every step of a short run, about 500 logs of a long one.
        "logging_steps": 1 / _LOGS_A_RUN,
        # The default filter logs a NaN loss as 0.0.
        "logging_nan_inf_filter": False,
        "train_sampling_strategy": "random" if config.data.shuffle else "sequential",
        "disable_tqdm": True,
    }
    wanted |= _precision_arguments(precision, training) | galore_arguments(config)
    return wanted | _evaluation_arguments(training, evaluates)


def _precision_arguments(precision: Precision, training: TrainingConfig) -> dict[str, Any]:
    gpu = precision.device == "cuda"
    chosen = training.gradient_checkpointing
    computed = precision.compute_dtype or precision.dtype
    return {
        "use_cpu": precision.device == "cpu",
        "bf16": gpu and computed == "bfloat16",
        "fp16": gpu and computed == "float16",
        # It trades time for GPU memory.
        "activation_checkpointing": gpu if chosen is None else chosen,
    }


def _evaluation_arguments(training: TrainingConfig, evaluates: bool) -> dict[str, Any]:
    eval_steps, save_steps = _aligned(training)
    wanted: dict[str, Any] = {"save_strategy": "steps", "save_steps": save_steps}
    if not evaluates:
        return wanted | {"eval_strategy": "no"}
    algorithm = ALGORITHMS[training.trainer_type]
    return wanted | {
        "eval_strategy": "steps",
        "eval_steps": eval_steps,
        "eval_on_start": True,
        "load_best_model_at_end": True,
        "metric_for_best_model": algorithm.judged_by,
        "greater_is_better": algorithm.greater_is_better,
    }


def _aligned(training: TrainingConfig) -> tuple[int, int]:
    """Return eval and save steps, save a multiple of eval; a default gives way to a choice."""
    eval_steps, save_steps = training.eval_steps, training.save_steps
    if save_steps % eval_steps == 0:
        return eval_steps, save_steps
    defaults = type(training).model_fields
    if eval_steps == defaults["eval_steps"].default:
        return save_steps, save_steps
    if save_steps == defaults["save_steps"].default:
        return eval_steps, eval_steps
    raise ConfigError(
        issues=[
            (
                "training.save_steps",
                f"{save_steps} is not a multiple of eval_steps ({eval_steps}), so the best "
                "checkpoint could not be kept; change one of the two",
            )
        ]
    )
