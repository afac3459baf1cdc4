"""The adapter on a base model: its configuration, its experts, and PiSSA's way back to a LoRA."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import ConfigError
from forgelm.trainer.backend import trained_experts

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel

    from forgelm.config import ForgeConfig

__all__ = ["check_experts", "is_pissa", "lora_config", "prepare_adapter", "save_adapter"]

logger = logging.getLogger(__name__)

_INITIAL = "initial_adapter"
_EXPERT_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts")


def lora_config(config: ForgeConfig, model: PreTrainedModel) -> LoraConfig | None:
    """Return the adapter's configuration, None where every weight is trained.

    Raises:
        ConfigError: The model has no layer of a name in `lora.target_modules`, or no experts.
    """
    lora = config.lora
    if lora.method == "full":
        return None
    peft = require("peft", extra="train", feature="Training")
    targets: str | list[str] = lora.target_modules
    if targets == ["all-linear"]:
        targets = "all-linear"
    if not isinstance(targets, str):
        _check_target_modules(targets, model)
    experts = _expert_parameters(config, model)
    made: LoraConfig = peft.LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=0.0 if experts else lora.dropout,
        bias=lora.bias,
        target_modules=targets,
        target_parameters=experts or None,
        use_dora=lora.method == "dora",
        use_rslora=lora.method == "rslora",
        init_lora_weights="pissa" if lora.method == "pissa" else True,
        task_type=lora.task_type,
    )
    return made


def check_experts(config: ForgeConfig, found: Any) -> None:
    """Raise ConfigError when `model.moe` does not fit the model whose configuration is `found`."""
    if config.model.moe is None:
        return
    count = _expert_count(found)
    if not count:
        raise ConfigError(
            issues=[
                (
                    "model.moe",
                    f"a model of type {found.model_type} has no experts; leave the block out",
                )
            ]
        )
    absent = sorted(number for number in trained_experts(config) or () if number >= count)
    if absent:
        raise ConfigError(
            issues=[
                (
                    "model.moe.experts_to_train",
                    f"there is no expert {', '.join(map(str, absent))}; this model has {count}, "
                    f"0 to {count - 1}",
                )
            ]
        )


def prepare_adapter(model: Any, config: ForgeConfig, run_dir: Path, *, is_first: bool) -> None:
    """Do to a model that just got its adapter what has to be done before the first step.

    The experts that are not trained are kept still. PiSSA's adapter is written to
    `run_dir/initial_adapter` by the run's first process: without it the trained one fits no base
    model.
    """
    peft = require("peft", extra="train", feature="Training")
    if not isinstance(model, peft.PeftModel):
        return
    chosen = trained_experts(config)
    if chosen is not None:
        _keep_other_experts_still(model, chosen)
    if is_first and is_pissa(model):
        _save_initial(model, run_dir / _INITIAL)


def save_adapter(model: Any, folder: Path, run_dir: Path) -> None:
    """Write the adapter of `model` to `folder` so that it fits the untouched base model.

    Source: Meng, Wang, Zhang, "PiSSA", NeurIPS 2024, section 4: the trained adapter and the
    initial one together are a LoRA of twice the rank.
    """
    if is_pissa(model):
        initial = (run_dir / _INITIAL).absolute()
        with warnings.catch_warnings():
            # PEFT advises to do what this call does.
            warnings.filterwarnings("ignore", message="PiSSA changes the base weights")
            model.save_pretrained(folder, path_initial_model_for_weight_conversion=str(initial))
    else:
        model.save_pretrained(folder)


def is_pissa(model: Any) -> bool:
    """Say whether the model's adapter was taken out of its base weights."""
    active = model.peft_config.get("default")
    return str(getattr(active, "init_lora_weights", "")).startswith("pissa")


def _save_initial(model: Any, folder: Path) -> None:
    # Written as a plain adapter: PEFT would otherwise take it out of the base a second time.
    active = model.peft_config["default"]
    before = active.init_lora_weights
    active.init_lora_weights = True
    try:
        model.save_pretrained(folder)
    finally:
        active.init_lora_weights = before


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


def _expert_count(found: Any) -> int:
    text = found.get_text_config()
    return next((n for name in _EXPERT_COUNTS if (n := getattr(text, name, None))), 0)


def _expert_parameters(config: ForgeConfig, model: PreTrainedModel) -> list[str]:
    """Return the names of the weights that hold all experts of a layer, (experts, ..., ...)."""
    if config.model.moe is None:
        return []
    check_experts(config, model.config)
    count = _expert_count(model.config)
    names = [
        name
        for name, weight in model.named_parameters()
        if ".experts." in name and weight.ndim == 3 and weight.shape[0] == count
    ]
    if not names:
        raise ConfigError(
            issues=[("model.moe", "the experts of this model are not stored in one piece a layer")]
        )
    if config.lora.dropout:
        logger.warning("lora.dropout is 0 in this run: PEFT has none for experts")
    return names


def _keep_other_experts_still(model: Any, chosen: frozenset[int]) -> None:
    """Let no gradient reach the adapters of experts that are not in `chosen`.

    Shapes:
        lora_A: (experts x rank, in), expert by expert; lora_B: (out, rank x experts), rank by rank.
    """
    torch = require("torch", extra="train", feature="Training")
    for module in model.modules():
        if type(module).__name__ != "ParamWrapper":
            continue
        rows = module.lora_A["default"].weight
        columns = module.lora_B["default"].weight
        expert = torch.arange(module.num_experts)
        kept = torch.isin(expert, torch.tensor(sorted(chosen)))
        rank = rows.shape[0] // module.num_experts
        _mask_gradient(rows, kept.repeat_interleave(rank)[:, None])
        _mask_gradient(columns, kept.repeat(rank)[None, :])


def _mask_gradient(weight: Any, mask: Any) -> None:
    weight.register_hook(lambda gradient: gradient * mask.to(gradient))
