"""One notebook with every kind of output, as a kernel leaves it: small and without secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from every_output import CELLS, FIRST_CELL, KINDS, TOKEN, run_notebook


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of the notebook, run from top to bottom."""
    return run_notebook(tmp_path_factory.mktemp("every") / "every.ipynb")


def _outputs(path: Path) -> list[dict[str, Any]]:
    return [
        output.data
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.outputs
        if output.output_type in {"display_data", "execute_result"} and output.data["text/plain"]
    ]


def test_every_kind_of_output_is_in_under_60_kb(saved: Path) -> None:
    outputs = _outputs(saved)
    assert len(outputs) == KINDS
    assert saved.stat().st_size < 60_000


def test_no_output_is_large_or_needs_a_widget(saved: Path) -> None:
    for data in _outputs(saved):
        assert {"text/html", "text/plain"} <= set(data)
        assert not any("widget" in mime for mime in data)
        assert len(data["text/html"]) < 4_000
        assert len(data["text/plain"]) < 700


def test_the_type_of_a_program_holds_the_verdict_and_no_more(saved: Path) -> None:
    said = [
        value
        for data in _outputs(saved)
        for mime, value in data.items()
        if mime.startswith("application/vnd.forgelm.")
    ]
    assert len(said) == KINDS - 3  # the widgets leave their card alone
    for value in said:
        assert set(value) == {"v", "mark"}
        assert value["v"] == 1
        assert value["mark"] in {"ok", "attention", "bad", "neutral"}


def test_a_token_in_the_data_the_configuration_or_the_environment_is_nowhere(saved: Path) -> None:
    text = saved.read_text("utf-8")
    assert TOKEN not in text
    assert "[REDACTED-SECRET]" in text
    assert len(FIRST_CELL) + sum(map(len, CELLS)) < 3_000
