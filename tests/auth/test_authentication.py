"""Logging in to a Hub on loopback, in processes of their own: its libraries read variables once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")

GOOD, OTHER, BAD = ("hf_" + letter * 34 for letter in "gob")
SCRIPT = """
import json, logging, os, sys
logging.basicConfig(level=logging.DEBUG)
from forgelm.auth import setup_authentication
try:
    setup_authentication(*json.loads(sys.argv[1]))
except Exception as error:
    import traceback; traceback.print_exc()
    print(json.dumps([type(error).__name__, str(error)]))
else:
    import huggingface_hub
    print(json.dumps(["ok", {}.get(huggingface_hub.get_token(), "another")]))
""".replace("{}", json.dumps({GOOD: "good", OTHER: "other"}).replace("null", "None"))


@dataclass
class Hub:
    url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            state.asked.append(token)
            user = {"type": "user", "name": "ada", "auth": {"accessToken": {"displayName": "t"}}}
            body = json.dumps(user if token in {GOOD, OTHER} else {"error": token}).encode()
            self.send_response(200 if token in {GOOD, OTHER} else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        server.shutdown()


def run(home: Path, endpoint: str, *arguments: str, **variables: str) -> list[str]:
    """Log in with these variables; whatever is printed must hold no token."""
    ours = {"HUGGINGFACE_TOKEN", "HF_TOKEN", "HF_HUB_OFFLINE"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment | {"HF_HOME": str(home), "HF_ENDPOINT": endpoint} | variables,
    )
    for token in (GOOD, OTHER, BAD):
        assert token not in done.stdout + done.stderr
    answer: list[str] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_argument_comes_first_then_the_two_variables_then_the_stored_token(
    hub: Hub, tmp_path: Path
) -> None:
    assert run(tmp_path, hub.url, GOOD, HUGGINGFACE_TOKEN=OTHER, HF_TOKEN=OTHER) == ["ok", "good"]
    assert run(tmp_path, hub.url, HUGGINGFACE_TOKEN=OTHER, HF_TOKEN=GOOD) == ["ok", "other"]
    assert hub.asked == [GOOD, OTHER]
    assert run(tmp_path, hub.url, HF_TOKEN=GOOD) == ["ok", "good"]
    assert run(tmp_path, hub.url) == ["ok", "other"]
    assert hub.asked == [GOOD, OTHER]


def test_a_token_the_hub_refuses_is_a_clear_error(hub: Hub, tmp_path: Path) -> None:
    kind, message = run(tmp_path, hub.url, BAD)
    assert kind == "ConfigError"
    assert "the Hub refuses the token" in message
    assert "HUGGINGFACE_TOKEN" in message


def test_no_token_at_all_says_where_to_put_one(hub: Hub, tmp_path: Path) -> None:
    kind, message = run(tmp_path, hub.url)
    assert kind == "ConfigError"
    assert "there is no Hugging Face token" in message
    assert hub.asked == []


def test_offline_nothing_is_asked_and_no_token_is_needed(hub: Hub, tmp_path: Path) -> None:
    assert run(tmp_path, hub.url, HF_HUB_OFFLINE="1")[0] == "ok"
    assert run(tmp_path, hub.url, GOOD, HF_HUB_OFFLINE="1")[0] == "ok"
    assert hub.asked == []


def test_a_hub_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    kind, message = run(tmp_path, "http://127.0.0.1:9", GOOD)
    assert kind == "RemoteError"
    assert "HF_HUB_OFFLINE=1" in message


def test_a_hub_that_takes_the_call_and_says_nothing_is_waited_for_a_bounded_time(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        kind, message = run(tmp_path, url, GOOD, HF_HUB_ETAG_TIMEOUT="1")
    assert kind == "RemoteError"
    assert "cannot be reached (no answer within 1 s)" in message


@pytest.mark.parametrize("token", ["", "  ", "two words", "tüken"])
def test_what_is_no_token_is_refused_before_it_is_sent(
    hub: Hub, tmp_path: Path, token: str
) -> None:
    kind, message = run(tmp_path, hub.url, token)
    assert kind == "ConfigError"
    assert "paste the token alone" in message
    assert hub.asked == []
