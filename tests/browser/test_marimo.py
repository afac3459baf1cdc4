"""The config builder in marimo, as it is: shown, typed into, saved."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import free_port, wait_for_server

from forgelm import load_config

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

_APP = """import marimo

app = marimo.App()


@app.cell
def _():
    from forgelm_widgets import ConfigBuilder

    builder = ConfigBuilder("cpu-smoke")
    builder
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def app_url(marimo: Path, tmp_path: Path) -> Iterator[str]:
    """Give the address of an app that shows a builder; it works in `tmp_path`."""
    (tmp_path / "app.py").write_text(_APP, "utf-8")
    port = free_port()
    paths = [str(marimo), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--no-token"]
    command += ["--host=127.0.0.1", f"--port={port}"]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for_server(f"http://127.0.0.1:{port}/", server, tmp_path / "server.log")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(30)


def test_a_form_is_shown_edited_and_saved_in_marimo(
    app_url: str, new_tab: Callable[..., Any], tmp_path: Path, screenshots: Path
) -> None:
    tab = new_tab()
    page = tab.page
    page.goto(app_url)
    page.get_by_text("✓ Valid configuration").wait_for(timeout=60_000)
    label = page.locator("label.forgelm-config-name", has_text="max_steps").first
    field = page.locator(f"#{label.get_attribute('for')}")
    field.fill("many")
    page.locator(".forgelm-config-wrong", has_text="number").first.wait_for()
    field.fill("9")
    page.get_by_text("✓ Valid configuration").wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved to config.yaml").wait_for()
    assert load_config(str(tmp_path / "config.yaml")).training.max_steps == 9
    page.screenshot(path=screenshots / "marimo-builder.png")
    assert tab.errors == []
    assert tab.outside == []
