"""The shape of the house: layers, private rooms, optional packages."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    path for name in ("forgelm", "forgelm_widgets") for path in (ROOT / name).rglob("*.py")
)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            yield node.module or ""


def test_no_room_reaches_into_the_private_modules_of_another() -> None:
    offenders = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in SOURCES
        for module in _imports(path)
        for parent, private in [module.rpartition("._")[::2]]
        if private
        and parent.startswith(("forgelm", "forgelm_widgets"))
        and not ".".join(path.relative_to(ROOT).parent.parts).startswith(parent)
        and not module.startswith("forgelm._core")
    ]
    assert offenders == []


def test_core_is_imported_as_a_package() -> None:
    offenders = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if "_core" not in path.parts
        for module in _imports(path)
        if module.startswith("forgelm._core.")
    ]
    assert offenders == []


def test_every_required_extra_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {
        keyword.value.value
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"require", "OptionalDependencyError"}
        for keyword in node.keywords
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Constant)
    }
    assert asked
    assert asked <= set(project["optional-dependencies"])


def test_files_stay_readable() -> None:
    too_long = {
        str(path.relative_to(ROOT)): lines
        for path in SOURCES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert too_long == {}


def test_shipped_files_name_no_remote_code() -> None:
    pattern = re.compile(r"https?://[^\s\"'<>)]*\.(?:js|mjs|css|wasm)\b")
    offenders = [
        str(path.relative_to(ROOT))
        for name in ("forgelm", "forgelm_widgets")
        for path in (ROOT / name).rglob("*")
        if path.suffix in {".py", ".js", ".ts", ".css", ".html"}
        and pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert offenders == []
