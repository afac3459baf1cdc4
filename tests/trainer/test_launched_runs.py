"""Runs in processes of their own: launched, looked at, stopped, resumed, and several at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from forgelm import ConfigError, ForgeConfig, ForgeTrainer, ProgressEvent, verify_audit_log
from forgelm.cli import run as forgelm
from forgelm.errors import TrainingError
from forgelm.runs import Run, attach_run, launch_run, resume_run

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
psutil = pytest.importorskip("psutil")

TOKEN = "hf_" + "private" * 4
ENDLESS = {"max_steps": 100_000, "eval_steps": 50_000}


@contextmanager
def _ended_by_the_test(run: Run) -> Iterator[None]:
    """Kill what the test started and did not stop."""
    try:
        yield
    finally:
        status = run.status()
        if not status.ended and status.pid is not None:
            psutil.Process(status.pid).kill()


def _until_it_trains(run: Run) -> None:
    while run.status().step < 2:
        assert not run.status().ended, run.log_tail(50)
        time.sleep(0.1)


def _asked_from_elsewhere(run_dir: Path) -> str:
    code = "import sys; from forgelm.runs import attach_run; print(attach_run(sys.argv[1]).state)"
    done = subprocess.run([sys.executable, "-c", code, run_dir], capture_output=True, text=True)
    return done.stdout.strip()


def test_a_launched_run_is_seen_stopped_and_resumed_from_any_process(
    make_config: ConfigMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = tmp_path / "run"
    config = make_config(run_dir, auth={"hf_token": TOKEN}, training=ENDLESS)
    run = launch_run(config)
    with _ended_by_the_test(run):
        assert run.state == "starting"
        with pytest.raises(TrainingError, match=r"is starting \(process"):
            launch_run(config)
        with pytest.raises(TrainingError, match="has no result yet"):
            run.result()
        _until_it_trains(run)
        assert _asked_from_elsewhere(run_dir) == "running"
        _a_suspended_process_is_stalled(run)
        with pytest.raises(TimeoutError, match="is running after 0 s"):
            run.wait(timeout=0)
        stopped = run.stop("seen enough")
    assert (stopped.state, stopped.ended) == ("stopped", True)
    assert stopped.message == f"stopped after step {stopped.step}: seen enough"
    assert stopped.checkpoint == str(run_dir / f"checkpoint-{stopped.step}")
    result = run.result()
    assert (result.stopped, result.last_checkpoint) == (True, stopped.checkpoint)
    assert "stopping after step" in run.log_tail()
    assert run.events()[-1].kind == "train_end"
    assert not [path for path in _files(run_dir) if TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in " ".join(psutil.Process().cmdline())
    _it_needs_its_secret_again(run_dir, config)
    _sigterm_ends_the_resumed_run(resume_run(run_dir, config), stopped.step)
    assert verify_audit_log(str(run_dir / "audit_log.jsonl")).valid
    assert forgelm(["runs", str(tmp_path)]) == 0
    assert f"{stopped.run_id}" in capsys.readouterr().out


def _files(run_dir: Path) -> list[Path]:
    return [path for path in run_dir.rglob("*") if path.is_file()]


def _a_suspended_process_is_stalled(run: Run) -> None:
    process = psutil.Process(run.status().pid)
    process.suspend()
    while process.status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    stalled = run.status()
    process.resume()
    assert (stalled.state, stalled.message) == ("stalled", "its process is suspended")


def _it_needs_its_secret_again(run_dir: Path, config: ForgeConfig) -> None:
    with pytest.raises(ConfigError, match=r"auth\.hf_token: is a secret"):
        resume_run(run_dir)
    assert json.loads((run_dir / "run.json").read_text())["config_hash"] == config.config_hash()


def _sigterm_ends_the_resumed_run(run: Run, step: int) -> None:
    with _ended_by_the_test(run):
        while run.status().step <= step or run.state == "starting":
            assert not run.status().ended, run.log_tail(50)
            time.sleep(0.1)
        psutil.Process(run.status().pid).terminate()
        status = run.wait(timeout=60)
    assert status.state == "stopped"
    assert "terminated (SIGTERM)" in str(status.message)
    assert status.checkpoint == str(run.run_dir / f"checkpoint-{status.step}")
    assert status.step > step


def test_a_launched_run_that_cannot_begin_says_why_in_its_result(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", data={"dataset_name_or_path": "missing.jsonl"})
    run = launch_run(config)
    status = run.wait(timeout=120)
    assert status.state == "failed"
    with pytest.raises(ConfigError, match=r"missing.jsonl") as caught:
        run.result()
    assert [path for path, _ in caught.value.issues] == ["data.dataset_name_or_path"]


@pytest.fixture
def two_processes(make_config: ConfigMaker, tmp_path: Path) -> ForgeConfig:
    return make_config(
        tmp_path / "run",
        training={"max_steps": 80, "eval_steps": 40},
        distributed={"strategy": "ddp", "processes": 2},
    )


def test_two_processes_train_one_model_stop_together_resume_and_finish(
    two_processes: ForgeConfig, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    trainer = ForgeTrainer(two_processes)
    heard: list[ProgressEvent] = []

    def stop_by_file(event: ProgressEvent) -> None:
        heard.append(event)
        if event.kind == "log" and event.step == 3:
            (run_dir / "STOP").write_text("enough of both", encoding="utf-8")

    trainer.subscribe(stop_by_file)
    result = trainer.train()
    assert result.stopped
    assert "enough of both" in str(result.error)
    assert result.run_id == trainer.run_id
    assert result.last_checkpoint is not None
    checkpoint = Path(result.last_checkpoint)
    assert {"rng_state_0.pth", "rng_state_1.pth"} <= {path.name for path in checkpoint.iterdir()}
    manifest = json.loads((checkpoint / "checkpoint_manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["processes"] == 2
    assert heard == attach_run(run_dir).events()
    assert [event.seq for event in heard] == list(range(len(heard)))
    assert verify_audit_log(str(run_dir / "audit_log.jsonl")).valid
    # 54 rows, 2 processes, 4 rows a batch, 2 batches a step: 4 steps an epoch instead of 7
    log = next(event for event in heard if event.kind == "log")
    assert log.epoch == pytest.approx(1 / 3.5)
    _both_go_on_and_the_first_one_judges_and_saves(two_processes, run_dir, checkpoint)


def _both_go_on_and_the_first_one_judges_and_saves(
    config: ForgeConfig, run_dir: Path, checkpoint: Path
) -> None:
    result = ForgeTrainer(config).train(resume=True)
    assert result.success, result.error
    assert {verdict.gate: verdict.status for verdict in result.verdicts} == {
        "finite": "passed",
        "improvement": "passed",
        "reload": "passed",
    }
    assert (run_dir / "final_model" / "adapter_model.safetensors").is_file()
    events = attach_run(run_dir).events()
    assert [event.step for event in events if event.kind == "log"] == list(range(1, 81))
    resumed = [event.message for event in events if event.kind == "train_begin"]
    assert resumed[-1] == f"resumed from {checkpoint.name}"
    assert verify_audit_log(str(run_dir / "audit_log.jsonl")).valid


def test_objects_cannot_be_handed_to_other_processes(two_processes: ForgeConfig) -> None:
    rows: list[dict[str, Any]] = [{"text": "hello"}] * 4
    with pytest.raises(ConfigError, match="dataset cannot be handed to other processes"):
        ForgeTrainer(two_processes, dataset=rows).train()


def test_the_command_line_detaches_looks_waits_and_says_what_became_of_it(
    make_config: ConfigMaker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = make_config(Path("run"), data={"dataset_name_or_path": "missing.jsonl"})
    Path("broken.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert forgelm(["train", "broken.yaml", "--detach"]) == 1
    assert "missing.jsonl" in capsys.readouterr().err
    assert not Path("run").exists()
    config = make_config(Path("run"), training={"max_steps": 3})
    Path("config.yaml").write_text(config.to_yaml(), encoding="utf-8")
    assert forgelm(["train", "config.yaml", "--detach"]) == 0
    assert "forgelm runs wait run" in capsys.readouterr().out
    assert forgelm(["runs", "wait", "run", "--timeout", "120"]) == 0
    assert "finished at step 3 of 3" in capsys.readouterr().out
    assert forgelm(["runs", "status", "run", "--output-format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["state"], document["success"], document["step"]) == ("finished", True, 3)
    assert forgelm(["runs", "resume", "run"]) == 2
    assert "nothing to resume" in capsys.readouterr().err
    assert forgelm(["train", "config.yaml", "--resume"]) == 2
    assert forgelm(["runs", "--output-format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [entry["run_id"] for entry in listed] == [document["run_id"]]
    assert (
        yaml.safe_load(Path("config.yaml").read_text())
        == json.loads(Path("run/run.json").read_text(encoding="utf-8"))["config"]
    )
    assert os.listdir("run/earlier") == [] if Path("run/earlier").exists() else True
