"""A configuration written as YAML is read back as the same configuration, by every loader."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from forgelm.config import ConfigError, ConfigField, ForgeConfig, describe_config, parse_config

TREE = describe_config()
LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20)
NAMES = LINE.filter(str.strip) | st.sampled_from(
    ["2e-05", "1:30", "010", "0o7", "1_000", "yes", "No", "~", "null", ".inf", "=", "<<", "- a",
     ": x", "a: b", "#x", "a #b", "!!str", "&a", "*a", "%a", "@a", "`a", "2026-01-01", "'", '"',
     "\\", "ünï ☃ 𝕏", "🦙", " lead", "trail ", "é\u0301", "\ufeffbom", "...", "---"]
)  # fmt: skip
PROSE = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30) | st.lists(
    NAMES | st.sampled_from(["", " ", "\t", "\r", "\u2028"]), max_size=4
).map("\n".join)
SECRETS = st.text("abcXYZ019_-:#'\"*", min_size=1).filter(lambda text: text.strip("*"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
INTEGERS = st.integers(-(2**63) + 1, 2**63 - 1)
SCALARS = st.none() | st.booleans() | INTEGERS | FLOATS | PROSE
FREE = st.dictionaries(
    PROSE, st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(PROSE, inner)),
    max_size=3,
)  # fmt: skip


def scalars(field: ConfigField, kind: str) -> st.SearchStrategy[Any]:
    """Draw values of `kind` within the bounds of `field`."""
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        low = -(2**63) + 1 if field.minimum is None else int(field.minimum)
        return st.integers(low + field.exclusive_minimum, 2**63 - 1)
    if kind == "number":
        return st.floats(
            field.minimum,
            field.maximum,
            exclude_min=field.exclusive_minimum,
            allow_nan=False,
            allow_infinity=False,
        )
    if kind == "mapping":
        return FREE
    if field.secret:
        return SECRETS.map(lambda text: f"https://h/{text}") if field.name == "url" else SECRETS
    if field.format == "uri":
        return st.sampled_from(["https://host/v1", "http://127.0.0.1:8000", "https://[::1]/#a?b=c"])
    if field.pattern:
        return st.from_regex("[a-z0-9_]{1,32}", fullmatch=True)
    return PROSE if field.format == "multi-line" else NAMES


def values(field: ConfigField) -> st.SearchStrategy[Any]:
    """Draw what may stand at `field`; a rule across keys may still refuse it."""
    if field.type == "object" or field.item_type == "object":
        required = {f.name: values(f) for f in field.children if f.required}
        optional = {f.name: values(f) for f in field.children if not f.required}
        optional = {name: drawn for name, drawn in optional.items() if name not in DEPRECATED}
        drawn = st.fixed_dictionaries(required, optional=optional)
        drawn = st.lists(drawn, min_size=1, max_size=2) if field.type == "list" else drawn
    elif field.type == "choice":
        drawn = st.sampled_from(field.choices)
    elif field.type == "list":
        items = scalars(field, field.item_type or "string")
        drawn = st.lists(items, min_size=1, max_size=3) | st.sampled_from(field.choices or [[]])
        drawn = drawn.filter(lambda value: value != [] or not field.choices)
    elif field.type == "mapping" and field.item_type:
        drawn = st.dictionaries(PROSE, scalars(field, field.item_type), max_size=3)
    else:
        drawn = scalars(field, field.type)
    return drawn | st.none() if field.nullable else drawn


DEPRECATED = {"use_dora", "use_rslora", "sample_packing"}


@st.composite
def configs(draw: st.DrawFn) -> ForgeConfig:
    """Draw a valid configuration: what a rule across keys refuses is taken out again."""
    payload = draw(values(TREE))
    for _ in range(4):
        try:
            return ForgeConfig(**payload)
        except ConfigError as error:
            for path, _problem in error.issues:
                payload.pop("compliance", None)
                payload.pop("risk_assessment", None)
                if path.startswith("pipeline"):
                    payload.pop("pipeline", None)
                block, _, key = path.partition(".")
                if isinstance(payload.get(block), dict):
                    payload[block].pop(key, None)
    assume(False)
    raise AssertionError


def plain(value: Any) -> Any:
    """Return a block as dicts, lists and scalars, secrets in clear."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    return [plain(item) for item in value] if isinstance(value, list) else value


def keys_set(value: Any) -> Any:
    """Return which keys were set, block by block."""
    if isinstance(value, list):
        return [keys_set(item) for item in value]
    if not isinstance(value, BaseModel):
        return None
    return {name: keys_set(getattr(value, name)) for name in value.model_fields_set}


many = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@many
@given(configs())
def test_what_is_written_is_read_back_exactly(config: ForgeConfig) -> None:
    text = config.to_yaml(include_secrets=True)
    again = parse_config(text)
    assert again == config
    assert repr(plain(again)) == repr(plain(config))
    assert keys_set(again) == keys_set(config)
    assert again.to_yaml(include_secrets=True) == text
    assert again.config_hash() == config.config_hash()


@many
@given(configs())
def test_with_every_default_written_other_loaders_read_the_same(config: ForgeConfig) -> None:
    text = config.to_yaml(include_secrets=True, include_defaults=True)
    assert parse_config(text) == config
    assert repr(yaml.safe_load(text)) == repr(plain(config))


@many
@given(configs())
def test_without_secrets_the_rest_is_kept(config: ForgeConfig) -> None:
    bare = config.model_copy(deep=True)
    for block, key in (("auth", "hf_token"), ("synthetic", "api_key"), ("webhook", "url")):
        if getattr(bare, block) is not None:
            setattr(getattr(bare, block), key, None)
    again = parse_config(config.to_yaml())
    assert again == bare
    assert again.config_hash() == bare.config_hash()


@many
@given(configs())
def test_a_dump_makes_the_same_configuration(config: ForgeConfig) -> None:
    assert ForgeConfig(**config.model_dump()) == config
    json.loads(config.model_dump_json())


SMALLEST: dict[str, Any] = {
    "model": {"name_or_path": "my/model"},
    "lora": {},
    "training": {"learning_rate": 1e-5},
    "data": {"dataset_name_or_path": "train.jsonl"},
}


def test_only_what_was_set_is_written() -> None:
    config = ForgeConfig(**SMALLEST)
    config.lora.target_modules.append("k_proj")  # type: ignore[union-attr]
    assert config.to_yaml() == (
        "model:\n  name_or_path: my/model\n"
        "lora:\n  target_modules: [q_proj, v_proj, k_proj]\n"
        "training:\n  learning_rate: 1.0e-05\n"
        "data:\n  dataset_name_or_path: train.jsonl\n"
    )


def test_secrets_are_left_out_with_a_note_unless_asked_for() -> None:
    secret = "sk" + "-" + "planted"
    config = ForgeConfig(
        **SMALLEST,
        auth={"hf_token": secret},
        synthetic={"api_key": secret},
        webhook={"url": "https://h/" + secret},
    )
    text = config.to_yaml()
    assert secret not in text
    assert text.splitlines()[:3] == [
        "# auth.hf_token is a secret and left out: set the environment variable HUGGINGFACE_TOKEN "
        "to it.",
        "# webhook.url is a secret and left out: name the environment variable that holds it in "
        "url_env.",
        "# synthetic.api_key is a secret and left out: name the environment variable that holds it "
        "in api_key_env.",
    ]
    assert parse_config(config.to_yaml(include_secrets=True)) == config


def test_prose_of_several_lines_is_written_as_people_write_it() -> None:
    config = ForgeConfig(**SMALLEST, compliance={"intended_purpose": "first: line\n\nsecond\n"})
    assert "  intended_purpose: |\n    first: line\n\n    second\n" in config.to_yaml()


def test_the_hash_is_of_the_settings_and_of_nothing_else() -> None:
    config = ForgeConfig(**SMALLEST)
    digest = config.config_hash()
    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")
    shuffled = {name: SMALLEST[name] for name in reversed(SMALLEST)}
    written_out = parse_config(config.to_yaml(include_defaults=True))
    with_token = ForgeConfig(**SMALLEST, auth={})
    assert ForgeConfig(**shuffled).config_hash() == written_out.config_hash() == digest
    with_token = ForgeConfig(**SMALLEST, auth={"hf_token": "hf" + "_" + "planted"})
    assert with_token.config_hash() == ForgeConfig(**SMALLEST, auth={}).config_hash()
    zero = [ForgeConfig(**{**SMALLEST, "lora": {"dropout": value}}) for value in (0.0, -0.0, 0)]
    assert len({one.config_hash() for one in zero}) == 1
    assert ForgeConfig(**{**SMALLEST, "lora": {"r": 9}}).config_hash() != digest


@pytest.mark.parametrize("rate", [1e-5, 2e-05, 1e-300, 1.5e300, 0.1, 1e16, 123456789.123456789])
def test_numbers_are_written_so_that_no_loader_takes_them_for_text(rate: float) -> None:
    text = ForgeConfig(**{**SMALLEST, "training": {"learning_rate": rate}}).to_yaml()
    assert yaml.safe_load(text)["training"]["learning_rate"] == rate
    assert parse_config(text).training.learning_rate == rate
