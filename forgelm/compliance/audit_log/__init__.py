"""Writing the audit log so that nothing is lost, and reading it byte by byte."""

from __future__ import annotations

from forgelm.compliance.audit_log._blocks import LongLine
from forgelm.compliance.audit_log._expected import Expected, change_since, read_expected
from forgelm.compliance.audit_log._files import (
    create_durably,
    open_regular,
    read_at,
    sync_folder,
    write_at,
)
from forgelm.compliance.audit_log._keys import SECRET_VARIABLE, KeyRing
from forgelm.compliance.audit_log._lock import file_lock
from forgelm.compliance.audit_log._log import AuditLogger
from forgelm.compliance.audit_log._operator import resolve_operator
from forgelm.compliance.audit_log._parts import Link, archived_parts, base_of, link_of
from forgelm.compliance.audit_log._personal import Personal
from forgelm.compliance.audit_log._results import LogHead, VerifyResult
from forgelm.compliance.audit_log._snapshot import Snapshot, UnreadableError, snapshot_of
from forgelm.compliance.audit_log._verification import Verification, Walk

__all__ = [
    "SECRET_VARIABLE",
    "AuditLogger",
    "Expected",
    "KeyRing",
    "Link",
    "LogHead",
    "LongLine",
    "Personal",
    "Snapshot",
    "UnreadableError",
    "Verification",
    "VerifyResult",
    "Walk",
    "archived_parts",
    "base_of",
    "change_since",
    "create_durably",
    "file_lock",
    "link_of",
    "open_regular",
    "read_at",
    "read_expected",
    "resolve_operator",
    "snapshot_of",
    "sync_folder",
    "write_at",
]
