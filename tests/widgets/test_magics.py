"""`%forgelm`: the command line's commands, answered with objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from forgelm import AuditReport, ForgeConfig, PreflightReport
from forgelm.cli import cli
from forgelm_widgets import RunComparison
from forgelm_widgets._commands import line_commands

TOKEN = "hf_" + "q9Zx" * 9
CELL = """%%forgelm config {options}
model:
  name_or_path: {{model}}
lora: {{}}
training:
  output_dir: runs/{{name}}
data:
  dataset_name_or_path: train.jsonl
"""


@pytest.fixture
def run(
    shell: InteractiveShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    """Give a function that runs a cell in a folder with data: its result, and what it printed."""
    monkeypatch.chdir(tmp_path)
    rows = [{"text": "Write to ana@example.com, please"}, {"text": "Where is my parcel today?"}]
    for name in ("train.jsonl", "with space.jsonl"):
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    shell.run_line_magic("load_ext", "forgelm")
    capsys.readouterr()

    def run_cell(code: str) -> tuple[Any, str]:
        done = shell.run_cell(code)
        return done.result, capsys.readouterr().out

    return run_cell


def test_a_line_returns_the_object_of_the_public_function_and_keeps_it(
    run: Any, shell: InteractiveShell
) -> None:
    report, _ = run("%forgelm audit train.jsonl -o report")
    assert isinstance(report, AuditReport)
    assert report.pii_summary == {"email": 1}
    assert shell.user_ns["report"] is report
    assigned, _ = run("again = %forgelm audit train.jsonl --workers 1\nagain.pii_summary")
    assert assigned == {"email": 1}


def test_a_variable_with_a_space_is_one_word(run: Any) -> None:
    report, _ = run("path = 'with space.jsonl'\n%forgelm audit {path}")
    assert report.source_input.endswith("with space.jsonl")


def test_a_semicolon_keeps_the_card_away(run: Any) -> None:
    assert run("%forgelm audit train.jsonl -o report;")[0] is None


def test_the_notebook_shares_every_option_of_the_command_line() -> None:
    notebook = line_commands()
    for name, command in cli.commands.items():
        theirs = [each for each in command.params if each.name not in {"output_format", "debug"}]
        ours = {id(each) for each in notebook.commands[name].params}
        assert [each.name for each in theirs if id(each) not in ours] in ([], ["detach"]), name


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("adit x", "No such command 'adit'."),
        ("audit x --wokers 2", "No such option"),
        ("audit nowhere.jsonl", "nowhere.jsonl: no such file or directory."),
        ("audit {nobody}", "There is no variable 'nobody'."),
        ("audit 'open", "No closing quotation"),
        ("audit train.jsonl -o for", "'for' is no name for a variable."),
        ("attach nowhere", "there is no run here"),
        ("config nowhere.yaml", "nowhere.yaml: there is no such file; check the path"),
        ("audit {flag}", "begins with a dash and would be taken for an option."),
    ],
)
def test_an_error_is_one_line_and_stops_the_notebook(
    run: Any, shell: InteractiveShell, line: str, said: str
) -> None:
    shell.user_ns["flag"] = "--croissant"
    _, out = run(f"%forgelm {line}")
    assert out.startswith("forgelm: ")
    assert said in out
    assert len(out.splitlines()) == 1
    assert shell.run_cell(f"%forgelm {line}").success is False


def test_debug_shows_where_an_error_comes_from(run: Any) -> None:
    assert "Traceback" in run("%forgelm audit nowhere.jsonl --debug")[1]


@pytest.mark.parametrize("line", ["%forgelm audit?", "%forgelm help audit", "%forgelm audit -h"])
def test_help_of_a_command_is_a_question_mark_away(run: Any, line: str) -> None:
    out = run(line.replace("-h", "--help"))[1]
    assert out.startswith("Usage: %forgelm audit [OPTIONS] SOURCE")
    assert "--output-format" not in out


def test_help_lists_the_commands_a_notebook_has(run: Any) -> None:
    out = run("%forgelm help")[1]
    names = ("audit", "config", "train", "attach", "verify", "runs", "doctor", "help", "preflight")
    assert [name for name in names if f"\n  {name} " not in out] == []
    assert run("%forgelm runs stop?")[1].startswith("Usage: %forgelm runs stop [OPTIONS] RUN_DIR")
    assert "Run a forgelm command and return its object" in run("%forgelm?")[1]


def test_a_configuration_is_written_in_a_cell_with_variables(
    run: Any, shell: InteractiveShell
) -> None:
    shell.user_ns |= {"model": "acme/tiny: #1, {x: 2}", "name": "first try"}
    config, out = run(CELL.format(options="-o config"))
    assert isinstance(config, ForgeConfig), out
    assert config.model.name_or_path == "acme/tiny: #1, {x: 2}"
    assert config.training.output_dir == "runs/first try"
    assert shell.user_ns["config"] is config


def test_a_value_within_a_longer_one_cannot_add_a_key(run: Any, shell: InteractiveShell) -> None:
    shell.user_ns |= {"model": "acme/tiny", "name": "a\n  seed: 7"}
    _, out = run(CELL.format(options=""))
    assert out == (
        "forgelm: {name} holds characters that mean something in YAML. Let it be the whole value "
        "of its key: then it may hold anything.\n"
    )


def test_problems_of_a_cell_have_the_line_of_the_cell(run: Any, shell: InteractiveShell) -> None:
    shell.user_ns |= {"model": "acme/tiny", "name": "a"}
    cell = CELL.format(options="").replace("output_dir", "output_folder")
    assert "line 6, column 3: training.output_folder: unknown key" in run(cell)[1]


def test_a_token_from_a_variable_is_in_no_message_and_no_output(
    run: Any, shell: InteractiveShell
) -> None:
    shell.user_ns |= {"model": "acme/tiny", "name": "a", "token": TOKEN, "odd": "swordfish-7"}
    cell = CELL.format(options="-o config") + "auth:\n  hf_token: {token}\n"
    config, out = run(cell)
    assert TOKEN not in out
    assert config.auth.hf_token.get_secret_value() == TOKEN
    assert TOKEN not in json.dumps(shell.display_formatter.format(config))  # type: ignore[union-attr]
    _, out = run(cell + "nonsense: {odd}\nlora_alpha: {token}\n")
    assert TOKEN not in out
    assert "swordfish-7" not in out
    assert "2 problems in cell" in out


def test_a_preflight_takes_the_cell_too(run: Any, shell: InteractiveShell) -> None:
    shell.user_ns |= {"model": "no/model", "name": "a"}
    report, out = run(CELL.format(options="").replace("config", "preflight", 1))
    assert isinstance(report, PreflightReport), out


def test_an_interrupt_ends_the_cell_in_one_line(run: Any, shell: InteractiveShell) -> None:
    class Interrupts:
        @property
        def path(self) -> str:
            raise KeyboardInterrupt

    shell.user_ns["slow"] = Interrupts()
    out = run("%forgelm audit {slow.path}")[1]
    assert out == "forgelm: stopped at once; whatever was saved before stays where it is.\n"


def test_runs_are_compared_and_a_table(run: Any, shell: InteractiveShell) -> None:
    found, out = run("%forgelm runs -o compared")
    assert isinstance(found, RunComparison)
    assert shell.user_ns["compared"] is found
    assert "There are no runs here" in out
    for table in (found.to_frame(), found.runs.to_frame()):
        assert list(table.columns)[:3] == ["run_id", "state", "run_dir"]
        assert str(table["started_at"].dtype).endswith(", UTC]")
    found.close()
    assert "is no folder" in run("%forgelm runs nowhere")[1]


def test_the_doctor_answers_without_loading_pytorch(run: Any) -> None:
    report, out = run("%forgelm doctor")
    assert "offline mode: " in out
    assert {"python", "disk", "operator"} <= {check.name for check in report.checks}
