"""The `STOP` file and the reader of `metrics.jsonl` that looks on from another process."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from forgelm.runs import ProgressTail, asks_for_best, list_runs, read_stop


@pytest.mark.parametrize(
    ("text", "reason", "keeps_best"),
    [
        ("too warm", "too warm", False),
        ("", "asked to stop", False),
        ("keep: best", "asked to stop", True),
        ("keep: best\ntoo warm\n", "too warm", True),
        ("please keep: best", "please keep: best", False),
    ],
)
def test_the_first_line_of_a_stop_file_may_say_to_keep_the_best(
    tmp_path: Path, text: str, reason: str, keeps_best: bool
) -> None:
    (tmp_path / "STOP").write_text(text)
    assert (read_stop(tmp_path), asks_for_best(tmp_path)) == (reason, keeps_best)


def test_without_a_stop_file_nobody_asked_for_anything(tmp_path: Path) -> None:
    assert (read_stop(tmp_path), asks_for_best(tmp_path)) == (None, False)


def test_the_reader_hands_out_a_long_file_in_parts(tmp_path: Path) -> None:
    lines = [json.dumps({"n": n}) for n in range(1000)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n" + '{"n": 10')
    tail = ProgressTail(tmp_path)
    found, parts, more = [], 0, True
    while more:
        documents, more = tail.read_documents(most_bytes=700)
        found += [document["n"] for document in documents]
        parts += 1
    assert found == list(range(1000))
    assert parts == 16  # 10,890 bytes and a torn line
    assert tail.unreadable == 0
    with open(tmp_path / "metrics.jsonl", "a") as stream:
        stream.write("00}\n")
    assert tail.read_documents()[0] == [{"n": 1000}]


def test_a_line_that_is_too_long_is_passed_over_as_one(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"n": 1}\n' + "x" * 5000 + '\n{"n": 2}\n')
    tail = ProgressTail(tmp_path)
    found, more = [], True
    while more:
        documents, more = tail.read_documents(most_bytes=700)
        found += [document["n"] for document in documents]
    assert (found, tail.unreadable) == ([1, 2], 1)


def test_another_file_in_its_place_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"n": 1}\n')
    tail = ProgressTail(tmp_path)
    assert tail.read_documents() == ([{"n": 1}], False)
    path.rename(tmp_path / "old")
    path.write_text('{"n": 2}\n{"n": 3}\n')
    assert tail.read_documents() == ([{"n": 2}, {"n": 3}], False)
    assert tail.restarts == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this file system")
def test_a_pipe_in_its_place_is_refused_and_nothing_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(OSError, match="is no regular file"):
        ProgressTail(tmp_path).read_documents()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this file system")
@pytest.mark.parametrize("name", ["run.json", "status.json", "exit.json", "STOP", "metrics.jsonl"])
def test_a_pipe_among_the_files_of_a_run_is_not_waited_for(tmp_path: Path, name: str) -> None:
    if name != "run.json":
        (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    os.mkfifo(tmp_path / name)
    assert len(list_runs(tmp_path)) == (name != "run.json")


def test_a_folder_among_the_files_of_a_run_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    before = os.open(os.devnull, os.O_RDONLY)
    os.close(before)
    for _ in range(5):
        with pytest.raises(IsADirectoryError):
            ProgressTail(tmp_path).read_documents()
    after = os.open(os.devnull, os.O_RDONLY)
    os.close(after)
    assert after == before
