"""The facade: one table of names, lazy, and honest to type checkers."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import forgelm
from forgelm._api import EXPORTS

ROOT = Path(__file__).parent.parent
FACADE = ast.parse((ROOT / "forgelm" / "__init__.py").read_text(encoding="utf-8"))


def _run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_lazy_import_no_torch() -> None:
    code = """
import sys
import forgelm
heavy = {"torch", "transformers", "trl", "datasets", "peft", "pandas", "IPython"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
trainer_class = forgelm.ForgeTrainer
assert not heavy & set(sys.modules), heavy & set(sys.modules)
config = forgelm.ForgeConfig(
    model={"name_or_path": "a/b"}, lora={}, data={"dataset_name_or_path": "c"}, training={}
)
trainer_class(config)
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    _run(code)


def test_import_loads_only_its_own_package_and_metadata() -> None:
    code = """
import sys
before = set(sys.modules)
import forgelm
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - set(sys.stdlib_module_names)))
print("forgelm.config" in sys.modules, "importlib.metadata" in new)
"""
    assert _run(code).splitlines() == ["['forgelm']", "False False"]


def test_import_leaves_logging_alone() -> None:
    code = "import logging, forgelm; print(logging.getLogger().handlers)"
    assert _run(code) == "[]"


def test_all_is_a_sorted_literal_equal_to_the_table() -> None:
    [literal] = [
        ast.literal_eval(node.value)
        for node in FACADE.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__all__"
    ]
    assert literal == sorted(EXPORTS) == forgelm.__all__


def test_dir_lists_every_public_name() -> None:
    assert set(EXPORTS) <= set(dir(forgelm))


def test_type_checkers_see_every_name_from_the_module_of_the_table() -> None:
    [block] = [node for node in FACADE.body if isinstance(node, ast.If)]
    seen = {
        alias.asname or alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module != "IPython.core.interactiveshell"
        for alias in node.names
    }
    assert seen == {name: module for name, (module, _) in EXPORTS.items()}


def test_the_reference_page_gives_every_name_its_tier() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (Stable|Experimental) \|", page, flags=re.MULTILINE)
    assert dict(rows) == {name: tier for name, (_, tier) in EXPORTS.items()}


@pytest.mark.parametrize("name", sorted(EXPORTS))
def test_every_public_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(forgelm, name)
    if not name.startswith("__"):
        assert inspect.getdoc(value)


def test_versions_are_the_installed_one_and_three_segments() -> None:
    assert forgelm.__version__ == version("forgelm")
    assert re.fullmatch(r"\d+\.\d+\.\d+", forgelm.__api_version__)


def test_a_typo_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'typo'"):
        _ = forgelm.typo  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", ["forgelm", "forgelm_widgets"])
def test_packages_are_marked_as_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").exists()


def test_nothing_in_the_library_exits_the_process() -> None:
    offenders = [
        str(path)
        for path in (ROOT / "forgelm").rglob("*.py")
        if "cli" not in path.parts and re.search(r"sys\.exit|os\._exit", path.read_text())
    ]
    assert offenders == []
