"""Whatever the receiver does, the run goes on, and what became of the message is known."""

from __future__ import annotations

import dataclasses
import gzip
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from webhook_receivers import OK, Receiver, receiving

from forgelm import AuditLogger, ForgeConfig
from forgelm.webhook import WebhookNotifier, WebhookOutcome

pytest.importorskip("httpcore")

Maker = Callable[..., ForgeConfig]


def deliver(config: ForgeConfig) -> WebhookOutcome:
    """Send one message and return what became of it."""
    outcomes: list[WebhookOutcome] = []
    notifier = WebhookNotifier(config, on_outcome=outcomes.append)
    notifier.notify_failure("nightly", "the disk is full")
    assert notifier.flush(30)
    assert len(outcomes) == 1
    return outcomes[0]


def test_a_delivered_message_is_reported_as_such(make_config: Maker, receiver: Receiver) -> None:
    outcome = deliver(make_config(receiver.url))
    assert (outcome.notice, outcome.status, outcome.http_status) == (
        "training.failure",
        "delivered",
        200,
    )
    assert outcome.reason is None
    assert b"content-type: application/json" in receiver.requests[0].lower()


def _error(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")


def _hang_up(connection: socket.socket, _: threading.Event) -> None:
    connection.close()


def _babble(connection: socket.socket, _: threading.Event) -> None:
    connection.sendall(b"\x00\xff not http at all \r\n\r\n")


def _drip(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.05):
        connection.sendall(b"X-Drip: drop\r\n")


def _say_nothing(_: socket.socket, over: threading.Event) -> None:
    over.wait(30)


@pytest.mark.parametrize(
    ("serve", "status", "told"),
    [
        (_error, 500, "HTTP 500"),
        (_hang_up, None, "127.0.0.1"),
        (_babble, None, "127.0.0.1"),
        (_drip, None, "in time"),
        (_say_nothing, None, "in time"),
    ],
)
def test_a_bad_receiver_is_a_failed_outcome_within_the_deadline(
    make_config: Maker, serve: Any, status: int | None, told: str
) -> None:
    with receiving(serve) as receiver:
        outcome = deliver(make_config(receiver.url, timeout=1))
    assert (outcome.status, outcome.http_status) == ("failed", status)
    assert told in str(outcome.reason)
    assert "the-path" not in str(outcome.reason)


def _busy(*answers: bytes) -> tuple[list[bytes], Any]:
    """Return what is left to say, and a receiver that says one of it after the other, then OK."""
    left = list(answers)

    def serve(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(left.pop(0) if left else OK)

    return left, serve


def _status(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Oops", "Content-Length: 0", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.mark.parametrize(
    "answers",
    [
        [_status(503)],
        [_status(429, "Retry-After: 1")],
        [_status(500, "Retry-After: soon"), b""],
    ],
)
def test_a_receiver_that_is_busy_or_hangs_up_is_tried_again(
    make_config: Maker, answers: list[bytes]
) -> None:
    left, serve = _busy(*answers)
    with receiving(serve) as receiver:
        outcome = deliver(make_config(receiver.url, timeout=30))
    assert (outcome.status, outcome.http_status, left) == ("delivered", 200, [])
    assert outcome.tries == len(receiver.bodies) == len(answers) + 1
    assert receiver.bodies[0] == receiver.bodies[-1]


def test_a_message_is_tried_four_times_and_told_of_once(make_config: Maker) -> None:
    _, serve = _busy(*[_status(502)] * 9)
    with receiving(serve) as receiver:
        outcome = deliver(make_config(receiver.url, timeout=30))
    assert (outcome.status, outcome.http_status, outcome.tries) == ("failed", 502, 4)
    assert len(receiver.bodies) == 4


@pytest.mark.parametrize(
    "answer",
    [_status(400), _status(404), _status(501), _status(429, "Retry-After: 3600")],
)
def test_what_another_try_cannot_cure_in_time_is_tried_once(
    make_config: Maker, answer: bytes
) -> None:
    _, serve = _busy(answer)
    with receiving(serve) as receiver:
        outcome = deliver(make_config(receiver.url, timeout=30))
    assert (outcome.status, outcome.tries) == ("failed", 1)
    assert len(receiver.bodies) == 1


def _endless(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not over.is_set():
        connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")


def _bomb(connection: socket.socket, _: threading.Event) -> None:
    body = gzip.compress(b"\x00" * 50_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)


@pytest.mark.parametrize("serve", [_endless, _bomb])
def test_the_body_of_an_answer_is_not_read(make_config: Maker, serve: Any) -> None:
    with receiving(serve) as receiver:
        assert deliver(make_config(receiver.url)).status == "delivered"


def test_a_redirect_is_not_followed(make_config: Maker, receiver: Receiver) -> None:
    def redirect(connection: socket.socket, _: threading.Event) -> None:
        head = f"HTTP/1.1 307 Go\r\nLocation: {receiver.url}\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(head.encode())

    with receiving(redirect) as first:
        outcome = deliver(make_config(first.url))
    assert (outcome.status, outcome.http_status) == ("failed", 307)
    assert receiver.requests == []


def test_nobody_listening_is_a_failed_outcome(make_config: Maker) -> None:
    outcome = deliver(make_config("http://127.0.0.1:9/the-path", timeout=1))
    assert outcome.status == "failed"
    assert "the-path" not in str(outcome.reason)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f000001", "[::ffff:127.0.0.1]"])
def test_private_destinations_are_refused_unless_allowed(
    make_config: Maker, receiver: Receiver, host: str
) -> None:
    url = f"http://{host}:{receiver.port}/"
    outcome = deliver(make_config(url, allow_private_destinations=False))
    assert outcome.status == "failed"
    assert "nothing was sent" in str(outcome.reason)
    assert receiver.requests == []


def test_a_name_that_leads_inside_is_refused_and_asked_for_once(
    make_config: Maker, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def resolver(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    url = f"http://hooks.example.com:{receiver.port}/"
    outcome = deliver(make_config(url, allow_private_destinations=False))
    assert "nothing was sent" in str(outcome.reason)
    assert asked == ["hooks.example.com"]
    assert receiver.requests == []


def test_https_needs_a_certificate_that_somebody_vouches_for(
    make_config: Maker, tls_certificate: Path
) -> None:
    with receiving(tls=tls_certificate) as receiver:
        url = f"https://localhost:{receiver.port}/"
        unknown = deliver(make_config(url))
        assert (unknown.status, unknown.tries) == ("failed", 1)
        assert receiver.requests == []
        trusted = make_config(url, tls_ca_bundle=str(tls_certificate), require_https=True)
        assert deliver(trusted).status == "delivered"
        other = f"https://127.0.0.1:{receiver.port}/"
        assert deliver(make_config(other, tls_ca_bundle=str(tls_certificate))).status == "failed"
        gone = deliver(make_config(url, tls_ca_bundle=str(tls_certificate) + ".gone"))
        assert "cannot be read: No such file" in str(gone.reason)


def test_plain_http_is_refused_where_https_is_required(
    make_config: Maker, receiver: Receiver
) -> None:
    outcome = deliver(make_config(receiver.url, require_https=True))
    assert outcome.reason == "the address is not https, as webhook.require_https demands"
    assert receiver.requests == []


def test_a_hanging_receiver_holds_up_nobody_and_too_many_messages_are_dropped(
    make_config: Maker,
) -> None:
    release = threading.Event()

    def hold(connection: socket.socket, _: threading.Event) -> None:
        release.wait(30)
        connection.sendall(OK)

    outcomes: list[WebhookOutcome] = []
    with receiving(hold) as receiver:
        config = make_config(receiver.url, timeout=60)
        notifier = WebhookNotifier(config, on_outcome=outcomes.append)
        for number in range(60):
            notifier.notify_start(f"run {number}")
        assert not notifier.flush(0.0)
        dropped = len(outcomes)
        assert {outcome.status for outcome in outcomes} == {"dropped"}
        assert dropped in {27, 28}  # 32 wait and one may be under way
        release.set()
        assert notifier.flush(60)
    assert len(outcomes) == 60
    assert len(receiver.bodies) == 60 - dropped


def test_the_first_and_the_last_message_of_a_short_run_are_both_told_of(
    make_config: Maker,
) -> None:
    outcomes: list[WebhookOutcome] = []
    with receiving(_say_nothing) as receiver:
        config = make_config(receiver.url, timeout=1)
        notifier = WebhookNotifier(config, on_outcome=outcomes.append)
        notifier.notify_start("short")
        notifier.notify_success("short")
        assert notifier.flush()
    assert [outcome.notice for outcome in outcomes] == ["training.start", "training.success"]
    assert {outcome.status for outcome in outcomes} == {"failed"}


def test_what_a_listener_raises_is_only_logged(
    make_config: Maker, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: WebhookOutcome) -> None:
        raise RuntimeError("no room in the log")

    notifier = WebhookNotifier(make_config(receiver.url), on_outcome=fail)
    notifier.notify_start("one")
    notifier.notify_start("two")
    assert notifier.flush(30)
    assert len(receiver.bodies) == 2
    assert "could not be recorded" in caplog.text


def test_what_became_of_a_message_can_stand_in_the_audit_log(
    make_config: Maker, receiver: Receiver, tmp_path: Path
) -> None:
    log = AuditLogger(str(tmp_path), run_id="run-1")

    def record(outcome: WebhookOutcome) -> None:
        log.log_event("webhook.delivery", **dataclasses.asdict(outcome))

    notifier = WebhookNotifier(make_config(receiver.url), on_outcome=record)
    notifier.notify_start("nightly")
    assert notifier.flush(30)
    text = (tmp_path / "audit_log.jsonl").read_text(encoding="utf-8")
    entry = json.loads(text.splitlines()[-1])
    assert (entry["event"], entry["notice"]) == ("webhook.delivery", "training.start")
    assert (entry["status"], entry["http_status"]) == ("delivered", 200)
    assert "the-path" not in text


@pytest.mark.parametrize("url", ["http://", "https://host:99999/", "ftp://host/", "nonsense", ""])
def test_an_address_that_is_none_is_never_an_exception(
    make_config: Maker, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HOOK", url)
    outcomes: list[WebhookOutcome] = []
    config = make_config(None, url_env="HOOK")
    notifier = WebhookNotifier(config, on_outcome=outcomes.append)
    notifier.notify_success("run", {"loss": 1.0})
    assert notifier.flush(30)
    assert [outcome.status for outcome in outcomes] == (["failed"] if url else [])


def test_the_address_may_come_from_the_environment_and_a_missing_one_is_told(
    make_config: Maker,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HOOK", receiver.url)
    assert deliver(make_config(None, url_env="HOOK")).status == "delivered"
    monkeypatch.delenv("HOOK")
    with caplog.at_level(logging.WARNING):
        WebhookNotifier(make_config(None, url_env="HOOK")).notify_start("run")
    assert "HOOK is not set" in caplog.text


def test_values_that_cannot_even_be_shown_are_a_failed_outcome(
    make_config: Maker, receiver: Receiver
) -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    outcomes: list[WebhookOutcome] = []
    notifier = WebhookNotifier(make_config(receiver.url), on_outcome=outcomes.append)
    notifier.notify_success(Odd(), {"loss": 0.5})  # type: ignore[arg-type]
    notifier.notify_success("run", 5)  # type: ignore[arg-type]
    notifier.notify_success("run", {"loss": 0.5})
    assert notifier.flush(30)
    assert sorted(outcome.status for outcome in outcomes) == ["delivered", "failed", "failed"]


FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
from forgelm import ForgeConfig
from forgelm.webhook import WebhookNotifier
block = {"url": sys.argv[1], "allow_private_destinations": True}
config = ForgeConfig(model={"name_or_path": "m"}, lora={}, training={},
                     data={"dataset_name_or_path": "d.jsonl"}, webhook=block)
notifier = WebhookNotifier(config)
notifier.notify_start("parent")
assert notifier.flush(30)
child = os.fork()
if child == 0:
    notifier.notify_start("child")
    os._exit(0 if notifier.flush(30) else 1)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_sends_its_own_messages(receiver: Receiver) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, receiver.url], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert [body["run_name"] for body in receiver.bodies] == ["parent", "child"]
