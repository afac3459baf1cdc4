"""The configuration page of the docs is the schema's own."""

from __future__ import annotations

import runpy
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_the_committed_page_is_what_the_schema_says() -> None:
    builder = runpy.run_path(str(REFERENCE / "_build_configuration.py"))
    committed = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    assert committed == builder["page"](), "run docs/reference/_build_configuration.py"
