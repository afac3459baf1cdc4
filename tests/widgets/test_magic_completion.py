"""Tab after `%forgelm`, and in the YAML of a `%%forgelm` cell, asked as a notebook asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

Ask = Callable[[str], list[str]]


@pytest.fixture
def ask(shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Give a function that completes at the bar in a cell and returns the texts in full."""
    monkeypatch.chdir(tmp_path)
    for name in ("train.jsonl", "try again.jsonl", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "traces").mkdir()
    shell.user_ns |= {"train_path": "a", "tries": 3, "_private": "x", "thing": object()}
    shell.run_line_magic("load_ext", "forgelm")

    def complete(cell: str) -> list[str]:
        place = cell.index("|")
        text = cell.replace("|", "", 1)
        with provisionalcompleter():
            found = list(shell.Completer.completions(text, place))  # type: ignore[union-attr]
        assert all(each.end == place for each in found)
        line_start = text.rfind("\n", 0, place) + 1
        full = [text[line_start : each.start] + each.text for each in found]
        return [] if full == [text[line_start:place]] else full

    return complete


@pytest.mark.parametrize(
    ("cell", "offered"),
    [
        ("%forgelm aud|", ["%forgelm audit", "%forgelm audit-diff"]),
        ("x = %forgelm att|", ["x = %forgelm attach"]),
        ("%forgelm runs st|", ["%forgelm runs status", "%forgelm runs stop"]),
        (
            "%forgelm help verify-a|",
            ["%forgelm help verify-annex-iv", "%forgelm help verify-audit"],
        ),
        ("%forgelm audit --wor|", ["%forgelm audit --workers"]),
        (
            "%forgelm audit t --engine |",
            [f"%forgelm audit t --engine {name}" for name in ("local", "dask", "ray")],
        ),
        (
            "%forgelm audit tr|",
            [f"%forgelm audit {n}" for n in ("traces/", "train.jsonl", "'try again.jsonl'")],
        ),
        ("%forgelm audit {tr|", ["%forgelm audit {train_path}", "%forgelm audit {tries}"]),
        ("%forgelm audit x -o |", []),
        ("%%forgelm pre|", ["%%forgelm preflight"]),
        ("%%forgelm train --in|", ["%%forgelm train --in-cell"]),
    ],
)
def test_a_line_is_completed(ask: Ask, cell: str, offered: list[str]) -> None:
    assert sorted(ask(cell)) == sorted(offered)


@pytest.mark.parametrize(
    ("yaml", "offered"),
    [
        ("mod|", ["model:"]),
        ("model:\n  load_in_4|", ["  load_in_4bit: "]),
        ("model:\n  name_or_path: x\n  name|", []),
        ("training:\n  trainer_type: si|", ["  trainer_type: simpo"]),
        ("model:\n  load_in_4bit: |", ["  load_in_4bit: true", "  load_in_4bit: false"]),
        ("model:\n  name_or_path: {train|", ["  name_or_path: {train_path}"]),
        ("data:\n  dataset_name_or_path: trai|", ["  dataset_name_or_path: train.jsonl"]),
        ("pipeline:\n  stages:\n    - na|", ["    - name: "]),
        ("pipeline:\n  stages:\n  - name: a\n    tr|", ["    training:"]),
        ("pipeline:\n  stages:\n  - name: a\n    training:\n      run|", ["      run_name: "]),
        ("auth:\n  hf_token: |", []),
        ("lora:\n  r: 8\n\n# a comment: here\ntrai|", ["training:"]),
        ("nonsense:\n  a|", []),
        ("a: |b: [", []),
    ],
)
def test_yaml_in_a_cell_is_completed_from_the_schema(
    ask: Ask, yaml: str, offered: list[str]
) -> None:
    assert sorted(ask("%%forgelm config\n" + yaml)) == sorted(offered)


def test_an_empty_block_offers_all_its_keys(ask: Ask) -> None:
    offered = ask("%%forgelm config\nlora:\n  r: 8\n  |\ntraining: {}")
    assert "  alpha: " in offered
    assert "  r: " not in offered
    assert "  seed: " not in offered


def test_other_cells_are_left_alone(ask: Ask) -> None:
    assert "training:" not in ask("mod = 'model'\nmo|")
    assert "import" in ask("mod = 1\nimpor|")
    assert ask("%%forgelm|") == []
