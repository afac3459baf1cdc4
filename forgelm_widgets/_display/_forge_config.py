"""A configuration as a card: what it will do in a sentence, and the YAML that says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from forgelm_widgets._card import Card, Figure, Table, Text
from forgelm_widgets._text import count, plural

if TYPE_CHECKING:
    from forgelm import ConfigField, ForgeConfig

__all__ = ["config_field_card", "forge_config_card"]

_METHODS = {
    "sft": "supervised fine-tuning",
    "dpo": "preference training (DPO)",
    "simpo": "preference training (SimPO)",
    "orpo": "preference training (ORPO)",
    "kto": "preference training (KTO)",
    "grpo": "reinforcement learning (GRPO)",
}


def forge_config_card(config: ForgeConfig) -> Card:
    """Return what a configuration will do as a card; a secret is named, never shown."""
    training, lora = config.training, config.lora
    batch = training.per_device_train_batch_size * training.gradient_accumulation_steps
    return Card(
        kind="forge-config",
        label="Configuration",
        mark="neutral",
        headline=_headline(config),
        figures=[
            Figure(_length(training), "training length"),
            Figure(count(batch), "rows a step, each device"),
            Figure(f"{training.learning_rate:g}", "learning rate"),
            Figure(f"{lora.method}, rank {lora.r}", "adapter"),
            Figure(count(config.model.max_length), "tokens a row at most"),
        ],
        texts=[Text("What was set", config.to_yaml().splitlines(), code=True, folded=False)],
    )


def _length(training: Any) -> str:
    if training.max_steps > 0:
        return plural(training.max_steps, "step")
    return plural(training.num_train_epochs, "epoch")


def _headline(config: ForgeConfig) -> str:
    kind = config.training.trainer_type
    return (
        f"Trains {config.model.name_or_path} on {config.data.dataset_name_or_path} "
        f"by {_METHODS.get(kind, kind)}, into {config.training.output_dir}"
    )


def config_field_card(field: ConfigField) -> Card:
    """Return what a key of the configuration is for, and the keys below it."""
    rows = [(each.name, _allowed(each), _default(each)) for each in field.children]
    return Card(
        kind="config-field",
        label=f"Configuration key {field.path}" if field.path else "Configuration keys",
        mark="neutral",
        headline=field.help or field.name,
        figures=[]
        if field.children
        else [Figure(_allowed(field), "allowed"), Figure(_default(field), "default")],
        tables=[Table("Keys", ("Key", "Allowed", "Default"), rows)] if rows else [],
    )


def _allowed(field: ConfigField) -> str:
    if field.choices:
        return ", ".join(field.choices)
    low = ">" if field.exclusive_minimum else "≥"
    high = "<" if field.exclusive_maximum else "≤"
    ends = ((low, field.minimum), (high, field.maximum))
    bounds = " and ".join(f"{sign} {end:g}" for sign, end in ends if end is not None)
    return f"{field.type} {bounds}".strip() + (f" {field.unit}" if field.unit else "")


def _default(field: ConfigField) -> str:
    if field.required:
        return "required"
    return "a block" if field.children else json.dumps(field.default, ensure_ascii=False)
