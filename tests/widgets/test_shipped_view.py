"""What the package ships to a browser: no remote address, no way for a text to become code."""

from __future__ import annotations

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


def test_no_shipped_file_names_an_address() -> None:
    found = {
        str(path.relative_to(FOLDER)): addresses
        for path in FILES
        if (addresses := set(re.findall(r"https?:[^\s\"']*", path.read_text("utf-8"))) - {SVG})
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
    assert _shipped_bytes("training_monitor") < 24_000
    assert _shipped_bytes("_shared", "config_builder") < 54_000


@pytest.mark.skipif(shutil.which("tsc") is None, reason="no TypeScript on the path")
def test_the_scripts_of_a_view_agree_on_their_types(tmp_path: Path) -> None:
    from forgelm_widgets import ConfigBuilder, TrainingMonitor

    for widget in (ConfigBuilder, TrainingMonitor):
        source = tmp_path / f"{widget.__name__}.js"
        script: Any = widget._esm
        source.write_text(script if isinstance(script, str) else str(script), "utf-8")
        command = ["tsc", "--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022"]
        command += ["--module", "es2022", "--lib", "es2023,dom,dom.iterable", str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout == ""
