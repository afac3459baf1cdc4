"""Bad input at the command line: one clear error with the next step, no traceback, no debris."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from forgelm.cli import run

ROW = {
    "messages": [
        {"role": "user", "content": "Is the shop open on Monday?"},
        {"role": "assistant", "content": "Yes, from nine to six."},
    ]
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _write_rows(name: str, rows: list[Any]) -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return name


def _write_config(**changes: str) -> str:
    model = changes.get("model", "model")
    document = {
        "model": {"name_or_path": model, "load_in_4bit": False, "offline": True},
        "lora": {},
        "data": {"dataset_name_or_path": changes.get("data", "rows.jsonl")},
        "training": {
            "output_dir": changes.get("output_dir", "out"),
            "max_steps": 1,
            "report_to": "none",
        },
    }
    Path("config.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return "config.yaml"


def _files() -> set[str]:
    """List all files but the record: a run that failed is on record as one, and listed as one."""
    record = {"run.json", "status.json", "exit.json"}
    paths = (path for path in Path().rglob("*") if path.is_file() and path.name not in record)
    return {
        str(path)
        for path in paths
        if not path.name.startswith("audit_log.jsonl") and "earlier" not in path.parts
    }


def _refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], *needles: str, code: int = 1
) -> None:
    """Check that the call fails in one clear message and leaves no file behind."""
    before = _files()
    capsys.readouterr()
    exit_code = run(arguments)
    out, err = capsys.readouterr()
    assert (exit_code, out) == (code, ""), err
    assert err.count("error: ") == 1
    assert "Traceback" not in err
    for needle in needles:
        assert needle in err
    assert _files() == before


@pytest.mark.parametrize("arguments", [["train", "none.yaml"], ["--config", "none.yaml"]])
def test_a_missing_config_is_named(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    _refused(capsys, arguments, "none.yaml")


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("", "empty"),
        ("- model\n- lora\n", "block of keys"),
        ("model: [\n", "line"),
        ("model: {}\n", "lora"),
    ],
    ids=["empty", "a list", "broken", "incomplete"],
)
def test_a_config_that_is_not_one_is_refused(
    text: str, needle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("config.yaml").write_text(text, encoding="utf-8")
    _refused(capsys, ["train", "config.yaml"], "config.yaml", needle)


def test_config_problems_are_listed_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("config.yaml").write_text("model: {}\n", encoding="utf-8")
    assert run(["train", "config.yaml", "--output-format", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    paths = {issue["path"] for issue in document["error"]["issues"]}
    assert {"model.name_or_path", "lora", "data", "training"} <= paths


@pytest.mark.parametrize(
    "command",
    [["audit"], ["mask", "--overwrite"], ["quickstart", "--data"]],
    ids=["audit", "mask", "quickstart"],
)
@pytest.mark.parametrize("source", ["none.jsonl", "empty.jsonl", "folder"])
def test_a_source_without_data_is_named(
    command: list[str], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty.jsonl").touch()
    Path("folder").mkdir()
    (Path("folder") / "readme.txt").write_text("no rows here", encoding="utf-8")
    out = ["masked"] if command[0] == "mask" else []
    _refused(capsys, [*command, source, *out], source)


def test_an_unwritable_output_folder_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    rows = _write_rows("rows.jsonl", [ROW, ROW])
    Path("file").touch()
    _refused(capsys, ["audit", rows, "--output-dir", "file/out"], "file")
    _refused(capsys, ["mask", rows, "file/out"], "file")
    _refused(capsys, ["quickstart", "--output-dir", "file/out"], "file")


def test_the_quickstart_refuses_a_model_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _refused(capsys, ["quickstart", "--model", "./no-model"], "./no-model")


def test_a_missing_or_empty_log_is_input_not_alteration(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("empty.jsonl").touch()
    _refused(capsys, ["verify-audit", "none.jsonl"], "none.jsonl")
    _refused(capsys, ["verify-audit", "empty.jsonl"], "empty.jsonl", "empty")
    _refused(capsys, ["verify-audit", "."], "audit_log.jsonl")


def test_requiring_an_hmac_without_a_secret_names_the_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORGELM_AUDIT_SECRET", raising=False)
    Path("log.jsonl").write_text("{}\n", encoding="utf-8")
    _refused(capsys, ["verify-audit", "log.jsonl", "--require-hmac"], "FORGELM_AUDIT_SECRET")
    _refused(capsys, ["verify-audit", "log.jsonl", "--hmac-secret-env", "MY_SECRET"], "MY_SECRET")


def test_training_refuses_data_that_cannot_be_used(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_model)
    Path("empty.jsonl").touch()
    Path("folder").mkdir()
    for source in ("none.jsonl", "empty.jsonl", "folder"):
        _refused(capsys, ["train", _write_config(model=model, data=source)], source)
    shapeless = _write_rows("shapeless.jsonl", [ROW, {"speech": "hello"}])
    _refused(capsys, ["train", _write_config(model=model, data=shapeless)], shapeless, "row 2")


def test_training_refuses_a_data_set_of_one_row(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = _write_rows("one.jsonl", [ROW])
    _refused(capsys, ["train", _write_config(model=str(tiny_model), data=one)], one, "add rows")


def test_training_refuses_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    rows = _write_rows("rows.jsonl", [ROW, ROW])
    _refused(capsys, ["train", _write_config(model="./no-model", data=rows)], "./no-model")


def test_training_refuses_an_output_folder_that_cannot_be_written(
    tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _write_rows("rows.jsonl", [ROW, ROW])
    Path("file").touch()
    config = _write_config(model=str(tiny_model), data=rows, output_dir="file/out")
    _refused(capsys, ["train", config], "training.output_dir", "file is a file")


_WITHOUT_TRAIN_EXTRA = """
import sys

from importlib.machinery import PathFinder

class BareFinder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in {"torch", "transformers", "trl", "peft", "datasets", "accelerate"}:
            return None
        return super().find_spec(name, path, target)

sys.meta_path = [BareFinder if finder is PathFinder else finder for finder in sys.meta_path]
from forgelm.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["train", "quickstart"])
def test_without_the_train_extra_the_command_says_what_to_install(command: str) -> None:
    rows = _write_rows("rows.jsonl", [ROW, ROW])
    Path("model").mkdir()
    Path("model", "config.json").write_text("{}", encoding="utf-8")
    arguments = ["train", _write_config(data=rows)] if command == "train" else ["quickstart"]
    before = _files()
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TRAIN_EXTRA, *arguments], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert "pip install 'forgelm[train]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert _files() == before
