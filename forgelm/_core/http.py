"""Posting to a server that a configuration names, without becoming its way into the network.

The name is resolved once, every address is judged, and the connection goes to the address that was
judged. No proxy and no redirect is followed, no body beyond a small bound is read, and nothing
takes longer than one deadline over all.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from forgelm._core.addresses import Address, problem_with
from forgelm._core.optional import require
from forgelm._core.retry import is_tls_failure, retry_after_s
from forgelm.errors import RemoteError

__all__ = ["Answer", "UnreachableError", "post", "without_secrets"]

_FEATURE = "Posting to a server"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Attributes:
        status: The HTTP status.
        body: The beginning of the body, as far as it was asked for.
        retry_after_s: How long it wants to be left alone, if it says.
    """

    status: int
    body: bytes
    retry_after_s: float | None = None


class UnreachableError(RemoteError):
    """Nobody was there, or hung up: a later try may do better."""


def post(
    url: str,
    content: bytes,
    *,
    content_type: str,
    headers: Mapping[str, str] | None = None,
    deadline_s: float = 10.0,
    max_body_bytes: int = 0,
    allow_private: bool = False,
    ca_bundle: str | None = None,
) -> Answer:
    """Send a body to a server and return its answer, whatever the status.

    Args:
        url: http or https, without a user or password in it.
        content: The body.
        content_type: What it is.
        headers: More headers.
        deadline_s: For everything together, name resolution and TLS included.
        max_body_bytes: How much of the answer's body is read; the rest never is.
        allow_private: Also post to this machine, to private and link-local networks and to
            addresses that a carrier shares out; never to where clouds hand out credentials.
        ca_bundle: File with the certificates that vouch for the server, instead of the system's.

    Raises:
        OptionalDependencyError: The `remote` extra is not installed.
        ValueError: The URL cannot be used.
        RemoteError: The address is refused, or the server did not answer as it should; an OSError.
            The message has nothing of the URL but scheme, host and port.
        UnreachableError: One of those that another try may cure.
    """
    http = require("httpcore", extra="remote", feature=_FEATURE)
    place = _parse(url)
    where = without_secrets(url)
    watch = _Watch(deadline_s)
    backend = _guarded(http, watch, allow_private=allow_private)
    sent = {"Content-Type": content_type, "Connection": "close"}
    trusted = _trusted(ca_bundle)
    try:
        with (
            watch,
            http.ConnectionPool(ssl_context=trusted, network_backend=backend) as pool,
            pool.stream(
                "POST",
                _ascii_url(place),
                headers=list({**sent, **(headers or {})}.items()),
                content=content,
                extensions={
                    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), deadline_s)
                },
            ) as response,
        ):
            body = _beginning(response, max_body_bytes)
            answer = Answer(int(response.status), body, _wish(response))
    except http.LocalProtocolError:
        raise ValueError("a header has characters that HTTP does not allow") from None
    except RemoteError as error:
        raise type(error)(f"{where}: {error}") from None
    except (OSError, http.NetworkError, http.TimeoutException, http.ProtocolError) as error:
        # A read waits as long as the whole exchange may take: it may give up first.
        late = watch.expired or isinstance(error, http.ReadTimeout | http.WriteTimeout)
        reason = "no complete answer came in time" if late else _reason(http, error)
        kind = RemoteError if late or is_tls_failure(error) else UnreachableError
        raise kind(f"{where}: {reason}") from None
    return answer


def without_secrets(url: str) -> str:
    """Return scheme, host and port of a URL: path and query of a webhook are its password."""
    try:
        place = urlsplit(url)
        port = f":{place.port}" if place.port else ""
        host = f"[{place.hostname}]" if ":" in (place.hostname or "") else place.hostname
    except ValueError:
        return "(a malformed URL)"
    return f"{place.scheme}://{host}{port}" if host else "(a URL without a host)"


def _parse(url: str) -> SplitResult:
    """Return the parts of a URL that can be posted to."""
    problem = None
    if not url.isprintable() or any(character.isspace() for character in url):
        problem = "has a space or a control character"
    try:
        place = urlsplit(url)
        _ = place.port
    except ValueError:
        raise ValueError("the URL is malformed: check its host and port") from None
    if place.scheme not in _DEFAULT_PORTS:
        problem = "must begin with http:// or https://"
    elif not place.hostname:
        problem = "has no host"
    elif place.username is not None or place.password is not None:
        problem = "has a user or a password in it: pass them in a header"
    if problem:
        raise ValueError(f"the URL {problem} ({without_secrets(url)})")
    return place


