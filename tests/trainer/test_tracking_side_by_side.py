"""A tracking tool of the Trainer's own beside our record: both have every figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from forgelm import ForgeTrainer
from forgelm_widgets import TrainingMonitor

if TYPE_CHECKING:
    from conftest import ConfigMaker

pytest.importorskip("trl")
events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_tensorboard_and_the_monitor_show_the_same_losses(
    make_config: ConfigMaker, tmp_path: Path
) -> None:
    training = {"report_to": "tensorboard", "max_steps": 6, "eval_steps": 3}
    result = ForgeTrainer(make_config(tmp_path / "run", training=training)).train()
    assert result.success
    monitor = TrainingMonitor(tmp_path / "run")
    frame = monitor.to_frame()
    monitor.close()
    written = list(tmp_path.rglob("events.out.tfevents.*"))
    assert written
    board = events.EventAccumulator(str(written[0].parent))
    board.Reload()
    shown = {point.step: point.value for point in board.Scalars("train/loss")}
    ours = frame[frame["kind"] == "log"].set_index("step")["loss"].to_dict()
    assert shown == pytest.approx(ours)
    evaluated = {point.step: point.value for point in board.Scalars("eval/loss")}
    kept = frame[frame["kind"] == "evaluate"].set_index("step")["eval_loss"].to_dict()
    assert evaluated == pytest.approx(kept)
