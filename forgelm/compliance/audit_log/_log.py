"""The tamper-evident log of what a run did, as Article 12 of the EU AI Act asks for.

Source: Regulation (EU) 2024/1689, Article 12 (record-keeping).
"""

from __future__ import annotations

import functools
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm.compliance.audit_log._entry import encode, seal
from forgelm.compliance.audit_log._fields import strict_fields
from forgelm.compliance.audit_log._group import GroupStore
from forgelm.compliance.audit_log._keys import KeyRing
from forgelm.compliance.audit_log._operator import resolve_operator
from forgelm.compliance.audit_log._personal import ERASED, Kept, PersonalFile
from forgelm.compliance.audit_log._shielded import run_shielded
from forgelm.compliance.audit_log._store import LogStore
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
        group_commit: Flush the events of many threads and processes at once: each waits a little
            longer, all of them together take much less time. The log stays open between events.

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

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        run_id: str | None = None,
        *,
        group_commit: bool = False,
    ) -> None:
        self.run_id = f"fg-{secrets.token_hex(6)}" if run_id is None else run_id
        if not isinstance(self.run_id, str) or not self.run_id:
            raise TypeError("run_id must be a non-empty string, or None to have one made")
        self.operator = resolve_operator()
        self.path = Path(output_dir) / _LOG_NAME
        self.lock_wait_s = 30.0
        self._process = os.getpid()
        keys = KeyRing.from_environment()
        compose = functools.partial(_compose, self.run_id, self.operator, keys)
        store = GroupStore if group_commit else LogStore
        self._personal = PersonalFile(self.path)
        self._store = store(self.path, self.run_id, keys, compose)

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
        kept: list[Kept] = []
        name, safe = event, strict_fields(fields, kept)
        unsaved = [*kept]

        def write(cancelled: Callable[[], bool]) -> None:
            if unsaved:
                self._personal.add(unsaved)
                unsaved.clear()
            self._store.append(name, safe, wait_s=self.lock_wait_s, cancelled=cancelled)

        try:
            self._run(write, f"The event {event!r} was not recorded")
        except BaseException:
            if kept:
                with suppress(OSError):
                    self._personal.erase(lambda one: one in kept)
            raise

    def rotate(self) -> Path:
        """Archive the log beside itself, and return the name; the next event begins a new file.

        The archived file ends with `audit.log_rotated`, the new one begins with
        `audit.log_continued`, which names the other's last line: `verify_audit_log` follows it.

        Raises:
            AuditLogError: There is no event yet, or a file could not be renamed.
        """
        archives: list[Path] = []
        self._run(
            lambda cancelled: archives.append(
                self._store.rotate(wait_s=self.lock_wait_s, cancelled=cancelled)
            ),
            "The log was not archived",
        )
        return archives[0]

    def erase_personal_data(self, value: Any, *, reason: str | None = None) -> int:
        """Erase every stored copy of a `Personal` value, and return how many there were.

        The lines of the log stay as they are; an event `audit.personal_data_erased` names the
        commitments that nothing stands behind any more. Copies in backups, and blocks that the
        disk has not overwritten yet, are beyond reach.

        Raises:
            AuditLogError: The erasure could not be recorded; nothing was erased then.
        """
        plain = strict_fields({"value": value})["value"]
        erased = [one for one in self._personal if one.value == plain]
        if erased:
            commitments = [one.commitment for one in erased]
            self.log_event(ERASED, commitments=commitments, reason=reason)
            self._personal.erase(lambda one: one.commitment in set(commitments))
        return len(erased)

    def _run(self, task: Callable[[Callable[[], bool]], None], failure: str) -> None:
        """Run a task on the files where no signal handler can come in between."""
        if os.getpid() != self._process:
            raise AuditLogError(
                f"This AuditLogger for {self.path} was made in another process. Construct a new "
                "AuditLogger in each forked child."
            )
        try:
            run_shielded(task)
        except AuditLogError:
            raise
        except OSError as error:
            where = error.filename or self.path
            raised = AuditLogError(
                f"{failure}: {where}: {error.strerror or error}. "
                "Once the cause is gone, log it again."
            )
            raised.errno = error.errno
            raise raised from error
        finally:
            while self._store.messages:
                _LOGGER.log(*self._store.messages.popleft())


def _compose(
    run_id: str,
    operator: str,
    keys: KeyRing,
    event: str,
    fields: Mapping[str, Any],
    prev_hash: str,
) -> bytes:
    key_id = keys.key_id
    payload = encode(
        {
            "timestamp": datetime.now(UTC).isoformat(timespec="microseconds"),
            "run_id": run_id,
            "operator": operator,
            "event": event,
            "prev_hash": prev_hash,
            **fields,
            **({} if key_id is None else {"_kid": key_id}),
        }
    )
    signer = keys.signer(run_id, key_id) if keys.secret else None
    return payload if signer is None else seal(payload, "_hmac", signer.tag(payload))
