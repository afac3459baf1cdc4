"""Ctrl-C, in a process of its own, as a person at a terminal would press it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm import read_progress, verify_audit_log

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")

SCRIPT = """
import json, socket, sys, time
looked_up = []
def refuse(host, *others, **options):
    looked_up.append(host)
    raise OSError("no network in this test")
socket.getaddrinfo = refuse
from forgelm import ForgeConfig, ForgeTrainer
trainer = ForgeTrainer(ForgeConfig(**json.load(open(sys.argv[1]))))
pause = float(sys.argv[2])
trainer.subscribe(lambda event: time.sleep(pause if event.kind == "log" else 0))
result = trainer.train()
print(json.dumps([result.success, result.stopped, result.error, result.last_checkpoint, looked_up]))
"""
# Set for the tests as a whole; here the program has to do without.
HUB_SETTINGS = {"HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"}


@contextmanager
def training_process(
    config: Path, run_dir: Path, pause_s: float
) -> Iterator[subprocess.Popen[str]]:
    """Start a training and wait until its first step is done."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(config), str(pause_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in HUB_SETTINGS},
    )
    try:
        while process.poll() is None and not _has_steps(run_dir):
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


def _has_steps(run_dir: Path) -> bool:
    try:
        return any(event.kind == "log" for event in read_progress(run_dir))
    except OSError:
        return False


@pytest.fixture
def config_file(make_config: ConfigMaker, tmp_path: Path) -> Path:
    training = {"max_steps": 5_000, "eval_steps": 5_000}
    config = make_config(tmp_path / "run", training=training)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
    return path


def test_one_ctrl_c_stops_after_the_step_and_saves_and_no_host_was_ever_looked_up(
    config_file: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    with training_process(config_file, run_dir, pause_s=0.02) as process:
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    success, stopped, error, checkpoint, looked_up = json.loads(output.splitlines()[-1])
    assert looked_up == []
    assert (success, stopped) == (False, True)
    assert "interrupted (Ctrl-C)" in error
    assert (Path(checkpoint) / "adapter_model.safetensors").is_file()
    assert verify_audit_log(str(run_dir / "audit_log.jsonl")).valid
    kinds = [event.kind for event in read_progress(run_dir)]
    assert kinds[-3:] == ["log", "save", "train_end"]
    assert "stopping" in kinds
    assert not (run_dir / "final_model").exists()


def test_a_second_ctrl_c_aborts_at_once_and_the_record_says_failed(
    config_file: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    with training_process(config_file, run_dir, pause_s=3.0) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)  # two signals of one kind at the same moment would arrive as one
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert verify_audit_log(str(run_dir / "audit_log.jsonl")).valid
    last = (run_dir / "audit_log.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    assert json.loads(last)["event"] == "pipeline.failed"
    assert json.loads(last)["error"] == "KeyboardInterrupt"
    assert read_progress(run_dir)[-1].kind == "failed"
