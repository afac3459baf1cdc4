"""Runs that are killed while they save, over and over, and resumed."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm import read_progress, verify_audit_log
from forgelm.runs import attach_run

if TYPE_CHECKING:
    from conftest import ConfigMaker
    from nursery import Nursery as NurseryType

pytest.importorskip("trl")
if not hasattr(os, "fork"):
    pytest.skip("needs os.fork", allow_module_level=True)

from nursery import Nursery

KILLS = 60
STEPS = 40


@pytest.fixture(scope="module")
def nursery() -> Iterator[NurseryType]:
    with Nursery() as opened:
        yield opened


@pytest.fixture
def write_config(make_config: ConfigMaker, tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, **training: object) -> Path:
        keys = {"eval_steps": 1, "save_steps": 1, "early_stopping_patience": 1_000} | training
        config = make_config(tmp_path / name, training=keys)
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(config.model_dump(mode="json", exclude_unset=True)))
        return path

    return write


def _train(nursery: Nursery, config: Path, *, resume: bool = False) -> None:
    log = config.with_suffix(".log")
    pid = nursery.start(config, log, resume=resume)
    assert nursery.wait(pid) == 0, log.read_text(encoding="utf-8")


def _adapter(run_dir: Path) -> bytes:
    return (run_dir / "final_model" / "adapter_model.safetensors").read_bytes()


def _checkpoints(run_dir: Path) -> set[tuple[str, int]]:
    """Return the checkpoints as names and inodes: one that was written anew is another one."""
    with os.scandir(run_dir) as entries:
        return {(e.name, e.inode()) for e in entries if e.name.startswith("checkpoint-")}


def _kill_while_saving(nursery: Nursery, pid: int, run_dir: Path, delay_s: float) -> bool:
    """Kill the run a moment after it begins to write a checkpoint; False when it was faster."""
    before = _checkpoints(run_dir)
    while not _checkpoints(run_dir) - before:
        if attach_run(run_dir).status().state in {"finished", "failed"}:
            return False
        time.sleep(0.001)
    time.sleep(delay_s)
    nursery.kill(pid)
    return True


@pytest.mark.timeout(900)
def test_a_run_killed_60_times_while_saving_ends_as_one_that_was_left_alone(
    nursery: Nursery, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    alone = write_config("alone", max_steps=STEPS)
    _train(nursery, alone)
    config, run_dir = write_config("killed", max_steps=STEPS), tmp_path / "killed"
    log, dice, kills = config.with_suffix(".log"), random.Random(4), 0
    while kills < KILLS:
        pid = nursery.start(config, log, resume=True)
        while not (run_dir / "run.json").exists():  # the first time
            time.sleep(0.005)
        # Into the writing of the first new checkpoint, between two, or into the next one; near the
        # end only into the writing, so that there is something left to kill.
        late = attach_run(run_dir).status().step > STEPS - 10
        delay_s = 0.0 if late else dice.uniform(0.0, 0.15)
        assert _kill_while_saving(nursery, pid, run_dir, delay_s), log.read_text(encoding="utf-8")
        kills += 1
        assert attach_run(run_dir).state == "died"
    _train(nursery, config, resume=True)
    assert _adapter(run_dir) == _adapter(tmp_path / "alone")
    events = read_progress(run_dir)
    assert [event.step for event in events if event.kind == "log"] == list(range(1, STEPS + 1))
    assert [event.seq for event in events] == sorted(event.seq for event in events)
    log_path = run_dir / "audit_log.jsonl"
    assert verify_audit_log(str(log_path)).valid
    entries = [json.loads(line) for line in log_path.read_text(encoding="utf-8").splitlines()]
    resumed = [entry for entry in entries if entry["event"] == "training.resumed"]
    assert len(resumed) >= KILLS
    assert any("not saved whole" in str(entry["skipped"]) for entry in resumed)
