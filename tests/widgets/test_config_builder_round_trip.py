"""Every key of the schema, by YAML and by form: what goes in comes out, and nothing else."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm import ConfigField, ForgeConfig, describe_config, parse_config
from forgelm_widgets.config_builder._document import ConfigDocument
from forgelm_widgets.config_builder._presets import PRESETS
from forgelm_widgets.config_builder._yaml_patch import read, render

_GUIDES = Path(__file__).parents[2] / "docs" / "guides"
_STAGES = ("first", "second")
_BASE = {
    "model": {"name_or_path": "acme/tiny"},
    "lora": {},
    "training": {},
    "data": {"dataset_name_or_path": "a.jsonl"},
}


def _stages() -> list[dict[str, Any]]:
    return [{"name": name} for name in _STAGES]


def _leaves(field: ConfigField, path: tuple[str | int, ...] = ()) -> Iterator[Any]:
    """Yield `(path, field)` of each key that is no secret, two items for a list of blocks."""
    if field.children and field.type == "list":
        for number in range(len(_STAGES)):
            for child in field.children:
                yield from _leaves(child, (*path, number, child.name))
    elif field.children:
        for child in field.children:
            yield from _leaves(child, (*path, child.name))
    elif not field.secret:
        yield path, field


_LEAVES = list(_leaves(describe_config()))
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
_PLAIN = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | _NUMBERS | st.text(max_size=9)


def _any_value(field: ConfigField) -> st.SearchStrategy[Any]:
    """Return values of the field's type, whether the field takes them or not."""
    items = {"number": _NUMBERS, "string": st.text(max_size=9)}
    mappings = st.dictionaries(st.text(max_size=6), _PLAIN, max_size=3)
    lists = st.lists(items.get(field.item_type or "", mappings), max_size=3)
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(-(10**12), 10**12),
        "number": _NUMBERS,
        "string": st.text(max_size=30),
        "choice": st.sampled_from(field.choices or ("x",)),
        "list": lists | st.sampled_from(field.choices) if field.choices else lists,
        "mapping": mappings,
    }
    return st.none() | kinds[field.type] if field.nullable else kinds[field.type]


def _fitting_value(field: ConfigField) -> st.SearchStrategy[Any]:
    """Return values within the field's bounds."""
    words = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
    low = field.minimum if field.minimum is not None else 0
    high = field.maximum if field.maximum is not None else max(low * 4, 4_000)
    items = {"number": st.floats(0.1, 1.0), "string": words}
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(int(low) + field.exclusive_minimum, int(high)),
        "number": st.floats(
            low, high, exclude_min=field.exclusive_minimum, exclude_max=field.exclusive_maximum
        ),
        "string": st.just("http://127.0.0.1:9/v1") if field.format == "uri" else words,
        "choice": st.sampled_from(field.choices or ("x",)),
        "list": st.lists(items.get(field.item_type or "", st.just({})), max_size=3),
        "mapping": st.dictionaries(words, st.floats(0.1, 0.9), max_size=2),
    }
    return kinds[field.type]


def _put(blocks: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Write a value into plain blocks, making those on the way."""
    for part, following in itertools.pairwise(path):
        if isinstance(following, int):
            blocks = blocks.setdefault(part, _stages())
        else:
            blocks = blocks[part] if isinstance(part, int) else blocks.setdefault(part, {})
    blocks[path[-1]] = value


def _typed(value: Any) -> Any:
    """Return a number as the form sends it: as the text in its field."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(value) if is_number else value


def _fill(document: ConfigDocument, path: tuple[str | int, ...], value: Any) -> None:
    """Write a value through the form; a list of blocks gets its items first."""
    if "stages" in path:
        stages = path[: path.index("stages") + 1]
        if not isinstance((document.values.get("pipeline") or {}).get("stages"), list):
            document.set(stages, _stages())
    document.set(path, _typed(value))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_values_come_back_from_the_text_and_from_the_form(data: st.DataObject) -> None:
    wanted: dict[str, Any] = {}
    form = ConfigDocument()
    for path, field in data.draw(st.lists(st.sampled_from(_LEAVES), min_size=1, max_size=8)):
        value = data.draw(_any_value(field))
        _put(wanted, path, value)
        _fill(form, path, value)
    assert form.values == wanted
    assert ConfigDocument(render(wanted) + "\n").values == wanted
    assert ConfigDocument(form.text).values == wanted


def test_every_key_of_the_schema_is_written_by_the_form_and_read_from_the_text() -> None:
    values = {"boolean": True, "integer": 3, "number": 0.25, "string": "a: b", "mapping": {"a": 1}}
    assert len(_LEAVES) > 290
    for path, field in _LEAVES:
        value: Any = values.get(field.type, ["x"])
        if field.type == "choice":
            value = field.choices[-1]
        wanted: dict[str, Any] = {}
        _put(wanted, path, value)
        form = ConfigDocument()
        _fill(form, path, value)
        assert form.values == read(render(wanted)) == wanted, path


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_valid_configuration_comes_back_equal(data: st.DataObject) -> None:
    blocks: dict[str, Any] = copy.deepcopy(_BASE)
    form = ConfigDocument(render(blocks) + "\n")
    for path, field in data.draw(st.lists(st.sampled_from(_LEAVES), max_size=10)):
        tried = copy.deepcopy(blocks)
        value = data.draw(_fitting_value(field))
        _put(tried, path, value)
        if not ConfigDocument(render(tried)).check():
            blocks = tried
            _fill(form, path, value)
    config = parse_config(render(blocks))
    assert form.check() == ()
    assert form.config() == parse_config(form.text) == config
    assert ForgeConfig(**read(form.text)) == config
    for defaults in (False, True):
        again = ConfigDocument(config.to_yaml(include_defaults=defaults))
        assert again.config() == config


def _documents() -> Iterator[Any]:
    """Yield every preset, and every complete configuration in the guides."""
    for name, preset in PRESETS.items():
        yield pytest.param(preset.yaml, id=name)
    for page in sorted(_GUIDES.glob("*.md")):
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
        whole = [block for block in blocks if re.search("^model:", block, re.M)]
        for number, text in enumerate(whole):
            yield pytest.param(text, id=f"{page.stem}-{number}")


def _flat(values: Any, field: ConfigField, path: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield `(path, value)` of each key that was set; a list of blocks is one value."""
    if field.type == "object" and values:
        for key, value in values.items():
            child = field.child(key)
            assert child is not None
            yield from _flat(value, child, (*path, key))
    else:
        yield path, values


@pytest.mark.parametrize("text", list(_documents()))
def test_every_preset_and_every_configuration_of_the_guides_comes_back_equal(text: str) -> None:
    document = ConfigDocument(text)
    assert document.text == text
    form = ConfigDocument()
    for path, value in _flat(document.values, describe_config()):
        form.set(path, _typed(value))
    assert form.values == document.values
    assert form.config() == document.config() == parse_config(text)
