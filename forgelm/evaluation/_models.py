"""Loading what is to be tried out: a folder with a model or an adapter, and its base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import MODEL_LOADING, quiet_bars, require
from forgelm.data import hub_token
from forgelm.errors import ConfigError, EvaluationError
from forgelm.evaluation._quantization import quantized_loading

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["first_line", "load_base", "load_trained"]

_FEATURE = "Evaluating a model"


def first_line(error: BaseException) -> str:
    """Return what an error says first, short enough for a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def load_trained(folder: Path, config: ForgeConfig) -> tuple[Any, Any]:
    """Return the model in a folder, an adapter put on the configured base, and its tokenizer.

    The base of an adapter is stored in 4 or 8 bits where it was so in training; a whole model is
    loaded as it lies in its folder.

    Raises:
        ConfigError: There is no such folder, or 4 or 8 bits that the config asks for explicitly
            cannot be had here.
        EvaluationError: Its files cannot be loaded.
    """
    transformers = require("transformers", extra="train", feature=_FEATURE)
    if not folder.is_dir():
        raise ConfigError(issues=[("model", f"there is no folder {str(folder)!r} with a model")])
    adapter = (folder / "adapter_config.json").is_file()
    try:
        with MODEL_LOADING, quiet_bars():
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            if adapter:
                peft = require("peft", extra="train", feature=_FEATURE)
                base = _base(config, quantized_loading(config))
                model = peft.PeftModel.from_pretrained(base, folder)
            else:
                model = _loaded(str(folder), config)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EvaluationError(
            f"the model in {folder} cannot be loaded: {first_line(error)}"
        ) from error
    return model.eval(), tokenizer


def load_base(config: ForgeConfig) -> Any:
    """Return the configured base model as it was before training, its weights whole.

    Raises:
        EvaluationError: It cannot be loaded.
    """
    return _base(config, {})


def _base(config: ForgeConfig, options: Mapping[str, Any]) -> Any:
    name = config.model.name_or_path
    try:
        with MODEL_LOADING, quiet_bars():
            model = _loaded(name, config, revision=config.model.revision or "main", **options)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise EvaluationError(
            f"the base model {name!r} cannot be loaded: {first_line(error)}"
        ) from error
    return model.eval()


def _loaded(name: str, config: ForgeConfig, **options: Any) -> Any:
    transformers = require("transformers", extra="train", feature=_FEATURE)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        name,
        dtype="auto",
        token=hub_token(config),
        trust_remote_code=config.model.trust_remote_code,
        **options,
    )
    return model if "device_map" in options else model.to(_device())


def _device() -> str:
    torch = require("torch", extra="train", feature=_FEATURE)
    return "cuda" if torch.cuda.is_available() else "cpu"
