"""Changing one value in YAML text: comments, order, quotes and anchors stay."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from forgelm import ForgeConfig, describe_config, parse_config
from forgelm_widgets.config_builder._document import ConfigDocument
from forgelm_widgets.config_builder._presets import PRESETS
from forgelm_widgets.config_builder._yaml_patch import DELETE, patch, read, render

TEXT = """# my run
model:
  name_or_path: acme/x   # base
  # about length
  max_length: 512
lora: &l {r: 8, alpha: 16}   # adapter
training:
  # the method
  trainer_type: "sft"

  learning_rate: 2e-5 # lr
data:
  extra_datasets:
  - a.jsonl
  - b.jsonl  # second
# the end
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (["model", "max_length"], 1024, "max_length: 512", "max_length: 1024"),
        (["model", "max_length"], DELETE, "  max_length: 512\n", ""),
        (["model", "offline"], True, "512\n", "512\n  offline: true\n"),
        (["lora", "r"], DELETE, "{r: 8, alpha: 16}", "{alpha: 16}"),
        (["lora", "alpha"], DELETE, "{r: 8, alpha: 16}", "{r: 8}"),
        (["lora", "dropout"], 2e-5, "16}", "16, dropout: 2.0e-05}"),
        (["training", "learning_rate"], 1e-4, "2e-5", "0.0001"),
        (["training", "trainer_type"], "no", '"sft"', '"no"'),
        (["data", "extra_datasets", 1], DELETE, "  - b.jsonl  # second\n", ""),
        (["data", "extra_datasets", 2], "c: d", "second\n", 'second\n  - "c: d"\n'),
        (
            ["evaluation", "safety", "enabled"],
            True,
            "second\n",
            "second\nevaluation:\n  safety:\n    enabled: true\n",
        ),
    ],
)
def test_only_the_value_asked_for_changes(path: list[Any], value: Any, old: str, new: str) -> None:
    assert patch(TEXT, path, value) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("text", "path", "value", "changed"),
    [
        ("", ["lora", "r"], 3, "lora:\n  r: 3\n"),
        ("# x\n", ["lora", "r"], 3, "# x\nlora:\n  r: 3\n"),
        ("lora: {}\n", ["lora", "r"], 3, "lora:\n  r: 3\n"),
        ("lora:\n", ["lora", "r"], 3, "lora:\n  r: 3\n"),
        ("a:\n  # why\n  b: 1\n", ["a", "b"], DELETE, "a: {}\n  # why\n"),
        ("a: &x\n  r: 1\nb: *x\n", ["b", "r"], 2, "a: &x\n  r: 1\nb:\n  r: 2\n"),
        ("a: &x\n  r: 1\nb: *x\n", ["a", "r"], 2, "a: &x\n  r: 2\nb:\n  r: 1\n"),
        ("b:\n  <<: {r: 1}\n  s: 2\n", ["b", "r"], 5, "b:\n  <<: {r: 1}\n  s: 2\n  r: 5\n"),
        ("a: |\n  one\n  two\n\n# c\nb: 1\n", ["a"], "x", "a: x\n\n# c\nb: 1\n"),
        ("a: 1", ["b"], "y", 'a: 1\nb: "y"\n'),
    ],
)
def test_odd_shapes_are_changed_in_place_too(
    text: str, path: list[Any], value: Any, changed: str
) -> None:
    assert patch(text, path, value) == changed


_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False), st.text()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
_DOCUMENTS = st.dictionaries(st.text(min_size=1, max_size=8), _VALUES, min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(_DOCUMENTS, st.text(min_size=1, max_size=8), _VALUES, st.booleans())
def test_any_document_reads_back_with_the_one_change(
    document: dict[str, Any], key: str, value: Any, flow: bool
) -> None:
    text = yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True)
    before = read(text)
    assert read(patch(text, [key], value)) == {**before, key: value}
    rest = patch(text, [next(iter(before))], DELETE)
    assert (read(rest) or {}) == dict(list(before.items())[1:])


@settings(max_examples=60, deadline=None)
@given(_DOCUMENTS)
def test_what_is_rendered_reads_back_equal(document: dict[str, Any]) -> None:
    assert read(render(document)) == document


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_is_valid_and_round_trips_through_the_form(name: str) -> None:
    document = ConfigDocument(PRESETS[name].yaml)
    assert document.check() == ()
    rebuilt = ConfigDocument()
    for section, keys in document.values.items():
        for key, value in keys.items():
            rebuilt.set([section, key], value)
    assert rebuilt.config() == document.config() == parse_config(PRESETS[name].yaml)


def _leaf(field: Any) -> st.SearchStrategy[Any]:
    if field.choices and field.type == "choice":
        return st.sampled_from(field.choices)
    if field.type == "boolean":
        return st.booleans()
    if field.type == "integer":
        return st.integers(int(field.minimum or 0) + 1, int(field.maximum or 4_000))
    return st.floats(0.01, 0.99)


_LEAVES = [
    field
    for section in ("model", "lora", "training")
    for field in describe_config().child(section).children  # type: ignore[union-attr]
    if field.type in {"choice", "boolean", "integer", "number"} and not field.deprecated
]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_valid_form_round_trips(data: st.DataObject) -> None:
    document = ConfigDocument(PRESETS["cpu-smoke"].yaml)
    for field in data.draw(st.lists(st.sampled_from(_LEAVES), max_size=5)):
        document.set(field.path.split("."), data.draw(_leaf(field)))
    if document.check():
        return
    config = document.config()
    assert parse_config(document.text) == config
    assert ConfigDocument(config.to_yaml()).config() == config
    assert ForgeConfig(**read(document.text)) == config


def test_hostile_yaml_is_a_problem_and_not_a_crash() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
    )
    document = ConfigDocument(PRESETS["cpu-smoke"].yaml)
    tag = "a: !!python/object:os.system x"
    for text in (bomb, "[" * 5_000, "a: *b", "\x00", "- 1", "x" * 200_000, tag):
        document.edit(text)
        assert document.check()
    while document.can_undo:
        document.undo()
    assert document.text == PRESETS["cpu-smoke"].yaml


def test_undo_and_redo_cover_form_and_text() -> None:
    document = ConfigDocument("lora: {r: 8}\n")
    document.set(["lora", "r"], "16")
    document.edit("lora: {r: 32}\n")
    document.undo()
    assert document.values == {"lora": {"r": 16}}
    document.undo()
    assert (document.text, document.can_undo) == ("lora: {r: 8}\n", False)
    document.redo()
    document.redo()
    assert (document.text, document.can_redo) == ("lora: {r: 32}\n", False)
