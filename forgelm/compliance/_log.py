"""The tamper-evident log of what a run did, as Article 12 of the EU AI Act asks for.

Source: Regulation (EU) 2024/1689, Article 12 (record-keeping).
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm.compliance._chain import SECRET_VARIABLE, tag
from forgelm.compliance._entry import encode, seal
from forgelm.compliance._fields import strict_fields
from forgelm.compliance._operator import resolve_operator
from forgelm.compliance._shielded import run_shielded
from forgelm.compliance._store import LogStore
from forgelm.errors import AuditLogError

__all__ = ["AuditLogger"]

_LOGGER = logging.getLogger("forgelm.compliance")
_LOG_NAME = "audit_log.jsonl"


class AuditLogger:
    """Appends events to `<output_dir>/audit_log.jsonl`, each chained to the one before.

    Threads, processes and signal handlers may log to one folder at once. A child made by
    `os.fork` constructs its own logger. No file is written before the first event.

    Args:
        output_dir: The run's folder; made with the first event where it is missing.
        run_id: Name of the run, on every line; "fg-" and 12 hex digits when not given.

    Attributes:
        run_id: Name of the run.
        operator: Who is acting; see `FORGELM_OPERATOR`.
        path: The log file.
        lock_wait_s: How long `log_event` waits for other writers, seconds.

    Raises:
        ConfigError: Nobody can be named as the operator.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     logger = AuditLogger(folder, run_id="fg-0123456789ab")
        ...     logger.log_event("training.started", model="tiny")
        ...     logger.path.read_text()[-28:]
        '"genesis", "model": "tiny"}\\n'
    """

    def __init__(self, output_dir: str | os.PathLike[str], run_id: str | None = None) -> None:
        self.run_id = f"fg-{secrets.token_hex(6)}" if run_id is None else run_id
        if not isinstance(self.run_id, str) or not self.run_id:
            raise TypeError("run_id must be a non-empty string, or None to have one made")
        self.operator = resolve_operator()
        self.path = Path(output_dir) / _LOG_NAME
        self.lock_wait_s = 30.0
        self._process = os.getpid()
        self._secret = os.environ.get(SECRET_VARIABLE) or None
        self._store = LogStore(self.path, self.run_id, self._secret, self._compose)

    def __repr__(self) -> str:
        return f"AuditLogger({str(self.path.parent)!r}, run_id={self.run_id!r})"

    def log_event(self, event: str | None = None, /, **fields: Any) -> None:
        """Append one event; it is on the disk when this returns, and not in the log if it raises.

        Args:
            event: Its name, for example "training.started"; any name is accepted.
            **fields: What belongs to it. Any value becomes strict JSON. A name that the line itself
                uses (timestamp, run_id, operator, event, prev_hash, _hmac) gets `field_` before it.

        Raises:
            AuditLogError: It could not be written, or the log on the disk must be repaired first;
                an `OSError` that names the next step.
        """
        if event is None:
            event = fields.pop("event", None)
        if not isinstance(event, str) or not event:
            raise TypeError("log_event needs the event's name, a non-empty string, first")
        if os.getpid() != self._process:
            raise AuditLogError(
                f"This AuditLogger for {self.path} was made in another process. Construct a new "
                "AuditLogger in each forked child."
            )
        name, safe = event, strict_fields(fields)
        try:
            run_shielded(
                lambda cancelled: self._store.append(
                    name, safe, wait_s=self.lock_wait_s, cancelled=cancelled
                )
            )
        except AuditLogError:
            raise
        except OSError as error:
            raise self._failure(name, error) from error
        finally:
            while self._store.messages:
                _LOGGER.log(*self._store.messages.popleft())

    def _compose(self, event: str, fields: Mapping[str, Any], prev_hash: str) -> bytes:
        payload = encode(
            {
                "timestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
                "run_id": self.run_id,
                "operator": self.operator,
                "event": event,
                "prev_hash": prev_hash,
                **fields,
            }
        )
        if self._secret is None:
            return payload
        return seal(payload, "_hmac", tag(self._secret, self.run_id, payload))

    def _failure(self, event: str, cause: OSError) -> AuditLogError:
        where = cause.filename or self.path
        error = AuditLogError(
            f"The event {event!r} was not recorded: {where}: {cause.strerror or cause}. "
            "Once the cause is gone, log it again."
        )
        error.errno = cause.errno
        return error
