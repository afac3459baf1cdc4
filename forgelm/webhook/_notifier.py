"""`WebhookNotifier`: messages handed over in no time and delivered by a thread of its own."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from forgelm.webhook._clean import Cleaner, secrets_of
from forgelm.webhook._delivery import Delivery, deliver
from forgelm.webhook._payload import EVENTS, Notice, PayloadFormat, build_body, format_for

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["WebhookNotifier", "WebhookOutcome"]

logger = logging.getLogger(__name__)

_WAITING = 32
_SECRET_VARIABLES = ("HUGGINGFACE_TOKEN", "HF_TOKEN", "FORGELM_AUDIT_SECRET")


@dataclass(frozen=True)
class WebhookOutcome:
    """What became of one message.

    Attributes:
        notice: The message, for example "training.start".
        status: "delivered", "failed", or "dropped" (too many were waiting).
        reason: Why it was not delivered; no secret and no more of the address than its host.
        http_status: What the receiver answered, if it did.
        payload_format: The shape that was sent.
        duration_s: From the first try to the last answer.
        tries: How often it was posted.
    """

    notice: str
    status: Literal["delivered", "failed", "dropped"]
    reason: str | None = None
    http_status: int | None = None
    payload_format: PayloadFormat = "generic"
    duration_s: float = 0.0
    tries: int = 0


class WebhookNotifier:
    """Tells a chat channel or a service how a run is going, as the block `webhook` says.

    No method raises, and none but `flush` waits: messages go out one after the other on a daemon
    thread, each within `webhook.timeout` seconds all told; a receiver that is busy or away is tried
    again within that time. Without a block `webhook`, or without an
    address in it, nothing is sent.

    Args:
        config: The configuration. Every secret in it, or in a variable that it names, is masked in
            every message.
        payload_format: Shape of the body; by default the receiver's host decides.
        on_outcome: Called with what became of each message, mostly on another thread. What it
            raises is only logged.

    Example:
        >>> from forgelm.config import ForgeConfig
        >>> config = ForgeConfig(
        ...     model={"name_or_path": "my/model"},
        ...     lora={},
        ...     training={},
        ...     data={"dataset_name_or_path": "train.jsonl"},
        ... )
        >>> notifier = WebhookNotifier(config)
        >>> notifier.notify_start("nightly")
        >>> notifier.flush()
        True
    """

    def __init__(
        self,
        config: ForgeConfig,
        *,
        payload_format: PayloadFormat | None = None,
        on_outcome: Callable[[WebhookOutcome], object] | None = None,
    ) -> None:
        self._settings = settings = config.webhook
        self._url = ""
        if settings is not None and settings.url is not None:
            self._url = settings.url.get_secret_value()
        elif settings is not None and settings.url_env is not None:
            self._url = os.environ.get(settings.url_env, "").strip()
            if not self._url:
                logger.warning("no webhook message is sent: %s is not set", settings.url_env)
        self._format: PayloadFormat = payload_format or format_for(self._url)
        standing = [os.environ.get(name, "") for name in _SECRET_VARIABLES]
        self._cleaner = Cleaner([*secrets_of(config), *standing, self._url])
        self._on_outcome = on_outcome
        self._renew()

    def notify_start(self, run_name: str) -> None:
        """Say that training begins."""
        if self._settings is not None and self._settings.notify_on_start:
            self._hand_over("start", run_name)

    def notify_success(
        self,
        run_name: str,
        metrics: Mapping[str, float] | None = None,
        *,
        model_path: str | None = None,
    ) -> None:
        """Say that training ended well, with its figures."""
        if self._settings is not None and self._settings.notify_on_success:
            self._hand_over("success", run_name, metrics, model_path=model_path)

    def notify_failure(
        self, run_name: str, reason: str, *, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Say that training failed, and why."""
        if self._settings is not None and self._settings.notify_on_failure:
            self._hand_over("failure", run_name, metrics, reason=reason)

    def notify_reverted(
        self, run_name: str, reason: str, *, metrics: Mapping[str, float] | None = None
    ) -> None:
        """Say that a gate rejected the model, and why. `notify_on_failure` covers it."""
        if self._settings is not None and self._settings.notify_on_failure:
            self._hand_over("reverted", run_name, metrics, reason=reason)

    def notify_awaiting_approval(
        self,
        run_name: str,
        model_path: str | None = None,
        *,
        metrics: Mapping[str, float] | None = None,
        reason: str | None = None,
    ) -> None:
        """Say that the model waits for a person. `notify_on_success` covers it."""
        if self._settings is not None and self._settings.notify_on_success:
            self._hand_over(
                "awaiting_approval", run_name, metrics, reason=reason, model_path=model_path
            )

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until every message is delivered or given up; say whether that is so.

        Args:
            timeout_s: Longest wait; by default the time that two messages may take, or one where
                only one is left, and a second.
        """
        if self._settings is None:
            return True
        with self._changed:
            usual = min(self._open, 2) * self._settings.timeout + 1.0
            longest = usual if timeout_s is None else timeout_s
            return self._changed.wait_for(lambda: self._open == 0, timeout=max(longest, 0.0))

    def _hand_over(
        self,
        kind: str,
        run_name: Any,
        metrics: Any = None,
        *,
        reason: Any = None,
        model_path: Any = None,
    ) -> None:
        event = EVENTS[kind]
        if not self._url:
            return
        try:
            if os.getpid() != self._process:
                self._renew()
            notice = Notice(event, run_name, dict(metrics or {}), reason, model_path)
            with self._changed:
                self._open += 1
            try:
                self._waiting.put_nowait(notice)
                self._start()
            except BaseException:
                self._done()
                raise
        except queue.Full:
            self._tell(WebhookOutcome(event.event, "dropped", f"{_WAITING} messages are waiting"))
        except Exception as error:  # noqa: BLE001 - a message is never worth a run
            self._tell(WebhookOutcome(event.event, "failed", type(error).__name__))

    def _renew(self) -> None:
        """Begin with nothing waiting and no thread, as after a fork."""
        self._process = os.getpid()
        self._waiting: queue.Queue[Notice] = queue.Queue(_WAITING)
        self._changed = threading.Condition()
        self._open = 0
        self._thread: threading.Thread | None = None

    def _start(self) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="forgelm-webhook", daemon=True
                )
                self._thread.start()

    def _serve(self) -> None:
        while True:
            notice = self._waiting.get()
            try:
                self._tell(self._deliver(notice))
            finally:
                self._done()

    def _done(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _deliver(self, notice: Notice) -> WebhookOutcome:
        assert self._settings is not None
        began = time.monotonic()
        try:
            body = build_body(notice, self._format, self._cleaner)
            done = deliver(self._url, body, self._settings, self._cleaner)
        except Exception as error:  # noqa: BLE001 - a message is never worth a run
            done = Delivery(reason=type(error).__name__)
        return WebhookOutcome(
            notice.kind.event,
            "delivered" if done.reason is None else "failed",
            done.reason,
            done.http_status,
            self._format,
            round(time.monotonic() - began, 3),
            done.tries,
        )

    def _tell(self, outcome: WebhookOutcome) -> None:
        if outcome.status != "delivered":
            logger.warning(
                "webhook message %s %s: %s", outcome.notice, outcome.status, outcome.reason
            )
        if self._on_outcome is None:
            return
        try:
            self._on_outcome(outcome)
        except Exception:
            logger.exception("what became of a webhook message could not be recorded")
