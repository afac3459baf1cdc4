"""A real training in a process of its own, watched and steered from here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("trl")
pytest.importorskip("psutil")

from monitor_stage import Page, pages, until

from forgelm import ForgeConfig
from forgelm.errors import TrainingError
from forgelm_widgets import TrainingMonitor, attach, launch


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> ForgeConfig:
    rows = [
        {"prompt": f"Where is order {n}?", "response": "Open the orders page and press send."}
        for n in range(40)
    ]
    data = tmp_path / "orders.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    training = {"output_dir": str(tmp_path / "run"), "max_steps": 20_000, "learning_rate": 5e-3}
    training |= {"eval_steps": 40, "save_steps": 40, "early_stopping_patience": 400}
    return ForgeConfig(
        model={"name_or_path": str(tiny_model), "max_length": 128, "load_in_4bit": False},
        lora={},
        data={"dataset_name_or_path": str(data)},
        training=training | {"report_to": "none"},
    )


@pytest.fixture
def launched(config: ForgeConfig) -> Iterator[tuple[TrainingMonitor, Page]]:
    with pages() as page_of:
        monitor = launch(config)
        yield monitor, page_of(monitor)
        if monitor.run is not None:
            monitor.run.stop()
        monitor.close()


def test_a_launched_run_is_stopped_resumed_and_ended_with_its_best(
    launched: tuple[TrainingMonitor, Page],
) -> None:
    monitor, page = launched
    assert monitor.run is not None
    until(lambda: page.state["status"]["can"]["keep_best"], 120)
    assert page.state["status"]["state"] == "running"
    until(lambda: page.state["status"]["eta_s"] is not None)  # one status later, on a busy machine
    assert page.state["status"]["eta_s"] > 0
    assert page.call("stop")["ok"]
    until(lambda: (page.state["status"]["stop"] or {}).get("phase") == "safe", 60)
    status = page.state["status"]
    assert (status["state"], status["live"], status["can"]["resume"]) == ("stopped", False, True)
    stopped_at = status["step"]
    assert status["stop"]["checkpoint"].endswith(f"checkpoint-{stopped_at}")
    with pytest.raises(TrainingError, match="has ended already"):
        monitor.stop()
    other = attach(monitor.run.run_dir)
    before = len(other.to_frame())
    assert page.call("resume")["ok"]
    until(lambda: page.state["status"]["step"] > stopped_at + 40, 120)
    assert len(other.to_frame()) > before
    assert "resume" in {mark["kind"] for mark in page.state["marks"]}
    steps = [step for step, _ in page.points["loss"]]
    assert steps == sorted(set(steps))
    other.stop(keep_best=True)
    other.close()
    until(lambda: page._closed, 60)
    ended = monitor.run.status()
    assert (ended.state, ended.success) == ("finished", True)
    assert ended.final_model is not None
    assert repr(monitor).startswith(f"TrainingMonitor(Finished at step {ended.step:,} of 20,000")
