"""Answers are bounded in time and size, whatever the server does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate

import pytest

from forgelm._core import ChatClient, ChatError, ChatReply

pytest.importorskip("httpx")

Serve = Callable[[socket.socket, int, threading.Event], None]
QUESTION = [{"role": "user", "content": "Hi"}]


@contextmanager
def serving(serve: Serve) -> Iterator[str]:
    """Serve connections on loopback; `serve` also gets the number of the connection."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def accept() -> None:
        number = 0
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    connection.recv(65536)
                    serve(connection, number, over)
                    number += 1

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1/"
    finally:
        over.set()
        thread.join()
        listener.close()


def ask(url: str, **options: float) -> ChatReply:
    client = ChatClient(url, "m", **options)  # type: ignore[arg-type]
    try:
        return client.ask(QUESTION, max_tokens=5, temperature=0.0)
    finally:
        client.close()


def respond(connection: socket.socket, document: object, *headers: str, status: int = 200) -> None:
    body = json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def good(text: str) -> dict[str, object]:
    return {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": True}}


def test_odd_counts_are_not_counted() -> None:
    with serving(lambda connection, *_: respond(connection, good("ok"))) as url:
        assert ask(url) == ChatReply("ok", None, None, None, None)


@pytest.mark.parametrize("wait", ["0", "", "soon", formatdate(0, usegmt=True)])
def test_a_server_that_says_later_is_asked_later(wait: str) -> None:
    def serve(connection: socket.socket, number: int, _: threading.Event) -> None:
        if number == 0:
            respond(connection, {}, f"Retry-After: {wait}", status=429)
        else:
            respond(connection, good("ok"))

    with serving(serve) as url:
        assert ask(url).text == "ok"


def test_a_wait_of_hours_is_an_answer_and_not_waited_for() -> None:
    def serve(connection: socket.socket, *_: object) -> None:
        respond(connection, {}, "Retry-After: 86400", status=429)

    with serving(serve) as url, pytest.raises(ChatError, match="86400 s"):
        ask(url)


def test_a_dripping_answer_ends_with_the_deadline() -> None:
    def serve(connection: socket.socket, _: int, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(60):
            if over.wait(0.02):
                return
            connection.sendall(b" ")

    with serving(serve) as url, pytest.raises(ChatError, match=r"within 0\.2 s"):
        ask(url, timeout_s=0.2)


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    def serve(connection: socket.socket, _: int, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    with serving(serve) as url, pytest.raises(ChatError, match="longer than 16 MiB"):
        ask(url)


@pytest.mark.parametrize(
    "document", [[], {"choices": []}, {"choices": [{"message": {"content": 5}}]}, "x", None]
)
def test_json_of_another_form_is_an_error_that_quotes_nothing(document: object) -> None:
    with (
        serving(lambda connection, *_: respond(connection, document)) as url,
        pytest.raises(ChatError, match=r"no choices\[0\]") as raised,
    ):
        ask(url)
    assert raised.value.kind == "failed"
