"""The config builder in a bare Chromium: what its form and its YAML do for each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from forgelm import load_config

pytestmark = pytest.mark.browser


def test_a_person_builds_a_configuration_by_clicking_and_typing(
    open_builder: Callable[..., Any],
) -> None:
    one = open_builder()
    page = one.page
    assert "problem" in page.locator(".forgelm-config-verdict").inner_text()
    one.field("name_or_path").fill("acme/tiny")
    one.field("dataset_name_or_path").fill("train.jsonl")
    one.settle()
    for title in ("lora", "training"):
        page.get_by_label(f"Write it, with defaults: {title}").click()
    one.field("learning_rate").fill("fast")
    one.settle()
    assert one.field("learning_rate").get_attribute("aria-invalid") == "true"
    assert "number" in one.row("learning_rate").locator(".forgelm-config-wrong").inner_text()
    one.field("learning_rate").fill("3e-4")
    one.settle()
    assert one.field("learning_rate").get_attribute("aria-invalid") is None
    assert one.field("learning_rate").input_value() == "3e-4"
    one.field("load_in_4bit").uncheck()
    one.field("trainer_type").select_option("dpo")
    page.get_by_text("! Valid configuration, but 1 error would stop the training").wait_for()
    one.field("trainer_type").select_option("sft")
    page.get_by_text("✓ Valid configuration").wait_for()
    page.get_by_label("File to load or save").fill("built.yaml")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved to built.yaml").wait_for()
    saved = load_config("built.yaml")
    assert saved == one.builder.config
    assert (saved.training.learning_rate, saved.training.trainer_type) == (0.0003, "sft")

    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Keep it").click()
    assert page.get_by_role("button", name="Replace it").count() == 0


_COMMENTED = """# the support model
model:
  name_or_path: acme/tiny  # approved in May
  load_in_4bit: false

lora: {r: 8}   # small on purpose
training:
  # agreed with the platform team
  num_train_epochs: 3
  learning_rate: 2e-5
data:
  dataset_name_or_path: train.jsonl
# end
"""


def test_comments_stay_when_the_form_changes_pasted_yaml(
    open_builder: Callable[..., Any],
) -> None:
    one = open_builder()
    one.yaml_pane.fill(_COMMENTED)
    one.settle()
    assert one.field("num_train_epochs").input_value() == "3"
    one.field("num_train_epochs").fill("5")
    one.settle()
    wanted = _COMMENTED.replace("num_train_epochs: 3", "num_train_epochs: 5")
    assert one.builder.yaml == one.yaml_pane.input_value() == wanted
    one.page.get_by_role("button", name="Undo").click()
    one.settle()
    assert one.yaml_pane.input_value() == _COMMENTED
    assert one.field("num_train_epochs").input_value() == "3"
    one.page.get_by_role("button", name="Redo").click()
    one.settle()
    assert one.yaml_pane.input_value() == wanted


def test_broken_yaml_keeps_the_form_and_says_where(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke")
    broken = one.builder.yaml + "lora: [\n"
    one.yaml_pane.fill(broken)
    one.settle()
    said = one.page.locator(".forgelm-config-text .forgelm-config-wrong").inner_text()
    assert "Line 17, column 1" in said
    assert one.yaml_pane.input_value() == broken
    assert one.field("max_steps").input_value() == "5"
    one.yaml_pane.fill(one.builder.yaml.replace("max_steps: 5", "max_steps: 7"))
    one.settle()
    assert one.field("max_steps").input_value() == "7"
    assert one.builder.config.training.max_steps == 7


def test_a_problem_in_the_summary_leads_to_its_field(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke")
    one.yaml_pane.fill(one.builder.yaml + "evaluation:\n  safety:\n    scoring: loud\n")
    one.settle()
    one.page.get_by_role("button", name="evaluation.safety.scoring").click()
    assert one.field("scoring").evaluate("(node) => node === document.activeElement")


def test_hostile_words_stay_words(open_builder: Callable[..., Any]) -> None:
    words = '<img src=x onerror="window.hurt=1">'
    one = open_builder("cpu-smoke")
    one.field("name_or_path").fill(words)
    one.field("dataset_name_or_path").fill(words)
    one.settle()
    one.yaml_pane.fill(one.builder.yaml + f"'{words}': 1\n")
    one.settle()
    assert one.page.locator(".forgelm-config img").count() == 0
    assert one.page.evaluate("window.hurt") is None


def test_a_secret_is_in_no_trait_and_leaves_the_page(open_builder: Callable[..., Any]) -> None:
    token = "hf_" + "q" * 34
    one = open_builder("cpu-smoke")
    one.page.get_by_label("How many fields to show").select_option("all")
    one.page.locator("summary", has_text="auth").click()
    one.field("hf_token").fill(token)
    one.field("hf_token").press("Tab")
    one.settle()
    assert one.field("hf_token").input_value() == ""
    assert one.builder.config.auth.hf_token.get_secret_value() == token
    assert token not in json.dumps(one.builder.get_state(), default=str)
    one.yaml_pane.fill(one.builder.yaml.replace("auth: {}", f"auth: {{hf_token: {token}}}"))
    one.settle()
    assert "is a secret" in one.page.locator(".forgelm-config-summary").inner_text()
    assert token not in json.dumps(one.builder.get_state(), default=str)


def test_a_list_of_blocks_grows_and_shrinks(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke")
    one.page.get_by_label("How many fields to show").select_option("all")
    one.page.locator("summary", has_text="pipeline").click()
    one.page.get_by_label("Switch on: pipeline").click()
    one.page.locator("summary", has_text="stages").click()
    one.page.get_by_label("Add one: pipeline.stages").click()
    one.settle()
    one.page.locator("summary", has_text="stages 1").click()
    one.field("name").fill("first")
    one.settle()
    one.page.get_by_label("Add one: pipeline.stages").click()
    one.settle()
    assert [path for path, _ in one.builder.errors] == ["pipeline.stages[1].name"]
    one.page.locator("summary", has_text="stages 2").click()
    one.page.get_by_label("Remove: pipeline.stages[1]").click()
    one.settle()
    assert one.builder.errors == []
    assert [stage.name for stage in one.builder.config.pipeline.stages] == ["first"]


def test_lists_choices_and_mappings_are_typed(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke")
    one.page.get_by_label("How many fields to show").select_option("all")
    one.field("target_modules").fill("q_proj\nk_proj")
    one.field("rope_scaling").fill("{rope_type: yarn, factor: 2.0}")
    one.field("gradient_checkpointing").select_option("true")
    one.settle()
    config = one.builder.config
    assert config.lora.target_modules == ["q_proj", "k_proj"]
    assert config.training.rope_scaling == {"rope_type": "yarn", "factor": 2.0}
    assert config.training.gradient_checkpointing is True
    one.page.get_by_role("button", name="Use all-linear").first.click()
    one.page.get_by_label("Reset rope_scaling to its default").click()
    one.settle()
    assert one.builder.config.lora.target_modules == "all-linear"
    assert one.builder.config.training.rope_scaling is None


def test_search_finds_a_field_at_any_level(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke")
    one.page.get_by_label("Search fields by name or help").fill("dare_drop")
    names = one.page.locator("label.forgelm-config-name:visible").all_inner_texts()
    assert names == ["dare_drop_rate"]
