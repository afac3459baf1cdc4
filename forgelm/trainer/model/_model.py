"""Loading the base model and its tokenizer, in a number format this machine can compute with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import MODEL_LOADING, quiet_bars, require
from forgelm.data import hub_session, hub_token
from forgelm.errors import ConfigError, TrainingError
from forgelm.trainer._checks import check_model_settings, require_train_extra
from forgelm.trainer.backend import Precision, choose_precision
from forgelm.trainer.model._adapters import check_experts, lora_config
from forgelm.trainer.model._attention import adjust_attention
from forgelm.trainer.model._quantization import quantized_loading
from forgelm.trainer.model._unsloth import load_with_unsloth

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from forgelm.config import ForgeConfig

__all__ = [
    "get_model_and_tokenizer",
    "load_model",
    "load_tokenizer",
]


def get_model_and_tokenizer(
    config: ForgeConfig,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the configured model, with its adapter attached if it has one, and its tokenizer.

    Raises:
        ConfigError: There is no such model, or this machine cannot load it as configured.
        OptionalDependencyError: The `train` extra is not installed.
        TrainingError: The model's files cannot be loaded.
    """
    check_model_settings(config)
    require_train_extra()
    with MODEL_LOADING, hub_session(config), quiet_bars():
        tokenizer = load_tokenizer(config)
        model = load_model(config, choose_precision(config))
        peft = require("peft", extra="train", feature="Training")
        adapter = None if isinstance(model, peft.PeftModel) else lora_config(config, model)
        return peft.get_peft_model(model, adapter) if adapter else model, tokenizer


def load_tokenizer(config: ForgeConfig) -> PreTrainedTokenizerBase:
    """Load the tokenizer, with a padding token.

    Raises:
        ConfigError: It is not there, or has neither a padding nor an end-of-sequence token.
    """
    transformers = require("transformers", extra="train", feature="Training")
    with _loading(config):
        tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(
            _location(config), **_source(config)
        )
    if tokenizer.pad_token is None:
        if tokenizer.eos_token is None:
            raise ConfigError(
                issues=[("model.name_or_path", "the tokenizer has no padding or end token")]
            )
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(config: ForgeConfig, precision: Precision) -> PreTrainedModel:
    """Load the base model; without an adapter, unless unsloth attaches it while loading.

    Raises:
        ConfigError: There is no such model, or a setting does not fit it.
        TrainingError: Its files cannot be loaded.
    """
    torch = require("torch", extra="train", feature="Training")
    transformers = require("transformers", extra="train", feature="Training")
    if config.model.backend == "unsloth":
        where = {"model_name": _location(config), **_source(config)}
        with _loading(config):
            made: PreTrainedModel = load_with_unsloth(config, precision, where)
        return made
    with _loading(config):
        found = transformers.AutoConfig.from_pretrained(_location(config), **_source(config))
    check_experts(config, found)
    adjust_attention(config, found)
    options = {"dtype": getattr(torch, precision.dtype), **_source(config)}
    try:
        with MODEL_LOADING:
            model: PreTrainedModel = transformers.AutoModelForCausalLM.from_pretrained(
                _location(config), config=found, **options, **quantized_loading(config, precision)
            )
    except Exception as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            raise
        raise TrainingError(
            f"the model {config.model.name_or_path!r} cannot be loaded: {_first_line(error)}"
        ) from error
    return model


@contextmanager
def _loading(config: ForgeConfig) -> Iterator[None]:
    """Hold the loading lock; turn what is raised for a model that is not there into ConfigError."""
    try:
        with MODEL_LOADING:
            yield
    except (OSError, ValueError, ImportError) as error:
        where = "local cache (model.offline is set)" if config.model.offline else "Hub"
        place = "its folder" if Path(_location(config)).is_dir() else f"the {where}"
        raise ConfigError(
            issues=[
                (
                    "model.name_or_path",
                    f"{config.model.name_or_path!r} cannot be loaded from {place}: "
                    f"{_first_line(error)} Check the name or path, your access and the network.",
                )
            ]
        ) from error


def _location(config: ForgeConfig) -> str:
    path = Path(config.model.name_or_path).expanduser()
    return str(path) if path.is_dir() else config.model.name_or_path


def _source(config: ForgeConfig) -> dict[str, Any]:
    return {
        "revision": config.model.revision or "main",
        "trust_remote_code": config.model.trust_remote_code,
        "token": hub_token(config),
    }


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
