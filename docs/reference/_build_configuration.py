"""Writes configuration.md from the schema: run it after changing a key or its help text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from forgelm import ConfigField, describe_config

PAGE = Path(__file__).with_name("configuration.md")

INTRODUCTION = """\
# Configuration

A run is described by one YAML file. Four blocks are always there: the `model` to start from, the
`lora` adapter, the `training` itself and the `data`. Every other block is added when it is needed.
This file is complete:

```yaml
model:
  name_or_path: TinyLlama/TinyLlama-1.1B-Chat-v1.0
lora:
  r: 16
training:
  learning_rate: 2e-4
  num_train_epochs: 1
  output_dir: ./checkpoints/first-run
data:
  dataset_name_or_path: data/train.jsonl
```

Read it with `load_config("train.yaml")`, or build the same thing in Python:

```python
from forgelm import ForgeConfig

config = ForgeConfig(
    model={"name_or_path": "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
    lora={"r": 16},
    training={"learning_rate": 2e-4, "num_train_epochs": 1},
    data={"dataset_name_or_path": "data/train.jsonl"},
)
print(config.to_yaml())
```

A wrong file is refused before anything runs, with every problem at once:

```text
2 problems in train.yaml:
  line 7, column 3: training.num_epochs: unknown key; did you mean num_train_epochs?
  line 9, column 3: training.warmup_ratio: must be at most 1; it is 1.5
```

## Secrets

Tokens and keys are better kept in environment variables than in the file. Where one is in the
file, it is shown as stars everywhere, and `to_yaml()` leaves it out with a comment that says so;
`to_yaml(include_secrets=True)` writes it.

## Rules across keys

- `data.mix_ratio` has one weight for each data set, `dataset_name_or_path` first.
- Layer-wise GaLore and the `unsloth` backend run on one GPU: neither goes with
  `distributed.strategy`.
- A risk tier of `high-risk` or `unacceptable` needs `evaluation.safety.enabled: true`.
- With `oom_recovery`, `oom_recovery_min_batch_size` is at most `per_device_train_batch_size`.
- Where both are changed from their defaults, `save_steps` is a multiple of `eval_steps`. A default
  is moved to fit.
- The stages of a pipeline have different names.

## Coming from existing files

Every key of an existing file is known here. What behaves differently:

| Then | Now |
|---|---|
| `data.clean_text` collapsed line breaks and indentation | they stay as they are |
| `lora.use_dora`, `lora.use_rslora`, `training.sample_packing` were switches | they warn, turn \
into `lora.method` or `training.packing`, and read false afterwards |
| `r: true`, `r: "8"` or `shuffle: "yes"` were converted | a value of the wrong type is refused |
| the last of two equal keys won | both lines are named and the file is refused |
| `2e-5` was text, `010` was 8 and `1:30` was 90 | `2e-5` is a number; the other two are refused \
as numbers |
| `neftune_noise_alpha`, `sliding_window_attention`, `num_fewshot` and `limit` took any number | \
values that cannot work are refused |
| an address with a user name and password was accepted | it is refused; name an environment \
variable |
"""


def page() -> str:
    """Return the whole page as Markdown."""
    root = describe_config()
    lines = [INTRODUCTION, "## Blocks\n"]
    lines += [f"- [`{block.name}`](#{_anchor(block)}): {block.help}" for block in root.children]
    lines += [line for block in root.children for line in _section(block)]
    return "\n".join(lines) + "\n"


def _section(block: ConfigField) -> Iterator[str]:
    yield f"\n## `{block.path}`\n"
    yield f"{block.help}{' Required.' if block.required else ''}\n"
    yield "| Key | Type | Default | Allowed | What it does |"
    yield "|---|---|---|---|---|"
    for field in block.children:
        cells = [f"`{field.name}`", _type(field), _default(field), _allowed(field), _help(field)]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    in_a_stage = block.type == "list"
    for field in block.children:
        if field.children and not in_a_stage:
            yield from _section(field)


def _anchor(field: ConfigField) -> str:
    return "".join(character for character in field.path if character not in ".[]`")


def _type(field: ConfigField) -> str:
    if field.type in {"list", "mapping"} and field.item_type:
        return f"{field.type} of {field.item_type}"
    return "block" if field.type == "object" else field.type


def _default(field: ConfigField) -> str:
    if field.required:
        return "required"
    if field.default is None:
        return ""
    text = field.default if isinstance(field.default, str) else json.dumps(field.default)
    return f"`{text}`" if text else '`""`'


def _allowed(field: ConfigField) -> str:
    parts = [", ".join(f"`{choice}`" for choice in field.choices)]
    if field.minimum is not None:
        parts.append(f"{'>' if field.exclusive_minimum else '≥'} {field.minimum:g}")
    if field.maximum is not None:
        parts.append(f"{'<' if field.exclusive_maximum else '≤'} {field.maximum:g}")
    allowed = ", ".join(part for part in parts if part)
    return f"{allowed} ({field.unit})".strip() if field.unit else allowed


def _help(field: ConfigField) -> str:
    marks = "*Deprecated.* " if field.deprecated else ""
    marks += "*Secret.* " if field.secret else ""
    link = f" See [`{field.path}`](#{_anchor(field)})." if field.children else ""
    if "[]" in field.path and field.children:
        link = f" Keys as in [`{field.name}`](#{field.name})."
    return f"{marks}{field.help}{link}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
