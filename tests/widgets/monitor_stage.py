"""What a monitor's view receives, and folders of runs that were never trained."""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import comm
import psutil
from comm.base_comm import BaseComm

RUN_ID = "fg-0123456789ab"


class Page(BaseComm):
    """A stand-in for a page: it puts the curves together as a view does.

    Attributes:
        state: The model's traits, as they were sent.
        points: Of each metric its `(step, value)` pairs.
        gaps: Deltas that did not follow the one before.
        sizes: Bytes of each message, without its headers.
        faults: What the kernel said went wrong.
    """

    opened: ClassVar[list[Page]] = []

    def __init__(self, **options: Any) -> None:
        self.state: dict[str, Any] = {}
        self.points: dict[str, list[tuple[float, float]]] = {}
        self.seq = self.gaps = 0
        self.sizes: list[int] = []
        self.faults: list[str] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.acks: list[str] = []
        super().__init__(**options)
        Page.opened.append(self)

    def publish_msg(self, _: str, data: Any = None, buffers: Any = None, **__: Any) -> None:
        data, parts = data or {}, [bytes(buffer) for buffer in buffers or ()]
        self.sizes.append(len(json.dumps(data, default=str)) + sum(map(len, parts)))
        if "state" in data:
            state = dict(data["state"])
            for path, part in zip(data.get("buffer_paths", ()), parts, strict=True):
                state[path[0]] = part
            self.state |= state
            if "snapshot" in state:
                self._adopt(self.state["snapshot"], self.state.get("data") or b"")
        content = data.get("content", {})
        if content.get("kind") == "delta":
            self._append(content, parts[0])
        elif content.get("kind") == "fault":
            self.faults.append(content["error"])
        elif content.get("kind") == "ack":
            self.acks.append(content["id"])
        elif content.get("kind") == "result":
            self.answers[content["id"]] = content

    def _adopt(self, head: dict[str, Any], data: bytes) -> None:
        self.seq, self.points = head["seq"], {}
        numbers = struct.unpack(f"<{len(data) // 4}f", data)
        place = 0
        for series in head["series"]:
            part = numbers[place : place + 2 * series["n"]]
            self.points[series["name"]] = list(zip(part[::2], part[1::2], strict=True))
            place += len(part)

    def _append(self, head: dict[str, Any], data: bytes) -> None:
        self.gaps += head["seq"] != self.seq + 1
        self.seq = head["seq"]
        wide = 1 + len(head["names"])
        numbers = struct.unpack(f"<{head['n'] * wide}f", data)
        for row in (numbers[i : i + wide] for i in range(0, len(numbers), wide)):
            for name, value in zip(head["names"], row[1:], strict=True):
                if value == value:
                    self.points[name].append((row[0], value))

    def call(self, name: str, **args: Any) -> dict[str, Any]:
        """Do what a click does, and wait for the answer."""
        number = f"{name}-{len(self.acks)}"
        content = {"kind": "cmd", "id": number, "name": name, "args": args}
        data = {"method": "custom", "content": content}
        self.handle_msg({"content": {"data": data}, "buffers": []})
        until(lambda: number in self.answers)
        return self.answers[number]

    @property
    def alerts(self) -> dict[str, str]:
        """What is to look at now, by kind."""
        return {alert["kind"]: alert["text"] for alert in self.state["status"]["alerts"]}


@contextmanager
def pages() -> Iterator[Callable[[Any], Page]]:
    """Give a function that returns the page of a widget; widgets made meanwhile have one."""
    before = comm.create_comm
    comm.create_comm = Page  # type: ignore[assignment]
    try:
        yield lambda widget: next(p for p in Page.opened if p is widget.comm)
    finally:
        comm.create_comm = before
        Page.opened.clear()


def until(is_so: Callable[[], Any], timeout_s: float = 15.0) -> None:
    """Wait until something is so, and fail when it takes too long."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def event(kind: str, step: int, seq: int = 0, **fields: Any) -> dict[str, Any]:
    """Return a line of `metrics.jsonl`; fields that are no part of it are metrics."""
    head = {"run_id": RUN_ID, "time": 1.8e9 + step / 10, "max_steps": 1000, "message": None}
    head |= {name: fields.pop(name) for name in list(fields) if name in head}
    place = {"kind": kind, "seq": seq, "step": step, "epoch": step / 100}
    return head | place | {"metrics": fields}


def write_events(folder: Path, events: Iterable[dict[str, Any]]) -> None:
    """Append lines to a run's `metrics.jsonl`."""
    with open(folder / "metrics.jsonl", "a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(one) + "\n" for one in events)


def write_run(folder: Path, *, state: str = "running", **blocks: Any) -> Path:
    """Write a run of this process that never trains; blocks go into its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model": {"name_or_path": "acme/tiny"}, "training": {"trainer_type": "sft"}} | blocks
    process = psutil.Process()
    head = {"run_id": RUN_ID, "config": config, "started_at": time.time(), "pid": process.pid}
    head |= {"process_started_at": process.create_time(), "host": socket.gethostname()}
    (folder / "run.json").write_text(json.dumps(head), encoding="utf-8")
    beat(folder, state=state)
    return folder


def beat(folder: Path, *, state: str = "running", ago_s: float = 0.0, step: int = 1) -> None:
    """Write a sign of life."""
    document = {"state": state, "time": time.time() - ago_s, "stalled_after_s": 120.0}
    document |= {"step": step, "max_steps": 1000}
    written = folder / ".status.tmp"
    written.write_text(json.dumps(document), encoding="utf-8")
    os.replace(written, folder / "status.json")


def end(folder: Path, state: str, **fields: Any) -> None:
    """Write the end of a run."""
    document = {"state": state, "run_id": RUN_ID, "time": time.time(), **fields}
    (folder / "exit.json").write_text(json.dumps(document), encoding="utf-8")
