"""A monitor of a run directory, whatever becomes of the files in it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("psutil")

from monitor_stage import RUN_ID, Page, beat, end, event, pages, until, write_events, write_run

from forgelm_widgets import TrainingMonitor, attach

Opener = Callable[[Any], tuple[TrainingMonitor, Page]]


@pytest.fixture
def watch() -> Iterator[Opener]:
    """Give a function that watches a run and returns the monitor with its page."""
    monitors: list[TrainingMonitor] = []
    with pages() as page_of:

        def open_monitor(watched: Any) -> tuple[TrainingMonitor, Page]:
            monitors.append(TrainingMonitor(watched))
            return monitors[-1], page_of(monitors[-1])

        yield open_monitor
        for monitor in monitors:
            monitor.close()


def _logs(first: int, last: int) -> list[dict[str, Any]]:
    return [event("log", n, n, loss=10.0 - n / 1000) for n in range(first, last + 1)]


def test_a_run_is_followed_from_before_its_first_line_to_its_end(
    watch: Opener, tmp_path: Path
) -> None:
    run_dir = write_run(tmp_path / "run", state="starting")
    monitor, page = watch(run_dir)
    until(lambda: page.state["status"]["state"] == "starting")
    assert page.state["status"]["words"] == "Waiting for the first step"
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 5)])
    beat(run_dir)
    until(lambda: len(page.points.get("loss", ())) == 5)
    write_events(run_dir, [event("evaluate", 5, eval_loss=2.5), *_logs(6, 9)])
    until(lambda: len(page.points["loss"]) == 9)
    assert page.points["loss"][0] == (1.0, pytest.approx(9.999))
    assert page.points["eval_loss"] == [(5.0, 2.5)]
    assert [entry["name"] for entry in page.state["catalogue"]] == [
        "loss",
        "loss~smooth",
        "eval_loss",
    ]
    write_events(run_dir, [event("train_end", 9)])
    end(run_dir, "finished", result={"success": True, "final_model_path": "run/final_model"})
    until(lambda: page._closed)
    assert repr(monitor) == "TrainingMonitor(Finished at step 9 of 1,000)"
    assert len(monitor.to_frame()) == 12


def test_a_monitor_made_later_shows_the_whole_history(watch: Opener, tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 300)])
    pairs = [watch(run_dir) for _ in range(2)]
    for _, page in pairs:
        until(lambda page=page: len(page.points.get("loss", ())) == 300)
    again = attach(run_dir)
    assert (again.run.run_dir, len(again.to_frame())) == (run_dir, 301)  # type: ignore[union-attr]
    again.close()


def test_a_resumed_run_takes_back_what_lay_beyond_its_checkpoint(
    watch: Opener, tmp_path: Path
) -> None:
    run_dir = write_run(tmp_path / "run")
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 8)])
    _, page = watch(run_dir)
    until(lambda: len(page.points.get("loss", ())) == 8)
    resumed = event("train_begin", 4, time=1.9e9, message="resumed from checkpoint-4")
    again = [event("log", n, 20 + n, time=1.9e9 + 2 * (n - 4), loss=5.0) for n in range(5, 8)]
    write_events(run_dir, [resumed, *again])
    until(lambda: len(page.points["loss"]) == 7)
    assert [value for _, value in page.points["loss"][4:]] == [5.0, 5.0, 5.0]
    assert len(page.points["loss~smooth"]) == 7
    until(lambda: page.state["status"]["step"] == 7)
    # 2 s a step since the resume, 993 to go: what went before does not count.
    assert page.state["status"]["eta_s"] == 1986.0
    assert [mark["text"] for mark in page.state["marks"]] == ["resumed from checkpoint-4"]


def test_torn_and_hostile_lines_are_counted_and_the_rest_is_shown(
    watch: Opener, tmp_path: Path
) -> None:
    run_dir = write_run(tmp_path / "run")
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 3)])
    hostile = [
        b"\xff\xfe\x00",
        b"null",
        b"[" * 5000,
        b'{"kind": "log"}',
        b'{"kind": "log", "metrics": 7}',
        b'{"a": 1}, {"b": 2}',
        b"9" * 6000,
        b'{"kind": "log", "run_id": 1, "seq": 1e999, "step": -4, "max_steps": "x"}',
    ]
    with open(run_dir / "metrics.jsonl", "ab") as stream:
        stream.write(b"\n".join(hostile) + b"\n")
    write_events(run_dir, [event("log", 4, loss="NaN"), event("log", 5, loss=2.0)])
    with open(run_dir / "metrics.jsonl", "ab") as stream:
        stream.write(b'{"kind": "log", "run')
    _, page = watch(run_dir)
    until(lambda: len(page.points.get("loss", ())) == 4)
    until(lambda: "tail" in page.alerts)
    assert page.alerts["tail"] == ("8 lines of metrics.jsonl could not be read; the rest is shown")
    assert page.alerts["not_finite"] == "loss was not a number at step 4"


@pytest.mark.parametrize(
    ("replace", "said"),
    [
        (Path.mkdir, "Is a directory"),
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda _: None, "is gone"),
    ],
    ids=["folder", "pipe", "loop", "nothing"],
)
def test_what_takes_the_place_of_the_record_is_told_and_logged_and_its_return_is_noticed(
    replace: Callable[[Path], None],
    said: str,
    watch: Opener,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_dir = write_run(tmp_path / "run")
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 3)])
    _, page = watch(run_dir)
    until(lambda: len(page.points.get("loss", ())) == 3)
    record = run_dir / "metrics.jsonl"
    record.rename(tmp_path / "kept.jsonl")
    replace(record)
    with caplog.at_level(logging.WARNING, "forgelm"):
        until(lambda: said in page.alerts.get("tail", ""))
    assert len([one for one in caplog.messages if str(record) in one and said in one]) == 1
    if os.path.lexists(record):
        record.rename(tmp_path / "taken")
    (tmp_path / "kept.jsonl").rename(record)
    write_events(run_dir, _logs(4, 5))
    until(lambda: len(page.points["loss"]) == 5)
    until(lambda: not page.alerts)


def test_a_line_without_end_costs_nothing_but_itself(watch: Opener, tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 3)])
    with open(run_dir / "metrics.jsonl", "ab") as stream:
        stream.write(b'{"kind": "log", "x": "')
        stream.writelines(b"A" * 1_000_000 for _ in range(5))
        stream.write(b'"}\n')
    write_events(run_dir, _logs(4, 6))
    _, page = watch(run_dir)
    until(lambda: len(page.points.get("loss", ())) == 6)
    until(lambda: page.alerts.get("tail", "").startswith("1 line of metrics.jsonl could not be"))


def test_a_folder_that_is_moved_is_missed_and_found_again(watch: Opener, tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "run")
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 3)])
    _, page = watch(run_dir)
    until(lambda: len(page.points.get("loss", ())) == 3)
    shutil.move(run_dir, tmp_path / "elsewhere")
    until(lambda: "tail" in page.alerts)
    assert page.alerts["tail"].endswith("run is gone: moved or deleted; it is looked for on and on")
    write_events(tmp_path / "elsewhere", _logs(4, 6))
    shutil.move(tmp_path / "elsewhere", run_dir)
    until(lambda: len(page.points["loss"]) == 6)
    until(lambda: not page.alerts)


def test_another_run_in_the_same_folder_begins_everything_anew(
    watch: Opener, tmp_path: Path
) -> None:
    run_dir = write_run(tmp_path / "run")
    write_events(run_dir, [event("train_begin", 0), *_logs(1, 30)])
    _, page = watch(run_dir)
    until(lambda: len(page.points.get("loss", ())) == 30)
    (run_dir / "metrics.jsonl").rename(tmp_path / "old.jsonl")
    write_events(run_dir, [event("log", 1, run_id="fg-other", loss=1.5)])
    until(lambda: page.points.get("loss") == [(1.0, 1.5)])
    assert page.state["snapshot"]["run"] == "fg-other"


def test_what_goes_wrong_while_following_is_shown_and_logged_and_it_goes_on(
    watch: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    class Trainer:
        def subscribe(self, listener: Any, /) -> None:
            self.tell = listener

        def unsubscribe(self, _: Any, /) -> None:
            del self.tell

    class Odd:
        kind, step = "log", 1

    trainer = Trainer()
    with caplog.at_level(logging.ERROR, "forgelm"):
        _, page = watch(trainer)
        trainer.tell(Odd())
        until(lambda: page.faults)
    assert page.faults == ["AttributeError in the kernel"]
    assert "following a run failed; it goes on" in caplog.text
    from forgelm import ProgressEvent

    trainer.tell(ProgressEvent("train_begin", RUN_ID, 0, 1.8e9, 0, 9, 0.0))
    trainer.tell(ProgressEvent("log", RUN_ID, 1, 1.8e9, 1, 9, 0.1, {"loss": 2.0}))
    until(lambda: page.points.get("loss") == [(1.0, 2.0)])
