"""What the package ships to a browser: no remote address, no way for a text to become code."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import forgelm_widgets

FOLDER = Path(forgelm_widgets.__file__).parent
FILES = [path for path in FOLDER.rglob("*") if path.suffix in {".py", ".js", ".css"}]
# The name of a vocabulary, which nothing ever fetches.
SVG = "http://www.w3.org/2000/svg"
UPLOT = FOLDER / "_shared" / "vendor" / "uplot" / "uPlot.iife.min.js"
# The first line of a file that is shipped as its authors published it: name and version.
UPLOT_NOTICE = "/*! https://github.com/leeoniya/uPlot (v1.6.32) */"


def test_no_view_turns_text_into_markup_or_code() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|"
        r"\bimport\s*\(|^\s*import\s|document\.querySelector|localStorage|\bfetch\s*\(",
        re.MULTILINE,
    )
    views = [path for path in FILES if path.suffix == ".js"]
    assert views
    found = {path.name: forbidden.findall(path.read_text("utf-8")) for path in views}
    assert found == {path.name: [] for path in views}


def _own_text(path: Path) -> str:
    text = path.read_text("utf-8")
    return text.removeprefix(UPLOT_NOTICE) if path == UPLOT else text


def test_the_chart_library_is_the_published_one_and_its_licence_is_with_it() -> None:
    # uplot 1.6.32, dist/uPlot.iife.min.js
    published = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"
    assert hashlib.sha256(UPLOT.read_bytes()).hexdigest() == published
    assert UPLOT.read_text("utf-8").startswith(UPLOT_NOTICE)
    licence = UPLOT.with_name("LICENSE").read_text("utf-8")
    assert licence.startswith("The MIT License (MIT)\n\nCopyright (c) 2022 Leon Sorokin")


def test_no_shipped_file_names_an_address() -> None:
    found = {
        str(path.relative_to(FOLDER)): addresses
        for path in FILES
        if (addresses := set(re.findall(r"https?:[^\s\"']*", _own_text(path))) - {SVG})
    }
    assert found == {}


def test_every_style_stays_inside_its_widget() -> None:
    for path in FILES:
        if path.suffix == ".css":
            rules = re.findall(r"^([^\s}@][^{]*)\{", path.read_text("utf-8"), re.MULTILINE)
            selectors = [part.strip() for rule in rules for part in rule.split(",")]
            assert all(".forgelm-" in selector for selector in selectors), path.name


def _shipped_bytes(*folders: str) -> int:
    return sum(
        path.stat().st_size
        for path in FILES
        if path.parent.name in folders and path.suffix in {".js", ".css"}
    )


def test_each_view_is_small_enough_to_be_sent_with_its_widget() -> None:
    assert _shipped_bytes("training_monitor") < 70_000
    assert _shipped_bytes("uplot") < 52_000
    assert _shipped_bytes("run_comparison") < 40_000
    assert _shipped_bytes("_shared", "config_builder") < 54_000


@pytest.mark.skipif(shutil.which("tsc") is None, reason="no TypeScript on the path")
def test_the_scripts_of_a_view_agree_on_their_types(tmp_path: Path) -> None:
    from forgelm_widgets import ConfigBuilder, RunComparison, TrainingMonitor

    for widget in (ConfigBuilder, RunComparison, TrainingMonitor):
        source = tmp_path / f"{widget.__name__}.js"
        script: Any = widget._esm
        own = str(script).replace(UPLOT.read_text("utf-8"), "/** @type {any} */ var uPlot;")
        source.write_text(own, "utf-8")
        command = ["tsc", "--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022"]
        command += ["--module", "es2022", "--lib", "es2023,dom,dom.iterable", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout == ""
