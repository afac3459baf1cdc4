"""Loading the base model and its tokenizer, in a number format this machine can compute with."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.data import hub_session, hub_token
from forgelm.errors import ConfigError, TrainingError
from forgelm.trainer._checks import check_model_settings, require_train_extra
from forgelm.trainer._precision import Precision, choose_precision

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from forgelm.config import ForgeConfig

__all__ = [
    "get_model_and_tokenizer",
    "load_model",
    "load_tokenizer",
    "lora_config",
    "quiet_bars",
]

# Two `from_pretrained` at once corrupt each other's weights for the life of the process.
_LOADING = threading.RLock()
_COMPUTE_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def get_model_and_tokenizer(
    config: ForgeConfig,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the configured model, with its adapter attached, and its tokenizer.

    Raises:
        ConfigError: There is no such model, or this machine cannot load it as configured.
        OptionalDependencyError: The `train` extra is not installed.
        TrainingError: The model's files cannot be loaded.
    """
    check_model_settings(config)
    require_train_extra()
    with _LOADING, hub_session(config), quiet_bars():
        tokenizer = load_tokenizer(config)
        model = load_model(config, choose_precision(config))
        peft = require("peft", extra="train", feature="Training")
        return peft.get_peft_model(model, lora_config(config, model)), tokenizer


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
    """Load the base model without an adapter.

    Raises:
        ConfigError: There is no such model.
        TrainingError: Its files cannot be loaded.
    """
    torch = require("torch", extra="train", feature="Training")
    transformers = require("transformers", extra="train", feature="Training")
    options: dict[str, Any] = {"dtype": getattr(torch, precision.dtype), **_source(config)}
    if precision.load_in_4bit:
        options |= {"quantization_config": _four_bits(config, precision), "device_map": {"": 0}}
    with _loading(config):
        found = transformers.AutoConfig.from_pretrained(_location(config), **_source(config))
    try:
        with _LOADING:
            model: PreTrainedModel = transformers.AutoModelForCausalLM.from_pretrained(
                _location(config), config=found, **options
            )
    except Exception as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            raise
        raise TrainingError(
            f"the model {config.model.name_or_path!r} cannot be loaded: {_first_line(error)}"
        ) from error
    return model


def lora_config(config: ForgeConfig, model: PreTrainedModel) -> LoraConfig:
    """Return the adapter's configuration, its layers checked against the model's.

    Raises:
        ConfigError: The model has no layer of a name in `lora.target_modules`.
    """
    peft = require("peft", extra="train", feature="Training")
    lora = config.lora
    if not isinstance(lora.target_modules, str) and lora.target_modules != ["all-linear"]:
        _check_target_modules(lora.target_modules, model)
        targets: str | list[str] = lora.target_modules
    else:
        targets = "all-linear"
    made: LoraConfig = peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        bias=lora.bias,
        target_modules=targets,
        use_dora=lora.method == "dora",
        use_rslora=lora.method == "rslora",
        task_type=lora.task_type,
    )
    return made


@contextmanager
def quiet_bars() -> Iterator[None]:
    """Keep the bars of transformers and datasets for terminals: elsewhere they fill a log."""
    bars = require("transformers", extra="train", feature="Training").utils.logging
    datasets = require("datasets", extra="train", feature="Training")
    if sys.stderr.isatty() or not bars.is_progress_bar_enabled():
        yield
        return
    bars.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bar()
        datasets.enable_progress_bars()


def _check_target_modules(wanted: list[str], model: PreTrainedModel) -> None:
    torch = require("torch", extra="train", feature="Training")
    names = [name for name, _ in model.named_modules()]
    absent = [w for w in wanted if not any(n == w or n.endswith(f".{w}") for n in names)]
    if not absent:
        return
    linear = sorted(
        {
            name.rpartition(".")[2]
            for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"
        }
        - {"lm_head"}
    )
    raise ConfigError(
        issues=[
            (
                "lora.target_modules",
                f"this model has no layer named {', '.join(absent)}; "
                f"its linear layers are {', '.join(linear)}, or write all-linear",
            )
        ]
    )


def _four_bits(config: ForgeConfig, precision: Precision) -> Any:
    torch = require("torch", extra="train", feature="Training")
    transformers = require("transformers", extra="train", feature="Training")
    wanted = config.model.bnb_4bit_compute_dtype
    name = precision.dtype if wanted == "auto" else _COMPUTE_DTYPES.get(wanted, wanted)
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=config.model.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=config.model.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=getattr(torch, name),
    )


@contextmanager
def _loading(config: ForgeConfig) -> Iterator[None]:
    """Hold the loading lock; turn what is raised for a model that is not there into ConfigError."""
    try:
        with _LOADING:
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
