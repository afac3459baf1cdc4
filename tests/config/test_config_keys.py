"""Every key of existing files is known, with its type, default, bounds and choices."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from forgelm import config as room
from forgelm.config import ConfigField, ForgeConfig, describe_config

LINES = Path(__file__).with_name("existing_keys.txt").read_text(encoding="utf-8").splitlines()
LINE = re.compile(
    r"(?P<block>\w+)\.(?P<key>\w+): (?P<type>.+?)(?: = (?P<default>.+?)| \*\*required\*\*)"
    r"(?: \[(?P<bounds>[>≥≤Mp].*)\])?(?: alias=(?P<alias>\w+))?"
)
TYPES = {
    "str": ("string", None),
    "bool": ("boolean", None),
    "int": ("integer", None),
    "float": ("number", None),
    "List[str]": ("list", "string"),
    "List[float]": ("list", "number"),
    "List[Dict[str, Any]]": ("list", "mapping"),
    "Dict[str, Any]": ("mapping", None),
    "Dict[str, float]": ("mapping", "number"),
    "List[PipelineStage]": ("list", "object"),
}
# Bounds of ours: values outside them could never work.
OURS = {
    "sliding_window_attention": (1, None),
    "neftune_noise_alpha": (0, None),
    "num_fewshot": (0, None),
    "limit": (1, None),
    "mix_ratio": (0, None),
    "severity_thresholds": (0, 1),
}

# Keys and choices of ours, which existing files do not have.
ADDED_KEYS = {
    "DistributedConfig.processes",
    "ModelConfig.load_in_8bit",
    "TrainingConfig.gradient_checkpointing",
}
ADDED_CHOICES = {
    "DistributedConfig.strategy": ["ddp"],
    "LoraConfigModel.method": ["full"],
    "TrainingConfig.report_to": ["trackio"],
}


def _block(name: str) -> ConfigField:
    model = getattr(room, name)
    assert issubclass(model, BaseModel)
    return describe_config(model)


def _bounds(text: str | None) -> tuple[float | None, float | None, bool]:
    found = dict(re.findall(r"([>≥≤]) ?(-?[\d.]+)", text or ""))
    low, high = found.get(">", found.get("≥")), found.get("≤")
    return (float(low) if low else None, float(high) if high else None, ">" in found)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.partition(":")[0])
def test_a_key_of_existing_files_is_known_as_it_was(line: str) -> None:
    known = LINE.fullmatch(line)
    assert known is not None
    field = _block(known["block"]).child(known["key"])
    assert field is not None
    plain = re.sub(r"^Optional\[(.*)\]$", r"\1", known["type"])
    assert field.nullable == (plain != known["type"])
    if plain.startswith("Literal"):
        assert field.type == "choice"
        added = ADDED_CHOICES.get(f"{known['block']}.{known['key']}", [])
        assert list(field.choices) == ast.literal_eval(plain.removeprefix("Literal")) + added
    elif plain in TYPES:
        assert (field.type, field.item_type) == TYPES[plain]
    else:
        assert field.type == "object"
    assert field.required == (known["default"] is None)
    if known["default"] is not None:
        assert field.default == ast.literal_eval(known["default"])
    if known["alias"]:
        assert field.aliases == (known["alias"],)
    if "Len" not in (known["bounds"] or "") and "pattern" not in (known["bounds"] or ""):
        low, high, exclusive = _bounds(known["bounds"])
        low, high = OURS.get(field.name, (low, high))
        assert (field.minimum, field.maximum) == (low, high)
        assert field.exclusive_minimum == exclusive


def test_no_key_is_known_that_existing_files_do_not_have_and_we_do_not_name() -> None:
    blocks = {line.partition(".")[0] for line in LINES}
    ours = {f"{name}.{field.name}" for name in blocks for field in _block(name).children}
    assert ours == {line.partition(":")[0] for line in LINES} | ADDED_KEYS


def _walk(field: ConfigField) -> list[ConfigField]:
    return [field, *(inner for child in field.children for inner in _walk(child))]


@pytest.mark.parametrize("field", _walk(describe_config())[1:], ids=lambda field: field.path)
def test_every_key_has_a_help_text_a_group_and_a_level(field: ConfigField) -> None:
    assert 15 <= len(field.help) <= 200
    assert field.help.endswith(".")
    assert field.group
    assert field.level in {"basic", "advanced"}


def test_the_tree_is_plain_json() -> None:
    tree = describe_config().to_dict()
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree


def test_a_field_says_all_a_form_needs() -> None:
    lora = describe_config().child("lora")
    assert lora is not None
    assert lora.required
    rank = lora.child("r")
    assert rank is not None
    assert (rank.path, rank.type, rank.default, rank.minimum) == ("lora.r", "integer", 8, 1)
    assert (rank.group, rank.level, rank.required) == ("Adapter", "basic", False)
    modules = lora.child("target_modules")
    assert modules is not None
    assert (modules.type, modules.item_type, modules.choices) == ("list", "string", ("all-linear",))


def test_secrets_deprecated_keys_units_and_formats_are_marked() -> None:
    fields = {field.path: field for field in _walk(describe_config())}
    assert {path for path, field in fields.items() if field.secret} == {
        "auth.hf_token",
        "synthetic.api_key",
        "webhook.url",
    }
    deprecated = {p for p, field in fields.items() if field.deprecated and "[]" not in p}
    assert deprecated == {"lora.use_dora", "lora.use_rslora", "training.sample_packing"}
    assert fields["model.max_length"].unit == "tokens"
    assert fields["training.gpu_cost_per_hour"].unit == "USD per hour"
    assert fields["retention.staging_ttl_days"].unit == "days"
    assert fields["synthetic.system_prompt"].format == "multi-line"
    assert fields["monitoring.endpoint"].format == "uri"
    assert fields["pipeline.stages[].name"].pattern == "^[a-z0-9_]{1,32}$"


def test_the_tree_is_that_of_the_schema_itself() -> None:
    names = [field.name for field in describe_config().children]
    assert names == list(ForgeConfig.model_fields)
