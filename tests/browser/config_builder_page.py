"""The config builder in a bare Chromium: its real kernel side and its real view, joined."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from widget_page import Joined, WidgetPage

from forgelm_widgets.config_builder import ConfigBuilder


class _Builder(Joined, ConfigBuilder):
    SHOWN = ("form", "state")


@dataclass
class BuilderPage(WidgetPage):
    """The builder's two halves, joined."""

    builder: _Builder

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
    draw: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    builders: list[_Builder] = []

    def show(*start: Any, **window: Any) -> BuilderPage:
        builders.append(_Builder(*start))
        builders[-1].wait()
        return BuilderPage(draw(builders[-1], **window), builders[-1])

    yield show
    for builder in builders:
        builder.close()
