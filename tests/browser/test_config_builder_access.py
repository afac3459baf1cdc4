"""The config builder by keyboard alone, and where the focus is when the form changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from forgelm import load_config

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_FOCUSED = """() => { const node = document.activeElement;
    return node.getAttribute('aria-label') || node.labels?.[0]?.textContent
        || node.textContent.trim() || node.tagName }"""


def _tab_to(one: Any, name: str, key: str = "Tab") -> None:
    """Press Tab until the focus is on what is called `name`."""
    seen = []
    for _ in range(250):
        one.page.keyboard.press(key)
        seen.append(one.page.evaluate(_FOCUSED))
        if seen[-1] == name:
            return
    pytest.fail(f"{name} is not reached; the way was {seen}")


def _type_over(one: Any, text: str) -> None:
    one.page.keyboard.press("Control+a")
    one.page.keyboard.type(text)
    one.settle()


def test_the_whole_story_by_keyboard_alone(open_builder: Callable[..., Any]) -> None:
    one = open_builder()
    keyboard = one.page.keyboard
    _tab_to(one, "Start from a preset")
    for _ in range(5):
        keyboard.press("ArrowDown")
    _tab_to(one, "Use preset")
    keyboard.press("Enter")
    one.page.get_by_text("✓ Valid configuration").wait_for()

    _tab_to(one, "max_steps")
    _type_over(one, "soon")
    assert one.field("max_steps").get_attribute("aria-invalid") == "true"
    assert "number" in one.row("max_steps").locator(".forgelm-config-wrong").inner_text()
    _type_over(one, "7")
    assert one.field("max_steps").get_attribute("aria-invalid") is None
    keyboard.press("Control+z")
    keyboard.press("Control+z")
    one.settle()
    assert one.field("max_steps").input_value() == "5"
    for _ in range(2):
        keyboard.press("Control+Shift+z")
        one.settle()
    assert one.field("max_steps").input_value() == "7"
    assert one.page.evaluate(_FOCUSED) == "max_steps"

    _tab_to(one, "How many fields to show", "Shift+Tab")
    keyboard.press("ArrowDown")
    _tab_to(one, "evaluationoff")
    keyboard.press("Enter")
    _tab_to(one, "Switch on: evaluation")
    keyboard.press("Enter")
    one.settle()
    assert one.page.evaluate(_FOCUSED) == "Switch off: evaluation"

    _tab_to(one, "File to load or save", "Shift+Tab")
    _type_over(one, "kept.yaml")
    _tab_to(one, "Save")
    keyboard.press("Enter")
    one.page.get_by_text("Saved to kept.yaml").wait_for()
    saved = load_config("kept.yaml")
    assert saved == one.builder.config
    assert saved.training.max_steps == 7
    assert saved.evaluation is not None
    keyboard.press("Enter")
    one.page.get_by_role("button", name="Replace it").wait_for()
    _tab_to(one, "Keep it")
    keyboard.press("Enter")
    assert one.page.evaluate(_FOCUSED) == "Save"


def test_the_focus_survives_what_takes_its_place_away(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke")
    keyboard = one.page.keyboard
    one.field("max_steps").focus()
    _type_over(one, "6")
    one.page.get_by_role("button", name="Undo").focus()
    keyboard.press("Enter")
    one.settle()
    assert one.builder.config.training.max_steps == 5
    assert one.page.evaluate(_FOCUSED) == "Undo"
    keyboard.press("Enter")
    one.settle()

    one.page.get_by_label("Reset max_steps to its default").focus()
    keyboard.press("Enter")
    one.settle()
    assert one.page.evaluate(_FOCUSED) == "max_steps"

    one.page.get_by_label("How many fields to show").select_option("all")
    one.page.locator("summary", has_text="pipeline").click()
    one.page.get_by_label("Switch on: pipeline").click()
    one.page.locator("summary", has_text="stages").click()
    one.page.get_by_label("Add one: pipeline.stages").click()
    one.settle()
    one.page.locator("summary", has_text="stages 1").click()
    one.page.get_by_label("Remove: pipeline.stages[0]").focus()
    keyboard.press("Enter")
    one.settle()
    assert one.page.evaluate(_FOCUSED) == "Add one: pipeline.stages"

    one.yaml_pane.fill("model: {}\n")
    one.settle()
    link = one.page.locator(".forgelm-config-problems button").first
    link.focus()
    one.builder.load("cpu-smoke")
    one.builder.wait()
    one.page.evaluate("(state) => model.set({state})", one.builder.state)
    assert one.page.evaluate("document.activeElement.closest('.forgelm-config') !== null")


def test_no_key_reaches_the_notebook_but_the_one_that_saves_it(
    open_builder: Callable[..., Any],
) -> None:
    one = open_builder("cpu-smoke")
    one.note_keys()
    for target in (one.field("max_steps"), one.page.get_by_role("button", name="Undo")):
        target.focus()
        for key in ("b", "d", "Escape", "Control+Enter", "Shift+Enter", "Control+x", "Alt+Enter"):
            one.page.keyboard.press(key)
    assert one.page.evaluate("keys") == []
    one.page.evaluate("() => addEventListener('keydown', (e) => e.preventDefault())")
    one.page.keyboard.press("Control+s")
    assert one.page.evaluate("keys").count("s") == 1
    one.settle()
