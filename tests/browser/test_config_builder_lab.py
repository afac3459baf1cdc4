"""The config builder in a real JupyterLab: what it costs, and what the notebook keeps of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.browser

_TOKEN = "hf_" + "q" * 34
_MAKE = """import json
from pathlib import Path
import ipywidgets
from forgelm_widgets import ConfigBuilder
rows = [{"prompt": f"question {n}", "completion": "answer"} for n in range(20)]
Path("train.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
builder = ConfigBuilder("cpu-smoke")
builder"""


# Keeps in `window` how long it took until a condition held and the page was painted, in ms.
_CLOCK = """([name, condition]) => {
    const t0 = performance.now();
    const holds = new Function(`return ${condition}`);
    const look = () => holds()
        ? requestAnimationFrame(() => setTimeout(() => { window[name] = performance.now() - t0 }))
        : requestAnimationFrame(look);
    look();
}"""
_TYPE_YAML = """([old, text]) => {
    const area = document.querySelector('.forgelm-config-text textarea');
    area.value = area.value.replace(old, text);
    area.dispatchEvent(new Event('input', {bubbles: true}));
}"""


def _payload(frame: dict[str, Any]) -> bytes:
    data = frame["payloadData"]
    return base64.b64decode(data) if frame["opcode"] == 2 else data.encode()


def test_a_form_in_a_notebook_is_one_small_model_and_leaves_a_card(
    open_notebook: Callable[..., Any], tmp_path: Path, screenshots: Path
) -> None:
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(_MAKE)])
    path = tmp_path / "builder.ipynb"
    nbformat.write(document, path)
    notebook = open_notebook(path)
    page = notebook.page
    session = page.context.new_cdp_session(page)
    frames: list[bytes] = []
    for event in ("webSocketFrameReceived", "webSocketFrameSent"):
        session.on(f"Network.{event}", lambda sent: frames.append(_payload(sent["response"])))
    session.send("Network.enable")
    page.evaluate(_CLOCK, ["painted", "document.querySelector('.forgelm-config-verdict')"])
    notebook.run_all()
    page.wait_for_function("window.painted")

    label = page.locator("label.forgelm-config-name", has_text="max_steps")
    identifier = label.first.get_attribute("for")
    field = page.locator(f"#{identifier}")
    field.fill("bb")
    page.locator(".forgelm-config-wrong", has_text="number").first.wait_for()
    field.fill("9")
    page.get_by_text("✓ Valid configuration").wait_for()
    assert notebook.kernel_value("builder.config.training.max_steps") == "9"
    page.evaluate(_CLOCK, ["moved", f"document.getElementById('{identifier}').value === '8'"])
    page.evaluate(_TYPE_YAML, ["max_steps: 9", "max_steps: 8"])
    page.wait_for_function("window.moved")
    assert notebook.kernel_value("builder.config.training.max_steps") == "8"
    assert notebook.kernel_value("len(ipywidgets.widgets.widget._instances)") in {"2", "3"}
    comm = [frame for frame in frames if b"comm_" in frame]
    total = sum(map(len, comm))
    painted_ms, moved_ms = page.evaluate("[window.painted, window.moved]")
    print(f"cell run to painted form: {painted_ms:.0f} ms, in a kernel that had imported nothing")
    print(f"YAML edit to moved form: {moved_ms:.0f} ms; {len(comm)} frames, {total:,} bytes")
    assert 10_000 < total < 150_000
    run_so_far = notebook.kernel_value("get_ipython().execution_count")
    for target in (field, page.get_by_role("button", name="Redo"), page.locator("summary").first):
        target.focus()
        for key in ("b", "x", "Escape", "a", "Control+x", "Control+Enter", "Shift+Enter"):
            page.keyboard.press(key)
    field.fill("9")
    page.get_by_text("✓ Valid configuration").wait_for()
    assert page.locator(".jp-Cell").count() == len(document.cells)
    assert notebook.kernel_value("get_ipython().execution_count") == run_so_far

    page.get_by_label("How many fields to show").select_option("all")
    page.locator("summary", has_text="auth").click()
    page.locator("input[type=password]").first.fill(_TOKEN)
    page.locator("input[type=password]").first.press("Tab")
    page.get_by_text("set, in this kernel's memory alone").first.wait_for()
    for dark in (False, True):
        notebook.dress(width=1280, dark=dark)
        page.wait_for_timeout(1_500)  # the splash of a change of theme
        theme = "dark" if dark else "light"
        page.screenshot(path=screenshots / f"lab-builder-{theme}.png")
    notebook.kernel_value("builder.close()")
    page.locator(".jp-RenderedHTML").get_by_text("max_steps").wait_for()
    saved = notebook.save()
    text = Path(notebook.path).read_text("utf-8")
    assert _TOKEN not in text
    assert len(text) < 60_000
    kinds = [kind for out in saved["cells"][0]["outputs"] for kind in out.get("data", {})]
    assert "text/html" in kinds
    assert notebook.tab.outside == []
    assert notebook.tab.errors == []
