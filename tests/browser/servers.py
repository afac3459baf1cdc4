"""Servers of our own on loopback: a port for one, and the wait until it answers."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest


def free_port() -> int:
    """Return a port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for_server(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something answers at `url`, or fail with what the server wrote."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    pytest.fail(f"The server did not start:\n{log.read_text('utf-8')[-3000:]}")
