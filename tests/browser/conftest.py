"""A real Chromium, bare or in front of a real JupyterLab; nothing leaves this machine."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from config_builder_page import open_builder
from monitor_page import open_view
from run_comparison_page import open_comparison, runs
from servers import free_port, wait_for_server
from widget_page import draw

__all__ = ["draw", "open_builder", "open_comparison", "open_view", "runs"]

_FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false"},
    # Every cell in the page, so that a picture shows all of the notebook.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "scrollPastEnd": False},
}
IPYKERNELS = ("6.31.0", "7.1.0", "7.3.0", "7.4.0")
_KERNEL_SETTINGS = "@jupyterlab/apputils-extension/kernels-settings.jupyterlab-settings"
_FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Give a Chromium for the whole session; without one, CI fails and a laptop skips."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        answer = pytest.fail if os.environ.get("CI") else pytest.skip
        answer("no Chromium on the path; install it to run the browser tests")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield chromium
        chromium.close()


@dataclass
class Tab:
    """A browser page that remembers what it asked the outside world for and what it logged."""

    page: Any
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@pytest.fixture
def new_tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Give a function that opens a fresh page of a given width."""
    contexts = []

    def open_tab(width: int = 1280, height: int = 900, dark: bool = False) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        tab = Tab(context.new_page())
        tab.page.on("request", lambda request: _note_outside(tab, request.url))
        tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
        return tab

    yield open_tab
    for context in contexts:
        context.close()


def _note_outside(tab: Tab, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"data", "blob", "about", "file"} and parts.hostname != "127.0.0.1":
        tab.outside.append(url)


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Give the folder for pictures: FORGELM_SCREENSHOTS when set, else a temporary one."""
    folder = Path(os.environ.get("FORGELM_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    folder: Path
    home: Path


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Give a JupyterLab server with a home of its own, shared by the session."""
    home = tmp_path_factory.mktemp("lab")
    folders = {name: str(home / name.lower()) for name in _FOLDERS}
    settings = Path(folders["JUPYTER_CONFIG_DIR"]) / "labconfig"
    settings.mkdir(parents=True)
    (settings / "default_setting_overrides.json").write_text(json.dumps(_SETTINGS), "utf-8")
    folder = home / "notebooks"
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ip=127.0.0.1", f"--port={port}", f"--ServerApp.root_dir={folder}"]
    command += ["--IdentityProvider.token=", "--ServerApp.password="]
    command += ["--ServerApp.disable_check_xsrf=True", "--LabApp.expose_app_in_browser=True"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(home / "server.log", "wb") as log:
        environment = {**os.environ, **folders, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for_server(f"{url}/api", server, home / "server.log")
        yield Lab(url, folder, home)
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="session")
def install_kernel(lab: Lab) -> Callable[[str], str]:
    """Give a function that returns the name of a kernel which runs a version of ipykernel.

    A version that is not installed is fetched once into FORGELM_TEST_CACHE (the user's cache
    folder without it) and put before the installed one; where pip cannot fetch it, the test skips.
    """

    def named(version: str) -> str:
        if importlib.metadata.version("ipykernel") == version:
            return "python3"
        packages = _fetched(f"ipykernel=={version}", "--no-deps")
        folder = lab.home / "jupyter_data_dir" / "kernels" / f"ipykernel-{version}"
        folder.mkdir(parents=True, exist_ok=True)
        paths = [str(packages), *filter(None, [os.environ.get("PYTHONPATH")])]
        kernel = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": f"ipykernel {version}",
            "language": "python",
            "env": {"PYTHONPATH": os.pathsep.join(paths)},
        }
        (folder / "kernel.json").write_text(json.dumps(kernel), "utf-8")
        return folder.name

    return named


@pytest.fixture(scope="session")
def marimo() -> Path:
    """Give a folder with marimo and what it depends on, for PYTHONPATH; fetched as above."""
    return _fetched("marimo>=0.20,<1")


@pytest.fixture(params=IPYKERNELS)
def kernel(request: pytest.FixtureRequest, install_kernel: Callable[[str], str]) -> str:
    """Give a kernel for each version of ipykernel: `open_notebook(path, kernel=kernel)`."""
    return install_kernel(request.param)


