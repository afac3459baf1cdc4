"""A run that is asked to stop and keep its best checkpoint."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from forgelm import ForgeTrainer, ProgressEvent, TrainResult, verify_audit_log
from forgelm.runs import attach_run

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")


def _stopped_at(
    step: int, make_config: ConfigMaker, run_dir: Path, by_file: bool
) -> tuple[TrainResult, list[ProgressEvent]]:
    training = {"max_steps": 40, "eval_steps": 3, "save_steps": 3}
    trainer = ForgeTrainer(make_config(run_dir, training=training))
    events: list[ProgressEvent] = []

    def listen(event: ProgressEvent) -> None:
        events.append(event)
        if event.kind == "log" and event.step >= step:
            ask = partial(attach_run(run_dir).stop, timeout=0) if by_file else trainer.stop
            ask("enough", keep_best=True)

    trainer.subscribe(listen)
    return trainer.train(), events


def _recorded(run_dir: Path, event: str) -> list[dict[str, Any]]:
    lines = (run_dir / "audit_log.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == event]


@pytest.mark.parametrize("by_file", [False, True])
def test_the_best_checkpoint_becomes_the_final_model(
    make_config: ConfigMaker, tmp_path: Path, by_file: bool
) -> None:
    result, events = _stopped_at(4, make_config, tmp_path, by_file)
    stopping = next(event for event in events if event.kind == "stopping")
    best = max(event.step for event in events if event.kind == "evaluate")
    assert stopping.message == f"keeping checkpoint-{best}, the best so far: enough"
    assert (result.success, result.stopped) == (True, False)
    assert result.metrics["eval_loss"] == events[-1].metrics["eval_loss"]
    name = "adapter_model.safetensors"
    final = Path(str(result.final_model_path)) / name
    assert final.read_bytes() == (tmp_path / f"checkpoint-{best}" / name).read_bytes()
    early = _recorded(tmp_path, "training.ended_early")
    assert [(entry["step"], entry["reason"]) for entry in early] == [(stopping.step, "enough")]
    assert early[0]["checkpoint"] == str(tmp_path / f"checkpoint-{best}")
    status = attach_run(tmp_path).status()
    assert (status.state, status.success, status.step) == ("finished", True, stopping.step)
    assert verify_audit_log(str(tmp_path / "audit_log.jsonl")).valid


def test_before_the_first_evaluation_it_stops_as_any_other_and_says_why(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    result, events = _stopped_at(1, make_config, tmp_path, by_file=False)
    stopping = next(event for event in events if event.kind == "stopping")
    assert stopping.message == (
        "enough; nothing was evaluated yet, so there is no best checkpoint to keep"
    )
    assert (result.success, result.stopped, result.final_model_path) == (False, True, None)
    assert result.last_checkpoint == str(tmp_path / f"checkpoint-{stopping.step}")
    assert attach_run(tmp_path).status().state == "stopped"
