"""Checkpoints that a training may still need are left alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig
from forgelm.checkpoints import manage_checkpoints
from forgelm.errors import DataError
from forgelm.runs import RunDirectory

pytest.importorskip("psutil")

ACTIONS = ["delete", "compress", "keep-best", "keep-last=1"]


@pytest.fixture
def config() -> ForgeConfig:
    return ForgeConfig(
        model={"name_or_path": "any/model"},
        lora={},
        training={},
        data={"dataset_name_or_path": "rows.jsonl"},
    )


@pytest.fixture
def run(tmp_path: Path, config: ForgeConfig) -> RunDirectory:
    """A run of this process that saved two checkpoints."""
    directory = RunDirectory(tmp_path / "run")
    directory.begin(config, "fg-1")
    for step in (5, 10):
        folder = tmp_path / "run" / f"checkpoint-{step}"
        folder.mkdir()
        state = {"best_model_checkpoint": "run/checkpoint-5"}
        (folder / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")
    return directory


def checkpoints_of(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in run.path.glob("checkpoint-*"))


def change(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields), encoding="utf-8")


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_that_goes_on_keeps_all_its_checkpoints(
    run: RunDirectory, action: str, dry_run: bool
) -> None:
    with pytest.raises(DataError, match=r"being trained in \(process \d+ on .*nothing was changed"):
        manage_checkpoints(str(run.path), action, dry_run=dry_run)
    assert checkpoints_of(run) == ["checkpoint-10", "checkpoint-5"]
    assert manage_checkpoints(str(run.path)).kept == ["checkpoint-5", "checkpoint-10"]


def test_a_run_that_ended_no_longer_does(run: RunDirectory) -> None:
    run.failed(RuntimeError("no room"), "no room")
    assert manage_checkpoints(str(run.path), "keep-last=1").deleted == ["checkpoint-5"]


def test_a_run_that_was_killed_no_longer_does(run: RunDirectory) -> None:
    begun = (
        "import sys, time; from pathlib import Path; from forgelm.runs import RunDirectory\n"
        "RunDirectory(Path(sys.argv[1])).hand_over(); print('there', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", begun, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        with pytest.raises(DataError, match=f"process {process.pid} "):
            manage_checkpoints(str(run.path), "delete")
        process.kill()
    assert len(manage_checkpoints(str(run.path), "delete").deleted) == 2


def test_a_run_on_another_machine_counts_while_it_gives_signs_of_life(run: RunDirectory) -> None:
    change(run.path / "run.json", host="another-machine")
    change(run.path / "status.json", time=time.time(), stalled_after_s=600.0)
    with pytest.raises(DataError, match="on another-machine"):
        manage_checkpoints(str(run.path), "delete")
    change(run.path / "status.json", time=time.time() - 601.0)
    assert len(manage_checkpoints(str(run.path), "delete").deleted) == 2


@pytest.mark.parametrize(
    "fields",
    [{"pid": "x"}, {"pid": True}, {"pid": 10**30}, {"process_started_at": 10**400}, {"host": None}],
)
def test_a_file_that_names_no_process_holds_up_nobody(
    run: RunDirectory, fields: dict[str, Any]
) -> None:
    change(run.path / "run.json", **fields)
    assert len(manage_checkpoints(str(run.path), "delete").deleted) == 2
