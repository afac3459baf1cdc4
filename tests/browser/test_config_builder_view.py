"""The config builder: its real kernel side and its real view, in a bare Chromium."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from forgelm import load_config
from forgelm_widgets.config_builder import ConfigBuilder

pytestmark = pytest.mark.browser

_OPEN = """async ({source, form, state}) => {
    const calls = {};
    window.model = {
        values: {form, state},
        get(key) { return this.values[key] },
        on(event, call) { (calls[event] ??= []).push(call) },
        off(event, call) { calls[event] = calls[event].filter((c) => c !== call) },
        tell(event, ...values) { for (const call of calls[event] ?? []) call(...values) },
        async send(content) {
            const answer = await window.toKernel(content);
            for (const message of answer.messages) this.tell('msg:custom', message);
            this.values.state = answer.state;
            this.tell('change:state');
        },
    };
    const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    const el = document.createElement('div');
    document.body.append(el);
    window.stop = (await import(url)).default.render({model, el});
}"""


class _Builder(ConfigBuilder):
    """Keeps the messages that a kernel would send to the page."""

    def __init__(self, *start: Any) -> None:
        self.sent: list[Any] = []
        super().__init__(*start)

    def send(self, content: Any, buffers: Any = None) -> None:  # noqa: ARG002
        self.sent.append(content)

    def take(self, content: Any) -> dict[str, Any]:
        self._handle_custom_msg(content, [])
        assert self.wait()
        messages, self.sent = self.sent, []
        return {"messages": messages, "state": self.state}


@dataclass
class Page:
    """The builder's two halves, joined."""

    tab: Any
    builder: _Builder

    @property
    def page(self) -> Any:
        """The browser page."""
        return self.tab.page

    def field(self, name: str) -> Any:
        """Return the control of the first field that has this name and is visible."""
        label = self.page.locator(f"label.forgelm-config-name:text-is('{name}'):visible").first
        return self.page.locator(f"#{label.get_attribute('for')}")

    def row(self, name: str) -> Any:
        """Return the row of that field."""
        return self.field(name).locator(
            "xpath=ancestor::*[contains(@class, 'forgelm-config-row')][1]"
        )

    def settle(self) -> None:
        """Wait until what was typed has gone to the kernel and come back."""
        self.page.wait_for_timeout(600)

    @property
    def yaml_pane(self) -> Any:
        """The text area of the YAML."""
        return self.page.locator(".forgelm-config-text textarea")