def _fetched(requirement: str, *options: str) -> Path:
    """Return a folder with a package, which pip has put there now or earlier."""
    cache = Path(os.environ.get("FORGELM_TEST_CACHE") or Path.home() / ".cache" / "forgelm-tests")
    target = (
        cache
        / f"{re.sub(r'[<>,]', '_', requirement)}-py{sys.version_info.major}{sys.version_info.minor}"
    )
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as draft:
        command = [sys.executable, "-m", "pip", "install", "--quiet", *options]
        command += ["--disable-pip-version-check", "--target", f"{draft}/packages", requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            pytest.skip(f"pip cannot fetch {requirement}: {done.stderr.strip()[-300:]}")
        # Another process may have put it there meanwhile.
        with contextlib.suppress(OSError):
            Path(draft, "packages").rename(target)
    return target


_RUN_ALL = "() => { window.done = false; jupyterapp.commands.execute('notebook:run-all-cells')" + (
    ".finally(() => { window.done = true }); }"
)
_PANEL = """[...jupyterapp.shell.widgets('main')].find(
    (w) => w.sessionContext && w.content?.widgets)"""
_SUBSHELLS = "jupyterapp.serviceManager.kernels.commsOverSubshells"
_EVALUATE = f"""async (expression) => {{
    const kernel = ({_PANEL}).sessionContext.session.kernel;
    const future = kernel.requestExecute({{code: '', silent: true, store_history: false,
        user_expressions: {{v: expression}}}});
    const reply = await future.done;
    return reply.content.user_expressions.v.data?.['text/plain'] ?? null;
}}"""


@dataclass
class OpenNotebook:
    """A notebook open in JupyterLab."""

    tab: Tab
    path: Path

    @property
    def page(self) -> Any:
        """The browser page, for locators and screenshots."""
        return self.tab.page

    def start(self) -> None:
        """Run all cells, and come back at once."""
        self.page.evaluate(_RUN_ALL)

    def wait(self, timeout_s: float = 300) -> None:
        """Wait until `start()` has run every cell."""
        self.page.wait_for_function("window.done === true", timeout=1000 * timeout_s)

    def run_all(self, timeout_s: float = 300) -> None:
        """Run all cells to the end."""
        self.start()
        self.wait(timeout_s)

    def kernel_value(self, expression: str) -> str | None:
        """Return the repr of an expression in the notebook's kernel."""
        value: str | None = self.page.evaluate(_EVALUATE, expression)
        return value

    def run_cell(self, index: int) -> None:
        """Run one cell to its end."""
        self.page.evaluate(
            f"(index) => {{ ({_PANEL}).content.activeCellIndex = index;"
            "return jupyterapp.commands.execute('notebook:run-cell') }",
            index,
        )

    def restart_kernel(self) -> None:
        """Restart the kernel, and wait until it can run a cell."""
        self.page.evaluate(f"() => ({_PANEL}).sessionContext.session.kernel.restart()")
        self.page.wait_for_function(f"({_PANEL}).sessionContext.session.kernel.status === 'idle'")

    def save(self) -> dict[str, Any]:
        """Save the notebook; return what then lies on disk."""
        self.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        document: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        return document

    def dress(self, *, width: int, dark: bool) -> None:
        """Change the width of the window and the theme."""
        name = "JupyterLab Dark" if dark else "JupyterLab Light"
        # A change of theme before the first one has arrived makes JupyterLab stumble.
        self.page.wait_for_function("document.body.dataset.jpThemeName !== undefined")
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        self.page.wait_for_function("(t) => document.body.dataset.jpThemeName === t", arg=name)
        self.page.set_viewport_size({"width": width, "height": 900})

    def fit(self) -> None:
        """Make the window tall enough for the whole notebook, so that one picture shows it."""
        height = self.page.evaluate(
            f"() => {{ const n = ({_PANEL}).content.node;"
            "return (n.querySelector('.jp-WindowedPanel-outer') ?? n).scrollHeight }"
        )
        width = self.page.viewport_size["width"]
        self.page.set_viewport_size({"width": width, "height": min(6000, int(height) + 160)})
        self.page.wait_for_timeout(300)


@pytest.fixture
def open_notebook(
    lab: Lab, new_tab: Callable[..., Tab], request: pytest.FixtureRequest
) -> Iterator[Callable[..., OpenNotebook]]:
    """Give a function that opens a copy of a notebook file in JupyterLab.

    `kernel` is a kernel's name (see `kernel` and `install_kernel`), `subshells` JupyterLab's
    setting commsOverSubshells ("disabled", "perComm", "perCommTarget"; its default without one).
    """

    def opened(
        path: Path,
        *,
        width: int = 1280,
        dark: bool = False,
        kernel: str = "python3",
        subshells: str | None = None,
    ) -> OpenNotebook:
        # Each test has a folder of its own there, which is where its kernel starts.
        name = request.node.name
        folder = f"{re.sub(r'[^a-z0-9]+', '-', name)[:50]}-{zlib.crc32(name.encode()):08x}"
        copy = lab.folder / folder / path.name
        copy.parent.mkdir(exist_ok=True)
        document = json.loads(path.read_text("utf-8"))
        # Without it JupyterLab asks for a kernel and waits.
        document["metadata"]["kernelspec"] = {"name": kernel, "display_name": kernel}
        copy.write_text(json.dumps(document), "utf-8")
        tab = new_tab(width)
        settings = lab.home / "jupyterlab_settings_dir" / _KERNEL_SETTINGS
        if subshells:
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text(json.dumps({"commsOverSubshells": subshells}), "utf-8")
        tab.page.goto(f"{lab.url}/lab/tree/{folder}/{path.name}?reset")
        tab.page.wait_for_function("window.jupyterapp !== undefined")
        tab.page.evaluate("() => jupyterapp.restored")
        tab.page.evaluate("() => jupyterapp.shell.collapseLeft()")
        tab.page.wait_for_function(f"({_PANEL})?.sessionContext.session?.kernel?.status === 'idle'")
        if subshells:
            tab.page.wait_for_function(f"({_SUBSHELLS}) === '{subshells}'")
            settings.unlink()
        notebook = OpenNotebook(tab, copy)
        notebook.dress(width=width, dark=dark)
        return notebook

    yield opened
    _end_kernels(lab)


def _end_kernels(lab: Lab) -> None:
    """End the kernels of a test: those of a whole session need gigabytes."""
    with urllib.request.urlopen(f"{lab.url}/api/sessions", timeout=30) as answer:
        sessions = json.load(answer)
    for session in sessions:
        request = urllib.request.Request(f"{lab.url}/api/sessions/{session['id']}", method="DELETE")
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=30):
            pass