def _ascii_url(place: SplitResult) -> Any:
    http = require("httpcore", extra="remote", feature=_FEATURE)
    host = place.hostname or ""
    try:
        name = host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError:
        raise ValueError(f"the URL's host {host!r} is no valid name") from None
    target = (place.path or "/") + (f"?{place.query}" if place.query else "")
    if not target.isascii():
        raise ValueError("the URL has characters beyond ASCII: percent-encode them")
    return http.URL(
        scheme=place.scheme.encode(), host=name, port=place.port, target=target.encode()
    )


def _trusted(ca_bundle: str | None) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        told = f"the certificates in {ca_bundle} cannot be read: {error.strerror or error}"
        raise RemoteError(told) from None


def _wish(response: Any) -> float | None:
    """Return what `Retry-After` asks for."""
    values = [value for name, value in response.headers if name.lower() == b"retry-after"]
    return retry_after_s(values[0].decode("latin-1")) if values else None


def _beginning(response: Any, max_bytes: int) -> bytes:
    body = b""
    if max_bytes:
        for chunk in response.iter_stream():
            body += chunk[: max_bytes - len(body)]
            if len(body) >= max_bytes:
                break
    return body


def _reason(http: Any, error: Exception) -> str:
    if isinstance(error, http.ProtocolError):  # its text repeats what the server sent
        return "what the server answered is not HTTP, or was cut"
    return f"{type(error).__name__}: {str(error) or 'no more is known'}"[:300]


class _Watch:
    """Cuts the connection when the deadline passes, whatever it is busy with."""

    def __init__(self, deadline_s: float) -> None:
        self._ends = time.monotonic() + deadline_s
        self._timer = threading.Timer(deadline_s, self._expire)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self.expired = False

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def left_s(self) -> float:
        """Seconds left, a little more than none."""
        return max(self._ends - time.monotonic(), 0.001)

    def follow(self, connection: socket.socket) -> None:
        """Watch this connection, also under the TLS that will be put over it."""
        with self._lock:
            self._connection = connection.dup()
        if self.expired:
            self._expire()

    def _expire(self) -> None:
        self.expired = True
        with self._lock, suppress(OSError):
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)


def _guarded(http: Any, watch: _Watch, *, allow_private: bool) -> Any:
    """Return what opens connections for httpcore, to judged addresses alone."""

    class Guarded(http.NetworkBackend):  # type: ignore[misc]
        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,  # noqa: ARG002 - the deadline counts
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> Any:
            addresses = _judged(host, port, watch, allow_private=allow_private)
            for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
                try:
                    stream = http.SyncBackend().connect_tcp(
                        str(address), port, watch.left_s / left, local_address, socket_options
                    )
                except (http.ConnectError, http.ConnectTimeout):
                    if left == 1 or watch.expired:
                        raise
                    continue
                watch.follow(stream.get_extra_info("socket"))
                return stream
            raise RemoteError(f"{host} has no address")

    return Guarded()


def _judged(host: str, port: int, watch: _Watch, *, allow_private: bool) -> list[Address]:
    """Return the addresses of a name; one that is refused refuses all."""
    addresses = _resolved(host, port, watch)
    for address in addresses:
        problem = problem_with(address, allow_private=allow_private)
        if problem:
            raise RemoteError(f"nothing was sent: {host} is at {address}, {problem}")
    return addresses


def _resolved(host: str, port: int, watch: _Watch) -> list[Address]:
    """Return the addresses of a name; a resolver that hangs is left behind."""
    answers: queue.SimpleQueue[list[Any] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=resolve, daemon=True).start()
    try:
        found = answers.get(timeout=watch.left_s)
    except queue.Empty:
        raise RemoteError("the name was not resolved in time") from None
    if isinstance(found, OSError):
        raise UnreachableError(f"the name cannot be resolved ({found.strerror or found})")
    texts = dict.fromkeys(_with_interface(*info[4]) for info in found)
    return [ipaddress.ip_address(text) for text in texts]


def _with_interface(text: str, _port: int, _flow: int = 0, interface: int = 0) -> str:
    """Return an address with the interface that a link-local one is reached by."""
    return f"{text}%{interface}" if interface and "%" not in text else text
