"""What the files of a run directory say about the run in it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forgelm.errors import ConfigError, DataError, TrainingError
from forgelm.runs import Run, attach_run, list_runs, read_progress

psutil = pytest.importorskip("psutil")

RunWriter = Callable[..., Run]


def _identity(pid: int) -> dict[str, Any]:
    started_at = psutil.Process(pid).create_time()
    return {"pid": pid, "process_started_at": started_at, "host": socket.gethostname()}


@pytest.fixture
def write_run(tmp_path: Path) -> RunWriter:
    """Give a function that writes a run of this process, with changes; None leaves a file out."""

    def write(
        name: str = "run",
        *,
        run: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
        ended: dict[str, Any] | None = None,
    ) -> Run:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        config = {"model": {"name_or_path": "my/model"}, "training": {"trainer_type": "dpo"}}
        head = {"run_id": "fg-0123456789ab", "config": config, "started_at": time.time()}
        documents = {
            "run.json": head | _identity(os.getpid()) | (run or {}),
            "status.json": status,
            "exit.json": ended,
        }
        for file, document in documents.items():
            if document is not None:
                (folder / file).write_text(json.dumps(document), encoding="utf-8")
        return Run(folder)

    return write


def _running(**changes: Any) -> dict[str, Any]:
    status = {"state": "running", "step": 7, "max_steps": 20, "epoch": 0.5, "loss": 2.5}
    return status | {"time": time.time(), "stalled_after_s": 120.0, "eta_s": 9.0} | changes


def test_a_run_that_loads_is_starting_and_one_that_steps_is_running(write_run: RunWriter) -> None:
    assert write_run("a").state == "starting"
    assert write_run("b", status={"state": "starting", "time": time.time()}).state == "starting"
    status = write_run("c", status=_running(eval_loss=2.25)).status()
    assert (status.state, status.step, status.max_steps, status.epoch) == ("running", 7, 20, 0.5)
    assert (status.loss, status.eval_loss, status.eta_s) == (2.5, 2.25, 9.0)
    assert (status.model, status.trainer_type) == ("my/model", "dpo")
    assert str(status) == "fg-0123456789ab running at step 7 of 20"
    assert status.to_dict()["pid"] == os.getpid()


def test_a_stop_file_makes_it_stopping_with_what_is_written_in_it(write_run: RunWriter) -> None:
    run = write_run(status=_running())
    asked = run.stop("too warm in here", timeout=0)
    assert (asked.state, asked.message) == ("stopping", "too warm in here")
    assert run.stop("another reason", timeout=0).message == "too warm in here"
    assert (run.run_dir / "STOP").read_text(encoding="utf-8") == "too warm in here"


@pytest.mark.parametrize(
    ("ended", "state", "success"),
    [
        ({"state": "finished", "result": {"success": True}}, "finished", True),
        ({"state": "finished", "result": {"success": False}}, "finished", False),
        ({"state": "stopped", "result": {"success": False, "stopped": True}}, "stopped", None),
        ({"state": "failed", "error": "out of memory"}, "failed", None),
        ({"state": "no such state"}, "failed", None),
    ],
)
def test_how_it_ended_is_what_exit_json_says_whoever_has_its_number_now(
    ended: dict[str, Any], state: str, success: bool | None, write_run: RunWriter
) -> None:
    status = write_run(status=_running(), ended=ended).status()
    assert (status.state, status.ended, status.success) == (state, True, success)
    assert status.eta_s is None


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_killed_process_is_dead_even_as_a_zombie(
    sleeper: subprocess.Popen[bytes], write_run: RunWriter
) -> None:
    run = write_run(run=_identity(sleeper.pid), status=_running())
    assert run.state == "running"
    sleeper.kill()
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    status = run.status()
    assert (status.state, status.ended, status.step) == ("died", True, 7)
    assert run.wait(timeout=1).state == "died"
    with pytest.raises(TrainingError, match="forgelm runs resume"):
        run.result()


def test_another_process_under_its_number_is_not_taken_for_it(write_run: RunWriter) -> None:
    earlier = {"process_started_at": psutil.Process().create_time() - 3_600}
    assert write_run(run=earlier, status=_running()).state == "died"


def test_a_long_silence_is_a_stall_but_only_for_longer_than_its_steps_take(
    write_run: RunWriter,
) -> None:
    silent = _running(time=time.time() - 300)
    stalled = write_run("a", status=silent).status()
    assert (stalled.state, stalled.ended) == ("stalled", False)
    assert "no sign of life for 300 s" in str(stalled.message)
    assert write_run("b", status=silent | {"stalled_after_s": 900.0}).state == "running"


def test_of_a_run_on_another_machine_only_the_sign_of_life_counts(write_run: RunWriter) -> None:
    there = {"host": "another-machine", "pid": 1}
    assert write_run("a", run=there, status=_running()).state == "running"
    assert write_run("b", run=there, status=_running(time=1.0)).state == "stalled"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"state": 5, "step": "x", "time": "NaN"}',
        f'{{"pid": -{9**400}, "host": "{socket.gethostname()}", "process_started_at": 1, '
        f'"step": {9**400}}}',
        "\x00\xff",
    ],
    ids=["empty", "torn", "list", "null", "deep", "types", "huge", "binary"],
)
def test_files_that_hold_nonsense_are_taken_for_missing(text: str, write_run: RunWriter) -> None:
    run = write_run()
    (run.run_dir / "status.json").write_text(text, encoding="latin-1")
    assert run.state == "starting"
    (run.run_dir / "run.json").write_text(text, encoding="latin-1")
    if text.startswith('{"'):
        assert run.state == "died"
        return
    with pytest.raises(FileNotFoundError, match="there is no run here"):
        attach_run(run.run_dir)


def test_an_error_comes_out_of_the_result_as_what_it_was(write_run: RunWriter) -> None:
    issue = {"path": "lora.r", "problem": "is odd"}
    failures: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"error_type": "ConfigError", "error": "1 problem", "issues": [issue]}, ConfigError),
        ({"error_type": "DataError", "error": "rows.jsonl, row 1: empty"}, DataError),
        ({"error_type": "RuntimeError", "error": "RuntimeError"}, TrainingError),
    ]
    for number, (document, kind) in enumerate(failures):
        run = write_run(f"run-{number}", ended={"state": "failed"} | document)
        with pytest.raises(kind, match=str(document["error"])):
            run.result()


def test_a_result_comes_back_with_its_verdicts_and_its_odd_numbers(write_run: RunWriter) -> None:
    verdict = {"gate": "finite", "status": "failed", "reason": "loss is nan", "measured": {}}
    result = {
        "success": False,
        "metrics": {"train_loss": "NaN"},
        "verdicts": [verdict],
        "output_dir": "out",
        "a_field_of_a_later_release": 1,
    }
    read = write_run(ended={"state": "finished", "result": result}).result()
    assert read.output_dir == "out"
    assert read.metrics["train_loss"] != read.metrics["train_loss"]  # NaN
    assert (read.verdicts[0].gate, read.verdicts[0].reason) == ("finite", "loss is nan")


def test_runs_are_listed_newest_first_and_other_files_are_left_out(
    write_run: RunWriter, tmp_path: Path
) -> None:
    write_run("old", run={"started_at": 1.0, "run_id": "fg-old"}, status=_running())
    write_run("deep/er", run={"started_at": 2.0, "run_id": "fg-new"}, status=_running())
    write_run("much/too/deep", run={"run_id": "fg-deep"})
    (tmp_path / "tool").mkdir()
    (tmp_path / "tool" / "run.json").write_text("[1, 2]", encoding="utf-8")
    assert [status.run_id for status in list_runs(tmp_path)] == ["fg-new", "fg-old"]
    with pytest.raises(NotADirectoryError):
        list_runs(tmp_path / "nowhere")


def _event(kind: str, step: int, seq: int) -> str:
    event = {"kind": kind, "run_id": "r", "seq": seq, "time": 0.0, "step": step, "max_steps": 9}
    return json.dumps(event | {"epoch": 0.0, "metrics": {}, "message": None}) + "\n"


def test_what_a_resumed_run_did_once_more_is_read_once(tmp_path: Path) -> None:
    lines = [("train_begin", 0), ("log", 1), ("log", 2), ("save", 2), ("log", 3), ("log", 4)]
    lines += [("train_begin", 2), ("log", 3)]
    text = "".join(_event(kind, step, seq) for seq, (kind, step) in enumerate(lines))
    (tmp_path / "metrics.jsonl").write_text(text + '{"kind": "lo', encoding="utf-8")
    read = [(event.kind, event.step, event.seq) for event in read_progress(tmp_path)]
    assert read == [
        ("train_begin", 0, 0),
        ("log", 1, 1),
        ("log", 2, 2),
        ("save", 2, 3),
        ("train_begin", 2, 6),
        ("log", 3, 7),
    ]
    (tmp_path / "metrics.jsonl").write_text(text + _event("train_begin", 0, 8), encoding="utf-8")
    assert [event.seq for event in read_progress(tmp_path)] == [8]


def test_looking_after_runs_loads_no_torch() -> None:
    code = (
        "import sys, forgelm.runs;"
        "print([m for m in ('torch', 'transformers', 'trl', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
