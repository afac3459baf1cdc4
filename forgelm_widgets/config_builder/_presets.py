"""Starting points: small, complete configurations to change."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PRESETS", "Preset"]


class Preset(NamedTuple):
    """A configuration to begin with."""

    title: str
    yaml: str


def _preset(title: str, about: str, model: str, lora: str, training: str) -> Preset:
    text = f"# {about}\nmodel:\n{model}lora:\n{lora}training:\n{training}data:\n"
    return Preset(title, text + "  dataset_name_or_path: train.jsonl\n")


_SMALL = '  name_or_path: "HuggingFaceTB/SmolLM2-135M-Instruct"\n  max_length: 1024\n'
_LARGE = '  name_or_path: "Qwen/Qwen3-8B"\n  max_length: 2048\n'
_WHOLE = "  load_in_4bit: false\n"

PRESETS: dict[str, Preset] = {
    "sft-small": _preset(
        "Supervised, small model",
        "Learn from answers: a small model in full precision with an adapter.",
        _SMALL + _WHOLE,
        "  r: 8\n  alpha: 16\n",
        "  trainer_type: sft\n  num_train_epochs: 3\n  learning_rate: 2.0e-4\n",
    ),
    "qlora": _preset(
        "Supervised, QLoRA (4 bit)",
        "Learn from answers: a large model in 4 bit, the adapter on every linear layer.",
        _LARGE + "  load_in_4bit: true\n",
        "  r: 16\n  alpha: 32\n  target_modules: all-linear\n",
        "  trainer_type: sft\n  per_device_train_batch_size: 2\n"
        "  gradient_accumulation_steps: 8\n  learning_rate: 2.0e-4\n"
        "  gradient_checkpointing: true\n",
    ),
    "dpo": _preset(
        "Preferences (DPO)",
        "Learn from pairs of a chosen and a rejected answer.",
        _SMALL + _WHOLE,
        "  r: 16\n  alpha: 32\n",
        "  trainer_type: dpo\n  num_train_epochs: 1\n  learning_rate: 5.0e-6\n  dpo_beta: 0.1\n",
    ),
    "grpo": _preset(
        "Rewards (GRPO)",
        "Learn from rewards: several answers to each prompt are scored against each other.",
        _SMALL + _WHOLE,
        "  r: 16\n  alpha: 32\n",
        "  trainer_type: grpo\n  num_train_epochs: 1\n  learning_rate: 1.0e-6\n"
        "  grpo_num_generations: 4\n  grpo_max_completion_length: 256\n",
    ),
    "cpu-smoke": _preset(
        "CPU smoke test",
        "Five steps without a GPU, to see that data and model fit together.",
        _SMALL.replace("1024", "256") + _WHOLE,
        "  r: 4\n  alpha: 8\n",
        "  trainer_type: sft\n  max_steps: 5\n  per_device_train_batch_size: 1\n"
        "  gradient_accumulation_steps: 1\n",
    ),
}
