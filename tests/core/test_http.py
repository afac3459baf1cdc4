"""Posting reaches the server that was meant, nobody else, and never hangs on what that does."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytest.importorskip("httpcore")

from forgelm._core.addresses import problem_with
from forgelm._core.http import Answer, UnreachableError, post
from forgelm.errors import RemoteError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@contextmanager
def serving(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Serve connections on loopback, one after the other, each as `serve` does."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection, suppress(OSError):
                connection.settimeout(5)
                serve(connection, over)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join()
        listener.close()


def _request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received or not received.endswith(b"THE END"):
        block = connection.recv(65536)
        if not block:
            break
        received += block
    return received


def _post(port: int, *, scheme: str = "http", host: str = "127.0.0.1", **options: object) -> Answer:
    settings: dict[str, object] = {"deadline_s": 20.0, "allow_private": True, **options}
    content = settings.pop("content", b"some text THE END")
    url = f"{scheme}://{host}:{port}/hooks/T000-the-token?key=the-key"
    return post(url, content, content_type="text/plain", **settings)  # type: ignore[arg-type]


def test_a_body_is_posted_as_it_is_and_the_answer_is_read_as_far_as_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    seen: list[bytes] = []

    def serve(connection: socket.socket, _: threading.Event) -> None:
        seen.append(_request(connection))
        connection.sendall(OK)

    with serving(serve) as port:
        assert _post(port, headers={"Authorization": "Bearer x"}) == Answer(200, b"")
        assert _post(port, max_body_bytes=3) == Answer(200, b"hel")
        assert _post(port, max_body_bytes=99, host="localhost") == Answer(200, b"hello")
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /hooks/T000-the-token?key=the-key HTTP/1.1"
    assert {b"Content-Type: text/plain", b"Authorization: Bearer x"} < set(lines)
    assert f"Host: 127.0.0.1:{port}".encode() in lines
    assert body == b"some text THE END"


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    visited: list[bytes] = []

    def other(connection: socket.socket, _: threading.Event) -> None:
        visited.append(_request(connection))
        connection.sendall(OK)

    with serving(other) as elsewhere:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:{elsewhere}/\r\n\r\n".encode()

        def serve(connection: socket.socket, _: threading.Event) -> None:
            _request(connection)
            connection.sendall(moved)

        with serving(serve) as port:
            assert _post(port).status == 307
    assert visited == []


def _endlessly(first: bytes, more: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def serve(connection: socket.socket, over: threading.Event) -> None:
        _request(connection)
        connection.sendall(first)
        while not over.is_set():
            connection.sendall(more)
            if len(more) < 100:
                over.wait(0.02)

    return serve


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"


def test_an_endless_body_is_not_read() -> None:
    with serving(_endlessly(CHUNKED, b"4000\r\n" + bytes(0x4000) + b"\r\n")) as port:
        assert _post(port) == Answer(200, b"")
        assert len(_post(port, max_body_bytes=100_000).body) == 100_000


SLOW = {
    "drips its status line": _endlessly(b"HTTP", b"x"),
    "drips a header": _endlessly(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "drips headers": _endlessly(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "says continue for ever": _endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "drips a body that is asked for": _endlessly(CHUNKED, b"1\r\nx\r\n"),
    "says nothing": lambda _, over: over.wait(30),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_server_that_is_slow_on_purpose_is_left_at_the_deadline(name: str) -> None:
    with (
        serving(SLOW[name]) as port,  # type: ignore[arg-type]
        pytest.raises(RemoteError, match="no complete answer came in time") as refused,
    ):
        _post(port, deadline_s=0.4, max_body_bytes=1_000_000)
    assert "token" not in str(refused.value)
    assert "the-key" not in str(refused.value)


def test_a_server_that_never_reads_is_left_at_the_deadline() -> None:
    with (
        serving(lambda _, over: over.wait(30)) as port,  # type: ignore[arg-type,return-value]
        pytest.raises(RemoteError, match="no complete answer came in time"),
    ):
        _post(port, deadline_s=0.5, content=bytes(30_000_000))


@pytest.mark.parametrize(
    "answer",
    [b"", b"\0\xff" * 40, b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 99999],
)
def test_what_is_no_answer_is_an_error_that_shows_nothing_of_the_url(answer: bytes) -> None:
    def serve(connection: socket.socket, _: threading.Event) -> None:
        _request(connection)
        connection.sendall(answer)

    with serving(serve) as port, pytest.raises(RemoteError) as refused:
        _post(port)
    assert str(refused.value).startswith(f"http://127.0.0.1:{port}: ")
    assert "token" not in str(refused.value)


@pytest.mark.parametrize("value", ["the-token\n", "the-token\r\nX: y", "\0"])
def test_a_header_that_would_smuggle_another_is_refused_without_showing_it(value: str) -> None:
    with (
        serving(lambda _, over: over.wait(30)) as port,  # type: ignore[arg-type,return-value]
        pytest.raises(ValueError, match="a header has characters") as refused,
    ):
        _post(port, headers={"Authorization": value})
    assert "the-token" not in str(refused.value)


def test_a_closed_port_and_a_name_that_does_not_exist_are_errors() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RemoteError, match="ConnectError"):
        _post(port)
    with pytest.raises(RemoteError, match="the name cannot be resolved"):
        _post(port, host="no-such-host.invalid")


def test_it_says_whether_and_when_another_try_may_do_better() -> None:
    def serve(connection: socket.socket, _: threading.Event) -> None:
        _request(connection)
        connection.sendall(b"HTTP/1.1 503 X\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")

    def hang_up(connection: socket.socket, _: threading.Event) -> None:
        _request(connection)

    with serving(serve) as port:
        assert _post(port) == Answer(503, b"", 7.0)
    with serving(hang_up) as port, pytest.raises(UnreachableError, match="or was cut"):
        _post(port)
    with pytest.raises(RemoteError) as refused:
        _post(9, allow_private=False)
    assert not isinstance(refused.value, UnreachableError)


PRIVATE = [
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.1", "10.0.0.1", "172.16.0.1",
    "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1", "[::1]", "[fd00::1]",
    "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[2002:7f00:1::]", "[2002:a00:1::1]",
    "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:1]", "[2001:0:7f00:1::]", "[2001:0:808:808::80ff:fffe]",
    "[::127.0.0.1]", "[fec0::1]", "[2001:db8::1]", "169.254.1.1", "[fe80::1]",
    "[::ffff:169.254.1.1]", "[64:ff9b::6440:1]",
]  # fmt: skip
NOBODY = [
    "0.0.0.0", "[::]", "224.0.0.1", "[ff02::1]", "169.254.169.254", "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16",
    "[fd00:ec2::254]", "[fd00:ec2::23]", "[fd20:ce::254]",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_this_machine_and_private_networks_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises(RemoteError, match=r"nothing was sent: .* of a private network"):
        _post(9, host=host, allow_private=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "100.127.255.255",
        "::1", "fd00::1", "fe80::1", "fe80::1%7", "::ffff:169.254.1.1", "64:ff9b::6440:1",
        "8.8.8.8",
    ],
)  # fmt: skip
def test_who_asks_for_it_reaches_every_network_inside(address: str) -> None:
    assert problem_with(ipaddress.ip_address(address), allow_private=True) is None


@pytest.mark.parametrize("address", ["100.63.255.255", "100.128.0.1"])
def test_beside_the_addresses_a_carrier_shares_out_lie_public_ones(address: str) -> None:
    assert problem_with(ipaddress.ip_address(address), allow_private=False) is None


@pytest.mark.parametrize("host", NOBODY)
@pytest.mark.parametrize("allow_private", [False, True])
def test_addresses_of_nobody_and_of_clouds_are_always_refused(
    host: str, allow_private: bool
) -> None:
    with pytest.raises(RemoteError, match=r"nothing was sent: .* that no server has"):
        _post(9, host=host, allow_private=allow_private)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/", "file:///etc/passwd", "host/path", "", "http://", "http:///path",
        "http://host:99999/", "http://host:x/", "http://[::1", "http://a b/", "http://a/\r\nX: y",
        "http://me:the-" + "password@host/", "http://host/\u00e9", "http://" + "\u00e9" * 70 + "/",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as refused:
        post(url, b"x", content_type="text/plain")
    assert "the-password" not in str(refused.value)


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for "localhost" and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *plain))
    return folder / "cert.pem", folder / "key.pem"


def test_over_tls_the_certificate_must_be_trusted_and_name_the_host_of_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def serve(connection: socket.socket, _: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            _request(secured)
            secured.sendall(OK)

    with serving(serve) as port:
        with pytest.raises(RemoteError, match="certificate verify failed"):
            _post(port, scheme="https", host="localhost")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert _post(port, scheme="https", host="localhost", max_body_bytes=9).body == b"hello"
        with pytest.raises(RemoteError, match="certificate verify failed"):
            _post(port, scheme="https", host="127.0.0.1")


@pytest.mark.parametrize("bytes_sent", [b"", b"\x16\x03\x03\x40\x00"])
def test_a_tls_handshake_that_drips_is_left_at_the_deadline(bytes_sent: bytes) -> None:
    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(bytes_sent)
        while not over.wait(0.02) and bytes_sent:
            connection.sendall(b"\0")
        over.wait(30)

    with serving(serve) as port, pytest.raises(RemoteError, match="no complete answer came in tim"):
        _post(port, scheme="https", deadline_s=0.4)
