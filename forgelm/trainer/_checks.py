"""What can be known to be wrong before anything is loaded or written."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import is_installed
from forgelm.data import DataSummary, check_source, is_hub_name
from forgelm.errors import ConfigError, DataError, OptionalDependencyError
from forgelm.evaluation import check_evaluation
from forgelm.export import merge_issues
from forgelm.trainer.algorithms import ALGORITHMS, tracking_issues
from forgelm.trainer.backend import asks_for_processes, capability_issues, distributed_issues
from forgelm.trainer.planning import look_at_fit

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = [
    "check_before_loading",
    "check_fit",
    "check_model_settings",
    "check_rows",
    "find_issues",
    "require_train_extra",
]

logger = logging.getLogger(__name__)

Issue = tuple[str, str]

_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "peft", "trl", "psutil")

# Keys of the schema that this release cannot honour, and when they ask for something.
_NOT_YET: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("model.multimodal.enabled", bool),
    ("monitoring.enabled", bool),
    ("retention.enforce", lambda value: value != "log_only"),
    ("pipeline", bool),
)


def check_before_loading(config: ForgeConfig, *, has_model: bool, has_data: bool) -> None:
    """Look for everything that is wrong with a run before time is spent on it.

    Raises:
        ConfigError: Every problem found, each with its key and the next step.
        OptionalDependencyError: The `train` extra is not installed.
    """
    issues = find_issues(config, has_model=has_model, has_data=has_data)
    if issues:
        raise ConfigError(issues=issues)
    require_train_extra()
    if not has_model:
        for finding in look_at_fit(config).findings(config):
            if finding.severity == "error":
                issues.append((finding.path, finding.message))
            elif finding.severity == "warning":
                logger.warning("%s: %s", finding.path, finding.message)
    if issues:
        raise ConfigError(issues=issues)


def find_issues(config: ForgeConfig, *, has_model: bool, has_data: bool) -> list[Issue]:
    """Return everything that is known to be wrong before anything is loaded: key and problem."""
    issues = [*_unsupported(config), *_output_issues(config), *_gate_issues(config)]
    issues += [*check_evaluation(config), *_company_issues(config)]
    issues += [*capability_issues(config, has_model=has_model), *distributed_issues(config)]
    if not has_model:
        issues += _model_issues(config.model.name_or_path)
    elif config.training.oom_recovery:
        problem = "needs to load the model again, and it was passed in; name it in model instead"
        issues.append(("training.oom_recovery", problem))
    if config.training.oom_recovery and asks_for_processes(config):
        problem = "works in one process; with distributed.strategy, lower the batch size instead"
        issues.append(("training.oom_recovery", problem))
    if not has_data:
        issues += _data_issues(config)
    if config.merge is not None and config.merge.enabled:
        final = Path(config.training.output_dir).expanduser() / config.training.final_model_dir
        issues += merge_issues(config.merge, coming=final)
    if config.training.grpo_reward_model is not None:
        key = "training.grpo_reward_model"
        issues += _model_issues(config.training.grpo_reward_model, key)
    return issues


def check_model_settings(config: ForgeConfig) -> None:
    """Raise ConfigError when the settings that load a model cannot be honoured."""
    blocks = ("model.", "lora.", "training.rope_scaling", "training.sliding_window_attention")
    found = [*_unsupported(config), *capability_issues(config)]
    issues = [issue for issue in found if issue[0].startswith(blocks)]
    issues += _model_issues(config.model.name_or_path)
    if issues:
        raise ConfigError(issues=issues)


def check_fit(model: Any, tokenizer: Any, longest_tokens: int) -> None:
    """Look for what would fail, or silently learn nonsense, deep inside the model.

    Raises:
        ConfigError: The tokenizer has tokens that the model lacks, or rows are longer than the
            model's positions (`longest_tokens`).
    """
    issues = []
    table = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > table:
        issues.append(
            (
                "model.name_or_path",
                f"the tokenizer has {len(tokenizer)} tokens and the model only {table}; "
                "use the tokenizer that belongs to the model",
            )
        )
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions and longest_tokens > positions:
        issues.append(
            (
                "model.max_length",
                f"rows are up to {longest_tokens} tokens long and the model takes "
                f"{positions}; set max_length to {positions} or less",
            )
        )
    if issues:
        raise ConfigError(issues=issues)


def check_rows(data: DataSummary) -> None:
    """Raise DataError when there is one row alone: nothing could be held out to judge it by."""
    if data.split_rows["train"] < 2 and "validation" not in data.split_rows:
        raise DataError(
            f"{data.sources[0].name} has one row to train on and there is no validation split; add "
            "rows: with two or more, some are held out to judge the model by."
        )


def require_train_extra() -> None:
    """Raise OptionalDependencyError for the first package of the `train` extra that is missing."""
    for package in _PACKAGES:
        if not is_installed(package):
            raise OptionalDependencyError(package, extra="train", feature="Training")


def _unsupported(config: ForgeConfig) -> Iterator[Issue]:
    for path, asks in _NOT_YET:
        value = _value(config, path)
        if value is not None and asks(value):
            shown = f" ({value!r})" if isinstance(value, str | bool) and "url" not in path else ""
            yield path, f"not supported by this release yet{shown}; leave it out"


def _company_issues(config: ForgeConfig) -> Iterator[Issue]:
    """Look at what goes on beside the training."""
    yield from tracking_issues(config)
    if _value(config, "synthetic.enabled"):
        yield (
            "synthetic.enabled",
            "training writes no rows of its own; run forgelm generate CONFIG first, then set this "
            "to false",
        )
    webhook = config.webhook
    if webhook and (webhook.url or webhook.url_env) and not is_installed("httpcore"):
        yield "webhook", "needs a package that is not installed: pip install 'forgelm[remote]'"


def _gate_issues(config: ForgeConfig) -> Iterator[Issue]:
    algorithm = ALGORITHMS[config.training.trainer_type]
    for name in ("max_acceptable_loss", "baseline_loss"):
        if algorithm.judged_by != "eval_loss" and _value(config, f"evaluation.{name}") is not None:
            yield (
                f"evaluation.{name}",
                f"{config.training.trainer_type} is judged by its {algorithm.judged_name}, not by "
                "a loss; leave it out",
            )


def _output_issues(config: ForgeConfig) -> Iterator[Issue]:
    name = config.training.final_model_dir
    if Path(name).name != name or name in {".", ".."}:
        yield "training.final_model_dir", "must be the plain name of a folder inside output_dir"
    folder = Path(config.training.output_dir).expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir():
        yield "training.output_dir", f"{existing} is a file, not a folder; choose another path"
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield "training.output_dir", f"{existing} cannot be written; choose another or its rights"


def _model_issues(name: str, key: str = "model.name_or_path") -> Iterator[Issue]:
    try:
        problem = _problem_with_model(name, Path(name).expanduser())
    except (OSError, RuntimeError, ValueError) as error:  # too long, no rights, no such home
        problem = f"{name[:100]!r} cannot be read: {error}"
    if problem:
        yield key, problem


def _problem_with_model(name: str, path: Path) -> str | None:
    if path.is_dir():
        if (path / "config.json").is_file():
            return None
        if (path / "adapter_config.json").is_file():
            return f"{name!r} is an adapter; give the model it was trained on"
        return f"the folder {name!r} has no config.json, so it holds no model"
    if path.exists():
        return f"{name!r} is a file; give the folder of a model"
    if not is_hub_name(name):
        return f"there is no folder {name!r} (seen from {Path.cwd()}); correct the path"
    return None


def _data_issues(config: ForgeConfig) -> Iterator[Issue]:
    named = [("data.dataset_name_or_path", config.data.dataset_name_or_path)]
    for index, name in enumerate(config.data.extra_datasets or []):
        named.append((f"data.extra_datasets[{index}]", name))
    for key, name in named:
        problem = check_source(name)
        if problem:
            yield key, problem


def _value(config: ForgeConfig, path: str) -> Any:
    value: Any = config
    for name in path.split("."):
        value = getattr(value, name, None)
    return value
