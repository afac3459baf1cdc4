"""`list_approvals`: the staged models that wait for a person."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from forgelm.compliance.approvals._approval_requests import Request, read_requests
from forgelm.compliance.approvals._approval_results import PendingApproval
from forgelm.compliance.artefacts import find_log
from forgelm.errors import DataError

__all__ = ["list_approvals"]

_MAX_DEPTH = 4
_MAX_MANIFEST_BYTES = 1024 * 1024


def list_approvals(
    folder: str | os.PathLike[str] = ".", *, ttl_days: int | None = None
) -> list[PendingApproval]:
    """Return the staged models below a folder that wait for a person, the longest waiting first.

    Args:
        folder: A run directory, or a folder that holds some, up to four levels down. Links are
            not followed.
        ttl_days: How long a model may wait before it is said to be overdue. Left out, the run's
            own `retention.staging_ttl_days` counts.

    Returns:
        One entry for each, and one with a `problem` for each run whose log is altered.

    Raises:
        DataError: There is no such folder.
        OSError: A log cannot be read.
    """
    top = Path(folder)
    if not top.is_dir():
        raise DataError(f"{os.fspath(folder)}: there is no such folder. Correct the path.")
    found = [one for run_dir in _run_dirs(top, _MAX_DEPTH) for one in _pending(run_dir, ttl_days)]
    return sorted(found, key=lambda one: (one.requested_at or "", str(one.run_dir)))


def _run_dirs(folder: Path, depth: int) -> Iterator[Path]:
    if find_log(folder) is not None:
        yield folder
        return
    try:
        below = sorted(path for path in folder.iterdir() if not path.is_symlink() and path.is_dir())
    except PermissionError:
        return
    for path in below if depth else ():
        yield from _run_dirs(path, depth - 1)


def _pending(run_dir: Path, ttl_days: int | None) -> Iterator[PendingApproval]:
    requests = read_requests(run_dir)
    if not requests.verdict.valid:
        problem = f"the audit log is altered: {requests.verdict.reason}"
        yield PendingApproval(run_dir, problem=problem)
    for request in requests.open:
        yield _described(run_dir, request, ttl_days)


def _described(run_dir: Path, request: Request, ttl_days: int | None) -> PendingApproval:
    event = request.event
    metrics = event.get("metrics")
    age = _age_days(event.get("timestamp"))
    allowed = _ttl_days(run_dir, request.run_id) if ttl_days is None else ttl_days
    return PendingApproval(
        run_dir=run_dir,
        run_id=request.run_id,
        gate=_text(event.get("gate")),
        reason=_text(event.get("reason")),
        metrics=metrics if isinstance(metrics, dict) else {},
        requested_at=_text(event.get("timestamp")),
        requested_by=_text(event.get("operator")),
        staging_path=request.staged,
        age_days=age,
        ttl_days=allowed,
        overdue=age is not None and age > allowed,
        problem=_problem(request),
    )


def _problem(request: Request) -> str | None:
    problem = request.problem()
    if problem or request.decision is None:
        gone = None if request.is_staged else f"{request.staged.name} is gone"
        return problem or gone
    verb = request.decision["event"].rpartition(".")[2]
    who = request.decision.get("approver") or request.decision.get("operator")
    again = "approve" if verb == "granted" else "reject"
    return f"{verb} by {who}, but not moved yet: call {again} again"


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _age_days(timestamp: Any) -> float | None:
    try:
        asked = datetime.fromisoformat(timestamp)
        return round((datetime.now(UTC) - asked).total_seconds() / 86_400, 2)
    except (TypeError, ValueError):
        return None


def _ttl_days(run_dir: Path, run_id: str) -> int:
    """Return the run's own setting, from the manifest that it left; else the default."""
    import yaml

    from forgelm.config import RetentionConfig

    default: int = RetentionConfig.model_fields["staging_ttl_days"].default
    path = run_dir / "compliance" / "training_manifest.yaml"
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_MANIFEST_BYTES:
            return default
        manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
        days = manifest["settings"]["retention"]["staging_ttl_days"]
        known = manifest["run_id"] == run_id
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, RecursionError):
        return default
    return days if known and type(days) is int and days >= 0 else default
