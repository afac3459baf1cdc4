"""The run directory that a training in this process writes, as any other process reads it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm import ForgeTrainer, ProgressEvent
from forgelm.errors import TrainingError
from forgelm.runs import attach_run, list_runs
from forgelm.trainer.model import load_tokenizer

if TYPE_CHECKING:
    from conftest import ConfigMaker, TrainedRun

pytest.importorskip("trl")


def test_the_files_of_a_finished_run_say_what_the_result_says(trained: TrainedRun) -> None:
    run = attach_run(trained.run_dir)
    status = run.status()
    assert (status.state, status.success, status.step) == ("finished", True, 24)
    assert (status.pid, status.config_hash) == (os.getpid(), trained.result.config_hash)
    assert (status.final_model, status.checkpoint) == (
        trained.result.final_model_path,
        trained.result.last_checkpoint,
    )
    assert run.result() == trained.result
    assert run.result().output_dir == trained.result.output_dir
    assert run.events() == list(run.follow()) == trained.events
    assert run.log_tail() == ""
    document = json.loads((trained.run_dir / "run.json").read_text(encoding="utf-8"))
    assert document["config"]["training"]["max_steps"] == 24
    assert {"python", "torch", "trl", "forgelm"} <= set(document["versions"])


def test_another_process_sees_it_run_and_nobody_else_may_use_the_folder(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", training={"max_steps": 2})
    seen: list[str] = []

    def look(event: ProgressEvent) -> None:
        run = attach_run(tmp_path / "run")
        if event.kind == "log":
            seen.append(run.state)
            (tmp_path / "run" / "STOP").write_text("", encoding="utf-8")
        if event.kind == "save":
            seen.append(run.state)

    trainer = ForgeTrainer(config)
    trainer.subscribe(look)
    assert trainer.train().success  # it was the last step but one: too late to stop
    assert seen[0] == "running"
    assert set(seen[1:]) == {"stopping"}
    assert [status.state for status in list_runs(tmp_path)] == ["finished"]


def test_a_run_that_an_error_ended_is_failed_and_says_why(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    config = make_config(tmp_path / "run", lora={"target_modules": ["c_attn"]})
    with pytest.raises(Exception, match="no layer named c_attn"):
        ForgeTrainer(config).train()
    status = attach_run(tmp_path / "run").status()
    assert status.state == "failed"
    assert "no layer named c_attn" in str(status.message)


def test_a_folder_in_which_a_run_of_this_process_goes_on_is_refused(
    make_config: ConfigMaker, trained: TrainedRun, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    document = json.loads((trained.run_dir / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(document), encoding="utf-8")
    for resume in (False, True):
        with pytest.raises(TrainingError, match=r"is starting \(process \d+ on .*choose another"):
            ForgeTrainer(make_config(folder)).train(resume=resume)
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_a_full_disk_is_called_one_and_the_run_goes_on_when_there_is_room(
    make_config: ConfigMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    config = make_config(tmp_path / "run")
    tokenizer = load_tokenizer(config)
    monkeypatch.setattr(tokenizer, "save_pretrained", no_room)
    with pytest.raises(TrainingError, match=r"run is full\. Free some of it and go on"):
        ForgeTrainer(config, tokenizer=tokenizer).train()
    assert attach_run(tmp_path / "run").state == "failed"
    assert ForgeTrainer(config).train(resume=True).success
