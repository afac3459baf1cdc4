"""The frame of the command line: quick help, one JSON object, one exit code, no traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forgelm.cli import cli, run


def test_help_loads_neither_torch_nor_pandas_nor_pydantic() -> None:
    code = """
import sys
from forgelm.cli import run
assert run(["--help"]) == 0
heavy = {"torch", "transformers", "trl", "datasets", "pandas", "pydantic", "numpy", "IPython"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "quickstart" in done.stdout


def test_the_package_runs_as_a_module_and_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forgelm.cli", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("forgelm ")


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Usage: forgelm" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian", "config.yaml"],
        ["train"],
        ["train", "config.yaml", "--no-such-option"],
        ["audit", "data", "--workers", "0"],
        ["audit", "data", "--dedup-method", "guess"],
        ["audit", "data", "--minhash-jaccard", "2"],
        ["--config", "a.yaml", "train", "b.yaml"],
        ["quickstart", "--max-steps", "0"],
        ["verify-audit", "log", "--output-format", "yaml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_1_and_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "--help'" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian", "--output-format", "json"],
        ["train", "--output-format=json", "nowhere.yaml"],
        ["--output-format", "json", "audit", "nowhere.jsonl"],
        ["verify-audit", "--output-format", "json", "nowhere"],
    ],
    ids=" ".join,
)
def test_an_error_in_json_is_exactly_one_object_on_stdout(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert err == ""
    assert document["exit_code"] == 1
    assert set(document) == {"error", "exit_code"}
    assert document["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "data", "--minhash-jaccard", "nan"],
        ["audit", "data", "--pii-ml-language", "-"],
        ["mask", "data", "masked", "--no-pii", "--no-secrets"],
    ],
    ids=" ".join,
)
def test_an_argument_out_of_bounds_exits_with_1_and_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err.startswith("error: ")) == ("", 1, True)


def test_the_traceback_of_an_error_is_shown_only_when_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["train", "nowhere.yaml"]) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert run(["train", "nowhere.yaml", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_each_command_shares_the_output_options() -> None:
    for command in cli.commands.values():
        names = {name for parameter in command.params for name in parameter.opts}
        assert {"--output-format", "--debug"} <= names, command.name


def test_help_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("", *cli.commands):
        assert run([*filter(None, [name]), "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_reader_that_goes_away_is_not_an_error(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "hello there"}\n' * 3, encoding="utf-8")
    command = f"{sys.executable} -m forgelm.cli audit {rows} --output-format json"
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_stdout_is_a_failure_in_one_line(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "hello there"}\n', encoding="utf-8")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-m", "forgelm.cli", "audit", str(rows)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "No space left" in done.stderr
