"""What the config builder looks like: themes, widths, high contrast, and to those who listen."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

_THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


def _write_model(folder: Path) -> None:
    """Write what describes a Llama of 135 million weights; the weights themselves are a hole."""
    layers, hidden, inner, heads, words = 30, 576, 1536, 9, 49152
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": words}
    config |= {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers}
    config |= {"num_attention_heads": heads, "num_key_value_heads": 3, "torch_dtype": "bfloat16"}
    shapes = {"model.embed_tokens.weight": [words, hidden], "model.norm.weight": [hidden]}
    for number in range(layers):
        part = f"model.layers.{number}."
        for name, shape in {
            "q": [576, 576],
            "k": [192, 576],
            "v": [192, 576],
            "o": [576, 576],
        }.items():
            shapes[f"{part}self_attn.{name}_proj.weight"] = shape
        for name, shape in {"gate": [1536, 576], "up": [1536, 576], "down": [576, 1536]}.items():
            shapes[f"{part}mlp.{name}_proj.weight"] = shape
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    packed = json.dumps(header).encode()
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with (folder / "model.safetensors").open("wb") as stream:
        stream.write(len(packed).to_bytes(8, "little") + packed)
        stream.truncate(8 + len(packed) + end)


def _states(one: Any) -> Iterator[str]:
    """Bring the form into each state that a person meets; yield its name."""
    _write_model(Path("smollm"))
    one.field("name_or_path").fill("./smollm")
    one.page.wait_for_timeout(900)
    assert one.page.locator(".forgelm-config-table tr").count() > 3
    # conversations, and a model without a chat template
    said = one.page.locator(".forgelm-config-verdict").inner_text()
    assert said == "! Valid configuration, but 1 error would stop the training"
    yield "valid"
    one.page.get_by_role("button", name="Train", exact=True).click()
    one.page.locator(".forgelm-config-told.forgelm-config-bad").wait_for()
    yield "refused"
    one.field("learning_rate").fill("-1")
    one.settle()
    yield "wrong"
    one.page.get_by_label("How many fields to show").select_option("all")
    for title in ("auth", "evaluation", "pipeline"):
        one.page.locator(".forgelm-config-head", has_text=title).first.click()
    one.field("hf_token").fill("hf_" + "q" * 34)
    one.field("hf_token").press("Tab")
    one.settle()
    yield "experts"
    one.page.get_by_label("Search fields").fill("no such field")
    yield "nothing-found"
    one.page.get_by_label("Search fields").fill("")
    one.yaml_pane.fill("model: [\n")
    one.settle()
    yield "broken"
    one.yaml_pane.fill(one.builder.yaml.replace("learning_rate: -1", "learning_rate: 1.0e-4"))
    one.settle()
    Path("config.yaml").touch()
    one.page.get_by_role("button", name="Save", exact=True).click()
    one.page.get_by_role("button", name="Replace it").wait_for()
    yield "asks"


@_THEMES
@pytest.mark.parametrize("width", [1280, 480])
def test_every_state_fits_the_page_and_breaks_no_rule_of_accessibility(
    open_builder: Callable[..., Any], screenshots: Path, width: int, dark: bool
) -> None:
    one = open_builder("cpu-smoke", width=width, height=1000, dark=dark)
    theme = "dark" if dark else "light"
    for state in _states(one):
        name = f"builder-{state}-{theme}-{width}.png"
        one.page.screenshot(path=screenshots / name, full_page=True)
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width, state
        assert one.broken_rules() == [], state


def test_a_narrow_window_hides_nothing_that_is_needed(open_builder: Callable[..., Any]) -> None:
    one = open_builder("cpu-smoke", width=480, height=900)
    one.page.get_by_label("How many fields to show").select_option("all")
    cut = one.page.locator(".forgelm-config").evaluate(
        """(root) => [...root.querySelectorAll('button, input, select, summary, label')]
            .filter((node) => node.checkVisibility())
            .map((node) => [node.textContent || node.type, node.getBoundingClientRect()])
            .filter(([_, box]) => box.left < 0 || box.right > 480 || box.height < 16)
            .map(([name]) => name)"""
    )
    assert cut == []


_STYLE = """(node, names) => names.map((name) => getComputedStyle(node)[name])"""


def test_high_contrast_tells_apart_what_colours_told_apart(
    open_builder: Callable[..., Any], screenshots: Path
) -> None:
    one = open_builder("cpu-smoke")
    one.page.emulate_media(forced_colors="active")
    bar = ["borderLeftColor"]
    marked = one.row("max_steps").evaluate(_STYLE, bar)
    assert marked != one.row("num_train_epochs").evaluate(_STYLE, bar)
    paper = one.page.locator("body").evaluate(_STYLE, ["backgroundColor"])
    assert one.row("num_train_epochs").evaluate(_STYLE, bar) == paper
    border = ["borderTopStyle", "borderTopWidth"]
    assert one.field("max_steps").evaluate(_STYLE, border) == ["solid", "1px"]
    one.field("max_steps").fill("x")
    one.settle()
    assert one.field("max_steps").evaluate(_STYLE, border) == ["dashed", "2px"]
    one.page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert one.page.evaluate(outline) == "solid"
    off, on = (one.page.get_by_role("button", name=name) for name in ("Redo", "Undo"))
    assert off.evaluate(_STYLE, ["color"]) != on.evaluate(_STYLE, ["color"])
    one.page.screenshot(path=screenshots / "builder-forced-colours-1280.png")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_by_itself(open_builder: Callable[..., Any], motion: str) -> None:
    one = open_builder("cpu-smoke")
    one.page.emulate_media(reduced_motion=motion)
    one.field("max_steps").fill("x")
    one.page.locator(".forgelm-config-problems button").first.click()
    one.settle()
    assert one.page.evaluate("document.getAnimations().length") == 0
    moving = one.page.locator(".forgelm-config").evaluate(
        """(root) => [root, ...root.querySelectorAll('*')].filter((node) => {
            const style = getComputedStyle(node);
            return style.scrollBehavior === 'smooth' || style.transitionDuration !== '0s'
                || style.animationName !== 'none' }).length"""
    )
    assert moving == 0