@pytest.fixture
def open_builder(
    new_tab: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Page]]:
    """Give a function that shows a builder in an empty folder with one data file."""
    monkeypatch.chdir(tmp_path)
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"question {n}"},
                {"role": "assistant", "content": "answer"},
            ]
        }
        for n in range(12)
    ]
    Path("train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    opened: list[Page] = []

    def show(*start: Any, **window: Any) -> Page:
        one = Page(new_tab(**window), _Builder(*start))
        one.builder.wait()
        scheme = "dark" if window.get("dark") else "light"
        one.page.set_content(
            f"<!doctype html><html lang=en style='color-scheme:{scheme}'>"
            "<head><title>Builder</title></head>"
            f"<body style='background:{'#1b1b1b' if window.get('dark') else '#fff'}'></body></html>"
        )
        one.page.add_style_tag(content=one.builder._css)
        one.page.expose_function("toKernel", one.builder.take)
        parts = {"source": one.builder._esm, "form": one.builder.form, "state": one.builder.state}
        one.page.evaluate(_OPEN, parts)
        opened.append(one)
        return one

    yield show
    for one in opened:
        one.builder.close()
        assert one.tab.errors == []
        assert one.tab.outside == []


def test_a_person_builds_a_configuration_by_clicking_and_typing(
    open_builder: Callable[..., Page],
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
    open_builder: Callable[..., Page],
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


def test_broken_yaml_keeps_the_form_and_says_where(open_builder: Callable[..., Page]) -> None:
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


def test_a_problem_in_the_summary_leads_to_its_field(open_builder: Callable[..., Page]) -> None:
    one = open_builder("cpu-smoke")
    one.yaml_pane.fill(one.builder.yaml + "evaluation:\n  safety:\n    scoring: loud\n")
    one.settle()
    one.page.get_by_role("button", name="evaluation.safety.scoring").click()
    assert one.field("scoring").evaluate("(node) => node === document.activeElement")


def test_hostile_words_stay_words(open_builder: Callable[..., Page]) -> None:
    words = '<img src=x onerror="window.hurt=1">'
    one = open_builder("cpu-smoke")
    one.field("name_or_path").fill(words)
    one.field("dataset_name_or_path").fill(words)
    one.settle()
    one.yaml_pane.fill(one.builder.yaml + f"'{words}': 1\n")
    one.settle()
    assert one.page.locator(".forgelm-config img").count() == 0
    assert one.page.evaluate("window.hurt") is None


def test_a_secret_is_in_no_trait_and_leaves_the_page(open_builder: Callable[..., Page]) -> None:
    token = "hf_" + "q" * 34
    one = open_builder("cpu-smoke")
    one.page.get_by_label("How many fields to show").select_option("all")
    one.page.locator("summary", has_text="auth").click()
    one.field("hf_token").fill(token)
    one.field("hf_token").press("Tab")
    one.settle()
    assert one.field("hf_token").input_value() == ""
    assert one.builder.config.auth.hf_token.get_secret_value() == token  # type: ignore[union-attr]
    assert token not in json.dumps(one.builder.get_state(), default=str)
    one.yaml_pane.fill(one.builder.yaml.replace("auth: {}", f"auth: {{hf_token: {token}}}"))
    one.settle()
    assert "is a secret" in one.page.locator(".forgelm-config-summary").inner_text()
    assert token not in json.dumps(one.builder.get_state(), default=str)


def test_a_list_of_blocks_grows_and_shrinks(open_builder: Callable[..., Page]) -> None:
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
    assert [stage.name for stage in one.builder.config.pipeline.stages] == ["first"]  # type: ignore[union-attr]


def test_lists_choices_and_mappings_are_typed(open_builder: Callable[..., Page]) -> None:
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


def test_search_finds_a_field_at_any_level(open_builder: Callable[..., Page]) -> None:
    one = open_builder("cpu-smoke")
    one.page.get_by_label("Search fields by name or help").fill("dare_drop")
    names = one.page.locator("label.forgelm-config-name:visible").all_inner_texts()
    assert names == ["dare_drop_rate"]


def test_the_keyboard_is_enough_and_no_key_reaches_the_notebook(
    open_builder: Callable[..., Page],
) -> None:
    one = open_builder("cpu-smoke")
    one.page.evaluate(
        "() => { window.keys = []; document.addEventListener('keydown', (e) => keys.push(e.key)) }"
    )
    one.field("max_steps").focus()
    one.page.keyboard.press("End")
    one.page.keyboard.type("0")
    one.settle()
    assert one.builder.config.training.max_steps == 50
    assert one.field("max_steps").evaluate("(node) => node === document.activeElement")
    one.page.keyboard.press("Control+z")
    one.settle()
    assert one.builder.config.training.max_steps == 5
    assert one.field("max_steps").input_value() == "5"
    one.page.keyboard.press("Tab")
    one.page.keyboard.press("Shift+Tab")
    assert not {"0", "End", "Tab", "z"} & set(one.page.evaluate("keys"))


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
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    with (folder / "model.safetensors").open("wb") as stream:
        stream.write(len(packed).to_bytes(8, "little") + packed)
        stream.truncate(8 + len(packed) + end)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 480])
def test_it_fits_the_page_in_both_themes(
    open_builder: Callable[..., Page], screenshots: Path, width: int, dark: bool
) -> None:
    one = open_builder("cpu-smoke", width=width, height=1000, dark=dark)
    _write_model(Path("smollm"))
    one.field("name_or_path").fill("./smollm")
    one.page.wait_for_timeout(900)
    assert one.page.locator(".forgelm-config-table tr").count() > 3
    # conversations, and a model without a chat template
    said = one.page.locator(".forgelm-config-verdict").inner_text()
    assert said == "! Valid configuration, but 1 error would stop the training"
    one.field("learning_rate").fill("-1")
    one.settle()
    theme = "dark" if dark else "light"
    one.page.screenshot(path=screenshots / f"builder-wrong-{theme}-{width}.png", full_page=True)
    one.field("learning_rate").fill("1e-4")
    one.page.wait_for_timeout(900)
    one.page.screenshot(path=screenshots / f"builder-{theme}-{width}.png", full_page=True)
    one.page.locator(".forgelm-config-form").evaluate("(form) => { form.scrollTop = 0 }")
    one.page.screenshot(path=screenshots / f"builder-top-{theme}-{width}.png")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_rule_of_accessibility_is_broken(open_builder: Callable[..., Page], dark: bool) -> None:
    axe = pytest.importorskip("axe_playwright_python")
    one = open_builder("cpu-smoke", dark=dark)
    one.page.add_script_tag(content=Path(axe.__path__[0], "axe.min.js").read_text("utf-8"))
    one.page.get_by_label("How many fields to show").select_option("all")
    one.field("learning_rate").fill("-1")
    one.field("learning_rate").scroll_into_view_if_needed()
    for title in ("auth", "evaluation", "pipeline"):
        one.page.locator(".forgelm-config-head", has_text=title).first.click()
    for yaml in (None, "model: [\n"):
        if yaml:
            one.yaml_pane.fill(yaml)
        one.settle()
        found = one.page.evaluate("() => axe.run('.forgelm-config')")["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
