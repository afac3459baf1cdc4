"""A real OpenAI-compatible server on loopback that answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from forgelm import ForgeConfig

Reply = tuple[int, dict[str, str], bytes]


def chat_reply(text: Any, finish_reason: str = "stop") -> Reply:
    document = {
        "model": "teacher-2",
        "choices": [{"message": {"content": text}, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4},
    }
    return 200, {}, json.dumps(document).encode()


def answer_to(prompt: str) -> Reply:
    return chat_reply(f"The answer to {prompt} is {sum(prompt.encode())}.")


@dataclass
class TeacherServer:
    """What it was asked, and how it answers: `reply` gets the prompt."""

    url: str = ""
    prompts: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    reply: Callable[[str], Reply] = answer_to


@pytest.fixture
def teacher() -> Iterator[TeacherServer]:
    state = TeacherServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][-1]["content"]
            state.prompts.append(prompt)
            state.headers.append(dict(self.headers))
            state.bodies.append(body)
            status, headers, content = state.reply(prompt)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Say nothing about clients that were killed."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        server.shutdown()


@pytest.fixture
def make_config(tmp_path: Path, teacher: TeacherServer) -> Callable[..., ForgeConfig]:
    def make(**synthetic: Any) -> ForgeConfig:
        block = {
            "teacher_model": "teacher-1",
            "api_base": teacher.url,
            "api_delay": 0.0,
            "seed_prompts": ["What is 1?", "What is 2?", "What is 3?"],
            "output_file": str(tmp_path / "rows.jsonl"),
        }
        return ForgeConfig(
            model={"name_or_path": "any/model"},
            lora={},
            training={},
            data={"dataset_name_or_path": "rows.jsonl"},
            synthetic=block | synthetic,
        )

    return make
