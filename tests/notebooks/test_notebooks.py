"""The notebooks are executed documentation: they run, and what is committed needs no kernel."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("trl")

FOLDER = Path(__file__).parent.parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def _executor() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_execute", FOLDER / "_execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _outputs(notebook: Any) -> list[dict[str, Any]]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def _kinds(notebook: Any) -> list[list[str]]:
    return [
        sorted(kind for output in cell.get("outputs", []) for kind in output.get("data", {}))
        for cell in notebook.cells
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs_and_shows_what_is_committed(path: Path, tmp_path: Path) -> None:
    fresh = _executor().execute(path, tmp_path)
    committed = nbformat.read(path, as_version=4)
    assert [output for output in _outputs(fresh) if output["output_type"] == "error"] == []
    assert _kinds(fresh) == _kinds(committed)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_need_no_kernel_and_are_small(path: Path) -> None:
    outputs = _outputs(nbformat.read(path, as_version=4))
    assert outputs
    assert not [output for output in outputs if WIDGET in output.get("data", {})]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    assert path.stat().st_size < 80_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_outputs_hold_no_planted_value(path: Path) -> None:
    from forgelm import find_pii, find_secrets

    outputs = str([output.get("data", output) for output in _outputs(nbformat.read(path, 4))])
    assert find_secrets(outputs) == []
    assert [found for found in find_pii(outputs) if found.kind in {"email", "iban"}] == []
