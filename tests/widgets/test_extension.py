"""`%load_ext forgelm`: light, symmetric, and it knows where the results live."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import forgelm
from forgelm_widgets._display import CARDS
from forgelm_widgets._extension import _PRINTERS

_HEAVY = {"torch", "datasets", "pandas", "plotly", "numpy", "pydantic", "anywidget"}


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """Give an IPython shell of our own, without a history file."""
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


def _registered(shell: InteractiveShell) -> dict[Any, Any]:
    formatter: Any = shell.display_formatter.mimebundle_formatter  # type: ignore[union-attr]
    return {**formatter.type_printers, **formatter.deferred_printers}


def test_loading_brings_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'forgelm')\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & _HEAVY == set()


def test_unloading_removes_exactly_what_loading_added(shell: InteractiveShell) -> None:
    before = _registered(shell)
    forgelm.load_ipython_extension(shell)
    assert len(_registered(shell)) == len(before) + 5
    forgelm.unload_ipython_extension(shell)
    assert _registered(shell) == before


def test_loading_twice_is_harmless_even_after_something_was_shown(shell: InteractiveShell) -> None:
    before = _registered(shell)
    forgelm.load_ipython_extension(shell)
    formatted, _ = shell.display_formatter.format(forgelm.TrainResult(success=True))  # type: ignore[union-attr]
    forgelm.load_ipython_extension(shell)
    forgelm.unload_ipython_extension(shell)
    assert _registered(shell) == before
    assert "application/vnd.forgelm.train-result+json" in formatted
    assert formatted["text/plain"].startswith("Training: Training succeeded")


def test_a_formatter_of_somebody_else_stays(shell: InteractiveShell) -> None:
    def mine(_: Any) -> dict[str, str]:
        return {"text/plain": "mine"}

    formatter: Any = shell.display_formatter.mimebundle_formatter  # type: ignore[union-attr]
    formatter.for_type(forgelm.TrainResult, mine)
    forgelm.load_ipython_extension(shell)
    forgelm.unload_ipython_extension(shell)
    assert formatter.lookup_by_type(forgelm.TrainResult) is mine


def test_every_printer_is_registered_where_its_public_class_is_defined() -> None:
    classes = {}
    for path in _PRINTERS:
        module, _, name = path.rpartition(".")
        classes[name] = getattr(importlib.import_module(module), name)
    assert set(classes) == set(CARDS)
    assert {name: getattr(forgelm, name) for name in CARDS} == classes
    assert {f"{cls.__module__}.{cls.__name__}" for cls in classes.values()} == set(_PRINTERS)
