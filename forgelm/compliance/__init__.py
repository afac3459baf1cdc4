"""The tamper-evident record of a run, and the proof that nobody altered it."""

from forgelm.compliance._log import AuditLogger
from forgelm.compliance._operator import resolve_operator
from forgelm.compliance._results import VerifyResult
from forgelm.compliance._verify_log import verify_audit_log

__all__ = ["AuditLogger", "VerifyResult", "resolve_operator", "verify_audit_log"]
