"""Every code block of the README and the docs runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def _blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [code for found, code in FENCE.findall(text) if found == language]


def _ids(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


WITH_PYTHON = [page for page in PAGES if _blocks(page, "python")]
WITH_YAML = [page for page in PAGES if _blocks(page, "yaml")]


@pytest.mark.parametrize("page", WITH_PYTHON, ids=_ids(WITH_PYTHON))
def test_python_blocks_run_in_order_in_an_empty_folder(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(_blocks(page, "python")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("page", WITH_YAML, ids=_ids(WITH_YAML))
def test_yaml_blocks_with_a_model_are_valid_configurations(page: Path, tmp_path: Path) -> None:
    from forgelm import load_config

    for number, block in enumerate(_blocks(page, "yaml")):
        if re.search(r"^model:", block, flags=re.MULTILINE):
            path = tmp_path / f"block-{number}.yaml"
            path.write_text(block, encoding="utf-8")
            load_config(str(path))


@pytest.mark.parametrize("page", PAGES, ids=_ids(PAGES))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    assert [name for name in targets if not (page.parent / name).exists()] == []
