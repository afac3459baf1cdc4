"""`TrainingMonitor`: what it keeps, what it hands out, and what it sends from a real kernel."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from forgelm import ProgressEvent
from forgelm_widgets import TrainingMonitor

_SCRIPT = Path(__file__).parent.parent / "browser" / "scripted_trainer.py"


class _Trainer:
    """Tells its events when asked to train."""

    def __init__(self, events: Iterator[ProgressEvent]) -> None:
        self.events = events
        self.listeners: list[Callable[[ProgressEvent], None]] = []

    def subscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        self.listeners.append(listener)

    def unsubscribe(self, listener: Callable[[ProgressEvent], None], /) -> None:
        self.listeners.remove(listener)

    def train(self) -> None:
        for event in self.events:
            for listener in self.listeners:
                listener(event)


def test_the_monitor_follows_the_trainer_to_its_end(make_events: Callable[..., Any]) -> None:
    trainer = _Trainer(make_events(40))
    monitor = TrainingMonitor(trainer)
    assert repr(monitor) == "TrainingMonitor(Waiting for the first step)"
    trainer.train()
    assert repr(monitor) == "TrainingMonitor(Finished at step 40 of 40)"


def test_every_event_stands_in_the_frame(make_events: Callable[..., Any]) -> None:
    frame = TrainingMonitor.from_records(make_events(40)).to_frame()
    assert list(frame.columns) == [
        *("seq", "kind", "time", "step", "epoch", "loss", "learning_rate", "eval_loss")
    ]
    assert frame["kind"].value_counts().to_dict() == {
        "log": 40,
        "evaluate": 2,
        "train_begin": 1,
        "train_end": 1,
    }
    assert str(frame["time"].dt.tz) == "UTC"
    assert (str(frame["step"].dtype), str(frame["loss"].dtype)) == ("int64", "float64")
    assert TrainingMonitor.from_records([]).to_frame().empty


def test_the_figure_has_every_point(make_events: Callable[..., Any]) -> None:
    figure = TrainingMonitor.from_records(make_events(40)).figure()
    assert {trace.name: len(trace.x) for trace in figure.data} == {
        "training loss": 40,
        "training loss, smoothed": 40,
        "evaluation loss": 2,
        "learning rate": 40,
    }
    assert [note.text for note in figure.layout.annotations][:2] == ["loss", "learning rate"]


def test_a_closed_monitor_listens_no_more(make_events: Callable[..., Any]) -> None:
    trainer = _Trainer(make_events(4))
    monitor = TrainingMonitor(trainer)
    monitor.close()
    monitor.close()
    trainer.train()
    assert monitor.to_frame().empty


def test_what_cannot_be_watched_is_refused_with_the_way_to_show_it(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"not int\. For events: TrainingMonitor\.from_records"):
        TrainingMonitor(3)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="there is no run here"):
        TrainingMonitor(tmp_path)
    with pytest.raises(TypeError, match="refresh"):
        TrainingMonitor(_Trainer(iter(())), refresh=3)  # type: ignore[call-arg]


def test_outside_a_notebook_showing_prints_one_line(
    make_events: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    TrainingMonitor.from_records(make_events(4)).show()
    assert len(capsys.readouterr().out.splitlines()) <= 1


def test_without_the_notebook_extra_the_error_names_it() -> None:
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "from forgelm.errors import OptionalDependencyError\n"
        "import forgelm_widgets\n"
        "try: forgelm_widgets.TrainingMonitor\n"
        "except OptionalDependencyError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "A forgelm widget needs the package 'anywidget', which is not installed. "
        "Install it with: pip install 'forgelm[notebook]'"
    )


def _run(cells: list[str], tmp_path: Path, allow_errors: bool = False) -> nbformat.NotebookNode:
    setup = f"exec(open({str(_SCRIPT)!r}).read())"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (setup, *cells)]
    )
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        allow_errors=allow_errors,
        store_widget_state=False,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    return notebook


def test_an_executed_notebook_keeps_the_card_and_no_widget(tmp_path: Path) -> None:
    shown = _run(
        [
            "TrainingMonitor(trainer := ScriptedTrainer(30)).show()\ntrainer.train()",
            "monitor = TrainingMonitor(trainer := ScriptedTrainer(30))\nmonitor",
            "trainer.train()",
        ],
        tmp_path,
    )
    outputs = [output for cell in shown.cells for output in cell.outputs]
    assert [set(output.data) for output in outputs] == [{"text/html", "text/plain"}] * 2
    for output in outputs:
        assert "Finished at step 30 of 30" in output.data["text/html"]
        assert len(json.dumps(output)) < 10_000


def test_a_run_that_ends_before_its_first_event_leaves_a_card(tmp_path: Path) -> None:
    shown = _run(
        ["TrainingMonitor(ScriptedTrainer(3)).show()\nraise OSError('disk')"], tmp_path, True
    )
    card, error = shown.cells[1].outputs
    assert "Ended before the first step: OSError" in card.data["text/html"]
    assert error.ename == "OSError"


def test_a_kernel_sends_under_100_bytes_a_step_and_every_point(tmp_path: Path) -> None:
    """2,000 steps in a cell that does not end before: what comes out of the socket is counted."""
    shown = _messages("watch(ScriptedTrainer(2_000, pause_s=0.01))", tmp_path)
    seq, steps, bytes_sent = 0, 0, 0
    for content, buffers in shown:
        bytes_sent += len(json.dumps(content)) + sum(map(len, buffers))
        data = content["data"]
        if data["method"] == "update" and "snapshot" in data["state"]:
            seq = data["state"]["snapshot"]["seq"]
            lengths = {one["name"]: one["total"] for one in data["state"]["snapshot"]["series"]}
            steps = lengths.get("loss", 0)
        elif data["method"] == "custom" and data["content"]["kind"] == "delta":
            head = data["content"]
            assert head["seq"] == seq + 1
            seq = head["seq"]
            first = struct.unpack("<f", buffers[0][:4])[0]
            assert first in {steps, steps + 1}
            wide = 4 * (1 + len(head["names"]))
            rows = [buffers[0][i : i + wide] for i in range(0, len(buffers[0]), wide)]
            steps = int(struct.unpack("<f", rows[-1][:4])[0])
    assert 1_900 < steps <= 2_000
    assert bytes_sent / 2_000 < 100


def _messages(code: str, tmp_path: Path) -> list[tuple[dict[str, Any], list[bytes]]]:
    """Run `code` in a kernel; return the comm messages of the one model that has a snapshot."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path))
    client = manager.blocking_client()
    client.start_channels()
    found: list[tuple[dict[str, Any], list[bytes]]] = []

    def keep(message: dict[str, Any]) -> None:
        if message["msg_type"] == "comm_msg" and message["content"]["data"]["method"] in {
            "update",
            "custom",
        }:
            buffers = [bytes(buffer) for buffer in message["buffers"]]
            found.append((message["content"], buffers))

    try:
        client.wait_for_ready(timeout=60)
        source = f"exec(open({str(_SCRIPT)!r}).read())\n{code}"
        reply = client.execute_interactive(source, timeout=120, output_hook=keep)
        assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return found
