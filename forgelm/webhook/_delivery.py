"""Posting one message: tried again while the receiver is busy or away, within one deadline."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forgelm._core import UnreachableError, post
from forgelm.errors import ForgeError

if TYPE_CHECKING:
    from forgelm.config import WebhookConfig
    from forgelm.webhook._clean import Cleaner

__all__ = ["Delivery", "deliver"]

_TRIES = 4
_FIRST_PAUSE_S = 0.5
_AGAIN = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Delivery:
    """How posting a message ended.

    Attributes:
        http_status: What the receiver answered, if it did.
        reason: Why it did not take the message; None where it did.
        pause_s: How long to wait before the next try; None where there is no use in one.
        tries: How many there were.
    """

    http_status: int | None = None
    reason: str | None = None
    pause_s: float | None = None
    tries: int = 0


def deliver(url: str, body: bytes, settings: WebhookConfig, cleaner: Cleaner) -> Delivery:
    """Post a message and return how that ended, after `webhook.timeout` seconds at the latest.

    A receiver that is away, or answers 408, 425, 429, 500, 502, 503 or 504, is tried up to four
    times, after half a second, one and two, or as long as its `Retry-After` says.
    """
    if settings.require_https and not url.lower().startswith("https://"):
        return Delivery(reason="the address is not https, as webhook.require_https demands")
    ends = time.monotonic() + settings.timeout
    tries = 0
    while True:
        done = _try(url, body, settings, cleaner, max(ends - time.monotonic(), 0.001), tries + 1)
        if done.pause_s is None or done.tries == _TRIES:
            return done
        pause_s = max(done.pause_s, _FIRST_PAUSE_S * 2**tries)
        if time.monotonic() + pause_s >= ends:
            return done
        time.sleep(pause_s)
        tries = done.tries


def _try(
    url: str,
    body: bytes,
    settings: WebhookConfig,
    cleaner: Cleaner,
    deadline_s: float,
    number: int,
) -> Delivery:
    try:
        answer = post(
            url,
            body,
            content_type="application/json; charset=utf-8",
            deadline_s=deadline_s,
            allow_private=settings.allow_private_destinations,
            ca_bundle=settings.tls_ca_bundle,
        )
    except (ForgeError, ValueError, OSError) as error:
        again = 0.0 if isinstance(error, UnreachableError) else None
        return Delivery(None, cleaner.text(error, 300), again, number)
    if 200 <= answer.status < 300:
        return Delivery(answer.status, tries=number)
    if 300 <= answer.status < 400:
        told = "the receiver redirects, which is never followed"
        return Delivery(answer.status, told, tries=number)
    again = (answer.retry_after_s or 0.0) if answer.status in _AGAIN else None
    return Delivery(answer.status, f"the receiver answered HTTP {answer.status}", again, number)
