"""What a configuration will do, before it does it: words, findings, memory and data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm import ForgeConfig
from forgelm_widgets._text import clean, count, plural

if TYPE_CHECKING:
    pass

__all__ = ["complete_path", "outlook", "words"]

_MOST_PATHS = 20
_MOST_ROWS = 200
_LEARNS = {
    "sft": "learns to give the answers in the data",
    "dpo": "learns to prefer the chosen answers over the rejected ones",
    "simpo": "learns to prefer the chosen answers over the rejected ones",
    "orpo": "learns the chosen answers and to avoid the rejected ones",
    "kto": "learns from answers that are marked good or bad",
    "grpo": "learns from the rewards of its own answers",
}


def outlook(config: ForgeConfig) -> dict[str, Any]:
    """Return the side panel: what `preflight` knows, in strict JSON types, texts made safe."""
    # Here, because it brings the trainer: the form is on the page before it is needed.
    from forgelm import preflight

    report = preflight(config, rows=_MOST_ROWS, count_tokens=False)
    memory = report.memory
    return {
        "words": words(config, report.planned_steps),
        "findings": [
            [one.severity, one.path, clean(one.message, 400)] for one in report.findings[:30]
        ],
        "memory": memory
        and {
            "outlook": memory.outlook,
            "total": memory.total_bytes,
            "free": memory.free_bytes,
            "parts": [[name, size] for name, size in memory.parts.items() if size],
            "reason": clean(memory.reason or "", 300),
        },
        "data": [
            {
                "name": clean(look.name, 120),
                "rows": plural(look.rows, "row")
                + ("" if look.is_whole else " seen, there are more"),
                "format": look.format or "no format that this method learns from",
                "columns": [clean(column, 40) for column in look.columns[:20]],
                "sample": clean(json.dumps(look.sample, ensure_ascii=False), 600)
                if look.sample
                else "",
            }
            for look in report.data[:8]
        ],
    }


def words(config: ForgeConfig, steps: int | None) -> list[str]:
    """Return what the training does, in sentences."""
    model, lora, training = config.model, config.lora, config.training
    method = training.trainer_type
    name = clean(model.name_or_path, 120)
    size = "in 4 bit" if model.load_in_4bit else "in 8 bit" if model.load_in_8bit else "unquantised"
    lines = [f"{name}, loaded {size}, {_LEARNS[method]} ({method.upper()})."]
    if lora.method == "full":
        lines.append("Every weight of the model is trained.")
    else:
        modules = lora.target_modules
        where = "every linear layer" if modules == "all-linear" else clean(", ".join(modules), 120)
        lines.append(f"An adapter of rank {lora.r} ({lora.method}) is trained on {where}.")
    rows = training.per_device_train_batch_size * training.gradient_accumulation_steps
    length = plural(training.num_train_epochs, "pass", "passes") + " over the data"
    if training.max_steps > 0:
        length = plural(training.max_steps, "step")
    planned = f", {count(steps)} in all" if steps and training.max_steps <= 0 else ""
    lines.append(
        f"It runs for {length}, {plural(rows, 'row')} a step{planned}, "
        f"at a learning rate of {training.learning_rate:g}."
    )
    lines.append(f"Everything is written to {clean(training.output_dir, 120)}.")
    lines += _gates(config)
    return lines


def _gates(config: ForgeConfig) -> list[str]:
    gates = config.evaluation
    if gates is None:
        return ["No gate is set: the model is kept whatever comes out."]
    named = {
        "the evaluation loss": gates.auto_revert or gates.max_acceptable_loss is not None,
        "benchmarks": gates.benchmark is not None and gates.benchmark.enabled,
        "the safety check": gates.safety is not None and gates.safety.enabled,
        "the judge": gates.llm_judge is not None and gates.llm_judge.enabled,
        "a person's approval": gates.require_human_approval,
    }
    names = [name for name, on in named.items() if on]
    return [f"The model is kept only with {', '.join(names)}."] if names else []


def complete_path(typed: str) -> list[str]:
    """Return files and folders that begin with what was typed; folders end with a slash."""
    if "\0" in typed:
        return []
    folder, _, start = typed.rpartition("/")
    base = Path(os.path.expanduser(f"{folder}/")) if "/" in typed else Path(".")
    prefix = f"{folder}/" if "/" in typed else ""
    found = []
    try:
        with os.scandir(base) as entries:
            for number, entry in enumerate(entries):
                hidden = entry.name.startswith(".") and not start.startswith(".")
                if entry.name.startswith(start) and not hidden and entry.name.isprintable():
                    found.append(f"{prefix}{entry.name}{'/' if entry.is_dir() else ''}")
                if number > 5_000:
                    break
    except OSError:
        return []
    return sorted(found)[:_MOST_PATHS]
