"""A person's decision about a model that waits for it."""

from __future__ import annotations

from forgelm.compliance.approvals._approval_results import ApprovalResult, PendingApproval
from forgelm.compliance.approvals._approvals import list_approvals
from forgelm.compliance.approvals._approve import approve_model, reject_model

__all__ = [
    "ApprovalResult",
    "PendingApproval",
    "approve_model",
    "list_approvals",
    "reject_model",
]
