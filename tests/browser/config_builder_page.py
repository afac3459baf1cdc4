"""The config builder in a bare Chromium: its real kernel side and its real view, joined."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from forgelm_widgets.config_builder import ConfigBuilder

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
class BuilderPage:
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
) -> Iterator[Callable[..., BuilderPage]]:
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
    opened: list[BuilderPage] = []

    def show(*start: Any, **window: Any) -> BuilderPage:
        one = BuilderPage(new_tab(**window), _Builder(*start))
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
