"""Asking an OpenAI-compatible server: paced, retried, bounded, and never followed elsewhere."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from forgelm._core.optional import require
from forgelm._core.retry import is_tls_failure, retry_after_s
from forgelm.errors import RemoteError

__all__ = ["ChatClient", "ChatError", "ChatReply"]

_ATTEMPTS = 5
_LONGEST_WAIT_S = 300.0
_LONGEST_BACKOFF_S = 60.0
_MAX_BODY_BYTES = 16 * 2**20
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_NO_USE = {
    401: "the server refused the key; check api_key_env",
    403: "the server refused access; check the key and what it may use",
    404: "the server knows no such address or model; check the address and the model's name",
}


ChatErrorKind = Literal["refused", "rejected", "unreachable", "failed", "stopped"]


class ChatReply(NamedTuple):
    """One answer; token counts are None where the server does not tell them."""

    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    model: str | None


class ChatError(RemoteError):
    """No usable answer. The message holds nothing the server wrote.

    Attributes:
        kind: "refused" (no request is any use), "rejected" (this one is not), "unreachable",
            "failed" (the server did not manage) or "stopped".
    """

    def __init__(self, reason: str, kind: ChatErrorKind = "failed") -> None:
        self.kind = kind
        super().__init__(reason)


class _Wait(Exception):  # noqa: N818 - it ends one attempt, not the call
    """What went wrong, and how long the server wants to be left alone."""

    def __init__(self, error: ChatError, seconds: float | None = None) -> None:
        self.error = error
        self.seconds = seconds
        super().__init__(str(error))


class ChatClient:
    """A client that several threads share.

    Args:
        api_base: Address up to and with `/v1`.
        model: The model's name, as the server knows it.
        api_key: Sent as a bearer token, if there is one.
        timeout_s: For one whole answer, however slowly it comes.
        delay_s: Between the starts of two requests, over all threads.
        feature: What needs the server, as the subject of a sentence.

    Raises:
        OptionalDependencyError: httpx is not installed.
    """

    def __init__(
        self,
        api_base: str,
        model: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        delay_s: float = 0.0,
        feature: str = "Asking a model behind an API",
    ) -> None:
        self._httpx = require("httpx", extra="remote", feature=feature)
        parts = urlsplit(api_base)
        path = parts.path.rstrip("/") + "/chat/completions"
        self._url = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        self._model = model
        self._timeout_s = timeout_s
        self._backoff_s = max(delay_s, 0.1)
        self._pace = _Pace(delay_s)
        self._stop = threading.Event()
        headers = {"Accept-Encoding": "identity"}
        if api_key:
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = self._httpx.Client(
            headers=headers, timeout=timeout_s, follow_redirects=False
        )

    def ask(
        self, messages: Sequence[Mapping[str, str]], *, max_tokens: int, temperature: float
    ) -> ChatReply:
        """Return the answer to a conversation, asked up to five times.

        `Retry-After` is honoured by every thread; without it the pauses double.

        Raises:
            ChatError: There is no answer, and why.
        """
        body = {
            "model": self._model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": temperature,
        }
        for attempt in range(_ATTEMPTS):
            if not self._pace.wait(self._stop):
                break
            try:
                return self._ask_once(body)
            except _Wait as wait:
                if attempt + 1 == _ATTEMPTS:
                    raise wait.error from None
                if wait.seconds is not None:
                    self._pace.pause(wait.seconds)
                else:
                    backoff_s = min(self._backoff_s * 2**attempt, _LONGEST_BACKOFF_S)
                    self._stop.wait(backoff_s * random.uniform(0.5, 1.0))
        raise ChatError("it was stopped before the server answered", "stopped")

    def stop(self) -> None:
        """Let no thread start another request, nor wait for its turn."""
        self._stop.set()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask_once(self, body: dict[str, Any]) -> ChatReply:
        deadline = time.monotonic() + self._timeout_s
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                _check_status(response.status_code, response.headers)
                content = self._read(response, deadline)
        except self._httpx.TimeoutException:
            raise _Wait(self._late()) from None
        except (self._httpx.HTTPError, self._httpx.StreamError) as error:
            if is_tls_failure(error):
                reason = "its TLS certificate is not valid for it, or cannot be checked here"
                raise ChatError(f"the server cannot be trusted: {reason}", "refused") from None
            told = f"the server cannot be reached ({type(error).__name__})"
            raise _Wait(ChatError(told, "unreachable")) from None
        return _parse(content)

    def _read(self, response: Any, deadline: float) -> bytes:
        content = bytearray()
        for piece in response.iter_bytes():
            content += piece
            if len(content) > _MAX_BODY_BYTES:
                raise ChatError("the server's answer is longer than 16 MiB")
            if time.monotonic() > deadline:
                raise _Wait(self._late())
        return bytes(content)

    def _late(self) -> ChatError:
        return ChatError(f"the server did not answer within {self._timeout_s:g} s", "unreachable")


class _Pace:
    """Lets requests start one at a time, so many seconds apart, and all wait when one must."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, stop: threading.Event) -> bool:
        """Wait for a turn; False when told to stop."""
        while not stop.is_set():
            with self._lock:
                now = time.monotonic()
                if now >= self._next:
                    self._next = now + self._delay_s
                    return True
                left = self._next - now
            stop.wait(left)
        return False

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


def _check_status(status: int, headers: Mapping[str, str]) -> None:
    if status == HTTPStatus.OK:
        return
    if status in _NO_USE:
        raise ChatError(f"{_NO_USE[status]} (HTTP {status})", "refused")
    if 300 <= status < 400:
        told = "it redirects, which is never followed; give the address it leads to"
        raise ChatError(f"{told} (HTTP {status})", "refused")
    told = f"the server answered HTTP {status} {_phrase(status)}".rstrip()
    if status not in _AGAIN:
        raise ChatError(told, "rejected")
    wait_s = retry_after_s(headers.get("retry-after"))
    if wait_s is not None and wait_s > _LONGEST_WAIT_S:
        raise ChatError(f"the server wants to be left alone for {wait_s:.0f} s (HTTP {status})")
    raise _Wait(ChatError(told), wait_s)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _parse(content: bytes) -> ChatReply:
    try:
        document = json.loads(content)
        choice = document["choices"][0]
        text = choice["message"]["content"]
    except (ValueError, TypeError, LookupError, RecursionError):
        text = None
    if not isinstance(text, str):
        told = "the server's answer is not that of an OpenAI-compatible API"
        raise _Wait(ChatError(f"{told}: it has no choices[0].message.content"))
    usage = document.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    reason, model = choice.get("finish_reason"), document.get("model")
    return ChatReply(
        text,
        reason if isinstance(reason, str) else None,
        _count(usage.get("prompt_tokens")),
        _count(usage.get("completion_tokens")),
        model[:200] if isinstance(model, str) else None,
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**53 else None
