"""A widget's view in a bare Chromium: drawn, joined to its kernel side, and looked at."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

_MODEL = """(traits) => {
    const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
    const map = (object, change) =>
        Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
    const whole = (value) => Array.isArray(value) ? value.map(whole)
        : value === null || typeof value !== 'object' ? value
        : 'base64' in value ? new DataView(bytes(value.base64)) : map(value, whole);
    window.model = {
        traits: whole(traits),
        calls: {},
        get(key) { return this.traits[key] },
        set(traits) {
            Object.assign(this.traits, whole(traits));
            for (const key of Object.keys(traits)) this.tell('change:' + key);
        },
        on(event, call) { (this.calls[event] ??= []).push(call) },
        off(event, call) { this.calls[event] = this.calls[event].filter((c) => c !== call) },
        tell(event, ...values) { for (const call of this.calls[event] ?? []) call(...values) },
    };
}"""
_DRAW = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
    const shipped = (await import(url)).default;
    const widget = typeof shipped === 'function' ? shipped() : shipped;
    window.forget = widget.initialize?.({model});
    window.closers = [];
    window.render = () => {
        const el = document.createElement('div');
        document.body.append(el);
        closers.push(widget.render({model, el}));
    };
    render();
}"""
_JOIN = """model.send = async (content) => {
    const {messages, traits} = await window.toKernel(content);
    for (const message of messages) model.tell('msg:custom', message);
    model.set(traits);
}"""


class Joined:
    """A widget's kernel side that answers the page at once, where a kernel would have a comm.

    Attributes:
        SHOWN: The traits that its view reads.
    """

    SHOWN: ClassVar[tuple[str, ...]]

    def __init__(self, *start: Any) -> None:
        self.sent: list[Any] = []
        super().__init__(*start)

    def send(self, content: Any, buffers: Any = None) -> None:  # noqa: ARG002
        self.sent.append(content)

    def shown(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.SHOWN}

    def take(self, content: Any) -> dict[str, Any]:
        self._handle_custom_msg(content, [])
        assert self.wait()
        messages, self.sent = self.sent, []
        return {"messages": messages, "traits": plain(self.shown())}


@dataclass
class WidgetPage:
    """A page with one view in it."""

    tab: Any

    @property
    def page(self) -> Any:
        """The browser page."""
        return self.tab.page

    def broken_rules(self) -> list[tuple[str, str]]:
        """Return the rules of accessibility that the view breaks, each with where it does."""
        axe = pytest.importorskip("axe_playwright_python")
        if not self.page.evaluate("'axe' in window"):
            self.page.add_script_tag(content=Path(axe.__path__[0], "axe.min.js").read_text("utf-8"))
        found = self.page.evaluate("() => axe.run('.forgelm-widget')")["violations"]
        return [(rule["id"], rule["nodes"][0]["html"][:200]) for rule in found]

    def note_keys(self) -> None:
        """Note from now on the keys that leave the view: `page.evaluate("keys")`."""
        self.page.evaluate(
            "() => { window.keys = [];"
            " document.addEventListener('keydown', (event) => keys.push(event.key)) }"
        )


def plain(value: Any) -> Any:
    """Return a trait's value with its bytes as text, which the page turns into a DataView."""
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.fixture
def draw(new_tab: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Give a function that draws a view in a tab of its own, where nothing may go wrong.

    It takes a joined widget; or the class of one, its traits and the script that sets up the model.
    """
    tabs = []

    def drawn(
        widget: Any, traits: Any = None, script: str = _JOIN, *, dark: bool = False, **window: Any
    ) -> Any:
        tab = new_tab(dark=dark, **window)
        tabs.append(tab)
        scheme, paper = ("dark", "#1b1b1b") if dark else ("light", "#fff")
        tab.page.set_content(
            f"<!doctype html><html lang=en style='color-scheme:{scheme}'><head><title>View</title>"
            f"</head><body style='background:{paper}'></body></html>"
        )
        tab.page.add_style_tag(content=str(widget._css))
        if isinstance(widget, Joined):
            tab.page.expose_function("toKernel", widget.take)
            traits = widget.shown()
        tab.page.evaluate(_MODEL, plain(traits))
        tab.page.evaluate(f"() => {{ {script} }}")
        tab.page.evaluate(_DRAW, str(widget._esm))
        return tab

    yield drawn
    for tab in tabs:
        assert tab.errors == []
        assert tab.outside == []
