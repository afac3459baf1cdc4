"""Receivers on loopback, polite and not."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[[socket.socket, threading.Event], None]


@dataclass
class Receiver:
    """A server that reads one request a connection and then does what the test says."""

    port: int = 0
    bodies: list[Any] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/the-path"


def answer_ok(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(OK)


@contextmanager
def receiving(serve: Serve = answer_ok, *, tls: Path | None = None) -> Iterator[Receiver]:
    receiver = Receiver()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    receiver.port = listener.getsockname()[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls is not None:
        context.load_cert_chain(tls)

    def accept() -> None:
        while not receiver.over.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    stream = connection
                    if tls is not None:
                        stream = context.wrap_socket(connection, server_side=True)
                    with stream:
                        _receive(receiver, stream)
                        serve(stream, receiver.over)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        thread.join()
        listener.close()


def _receive(receiver: Receiver, connection: socket.socket) -> None:
    received = b""
    while b"\r\n\r\n" not in received:
        block = connection.recv(65536)
        if not block:
            return
        received += block
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.splitlines()
        if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)
    receiver.requests.append(head)
    receiver.bodies.append(json.loads(body))
