"""A person's decision on a staged model: recorded first, then carried out.

The event comes before the renames, so that no model stands in use without one. A call that is
repeated after a crash finds the event and carries out what is left.

Source: Regulation (EU) 2024/1689, Article 14 (human oversight).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from forgelm.compliance.approvals._approval_requests import (
    ATTEMPTED,
    GRANTED,
    REJECTED,
    Request,
    Requests,
    read_requests,
    require_log,
)
from forgelm.compliance.approvals._approval_results import ApprovalResult, Decision
from forgelm.compliance.approvals._approval_steps import alteration, carry_out, missing, obstacle
from forgelm.compliance.artefacts import INTEGRITY_FILE, digest_file
from forgelm.compliance.audit_log import (
    AuditLogger,
    file_lock,
    open_regular,
    read_at,
    resolve_operator,
    write_at,
)
from forgelm.errors import ConfigError

__all__ = ["approve_model", "reject_model"]

_LOCK_FILE = ".approval.lock"
_LOCK_WAIT_S = 5.0
_MAX_NAME_BYTES = 300
_EVENTS: dict[Decision, str] = {"granted": GRANTED, "rejected": REJECTED}
_TORN = "the next AuditLogger will set it aside"
_VERBS = {GRANTED: "approved", REJECTED: "rejected"}


@dataclass(frozen=True)
class _Call:
    """What a person asks for."""

    decision: Decision
    approver: str
    comment: str
    four_eyes: bool


def approve_model(
    run_dir: str | os.PathLike[str],
    *,
    approver: str | None = None,
    comment: str = "",
    run_id: str | None = None,
    four_eyes: bool = False,
) -> ApprovalResult:
    """Put a staged model into use, as a named person's decision, and say what became of it.

    Its files are held to `model_integrity.json` and to the run's audit log first. The event
    `human_approval.granted` is recorded, then the model becomes `final_model/`; what stood there
    moves to `earlier/`. Called again after a crash, it carries out what is left.

    Args:
        run_dir: The folder of the run.
        approver: Who decides; `FORGELM_OPERATOR`, else `user@host`, when not given.
        comment: What belongs to the decision; credentials in it are masked.
        run_id: Which model, where several wait.
        four_eyes: Refuse whoever trained the model.

    Returns:
        The outcome. An altered model or log, another person's decision, and nothing waiting are
        outcomes, too.

    Raises:
        ConfigError: The approver cannot be named.
        DataError: The folder holds no audit log.
        ValueError: Several models wait and `run_id` names none of them.
        OSError: The decision could not be recorded, or a folder not be moved; repeat the call.
    """
    call = _Call("granted", _named(approver), _masked(comment), four_eyes)
    return _decide(run_dir, call, run_id)


def reject_model(
    run_dir: str | os.PathLike[str],
    *,
    reason: str,
    approver: str | None = None,
    run_id: str | None = None,
    four_eyes: bool = False,
) -> ApprovalResult:
    """Send a staged model to quarantine, as a named person's decision, and say what became of it.

    The event `human_approval.rejected` is recorded, then the model moves to `rejected/<run id>/`.
    The model in use stays. An altered model can be rejected; an altered log decides nothing.

    Args:
        run_dir: The folder of the run.
        reason: Why; credentials in it are masked.
        approver: Who decides; `FORGELM_OPERATOR`, else `user@host`, when not given.
        run_id: Which model, where several wait.
        four_eyes: Refuse whoever trained the model.

    Returns:
        The outcome, as `approve_model` has it.

    Raises:
        ConfigError: The approver cannot be named.
        DataError: The folder holds no audit log.
        ValueError: There is no reason; or several models wait and `run_id` names none of them.
        OSError: The decision could not be recorded, or the folder not be moved; repeat the call.
    """
    if not reason.strip():
        raise ValueError("a rejection needs a reason: say what is wrong with the model")
    call = _Call("rejected", _named(approver), _masked(reason), four_eyes)
    return _decide(run_dir, call, run_id)


def _named(approver: str | None) -> str:
    name = (resolve_operator() if approver is None else approver).strip()
    if not name or not name.isprintable() or len(name) > 200 or name.startswith("anonymous@"):
        raise ConfigError(
            "A decision on a model needs the name of a person. Set FORGELM_OPERATOR, or pass "
            "approver=, to one line that names who decides."
        )
    return name


def _masked(text: str) -> str:
    from forgelm.data_audit import mask_secrets

    return mask_secrets(text.strip())


def _decide(run_dir: str | os.PathLike[str], call: _Call, run_id: str | None) -> ApprovalResult:
    folder = Path(run_dir).absolute()
    require_log(folder)  # nothing is written into any other folder
    try:
        with _only_one(folder, call.approver):
            requests = _recovered(read_requests(folder), call)
            if not requests.verdict.valid:
                reason = f"the audit log {requests.log} is altered: {requests.verdict.reason}"
                return ApprovalResult(False, reason=reason, altered=True)
            request = _chosen(requests, run_id)
            if request is None:
                return ApprovalResult(False, reason="no model in this run waits for approval")
            return _settled(request, call)
    except TimeoutError:
        other = _lock_holder(folder)
        reason = f"{other} is deciding in this run right now; look again in a moment"
        return ApprovalResult(False, reason=reason)


def _recovered(requests: Requests, call: _Call) -> Requests:
    """Have the logger set aside what a killed process left half written at the end of the log."""
    if requests.verdict.valid or _TORN not in str(requests.verdict.reason):
        return requests
    AuditLogger(requests.log.parent).log_event(ATTEMPTED, approver=call.approver)
    return read_requests(requests.log.parent)


@contextmanager
def _only_one(folder: Path, approver: str) -> Iterator[None]:
    descriptor = open_regular(folder / _LOCK_FILE, os.O_RDWR | os.O_CREAT)
    try:
        with file_lock(descriptor, wait_s=_LOCK_WAIT_S):
            write_at(descriptor, approver.encode().ljust(_MAX_NAME_BYTES * 4), 0)
            yield
    finally:
        os.close(descriptor)


def _lock_holder(folder: Path) -> str:
    descriptor = open_regular(folder / _LOCK_FILE, os.O_RDONLY)
    try:
        name = read_at(descriptor, _MAX_NAME_BYTES * 4, 0).decode("utf-8", "replace").strip()
    finally:
        os.close(descriptor)
    return name if name.isprintable() and name else "somebody else"


def _chosen(requests: Requests, run_id: str | None) -> Request | None:
    if run_id is not None:
        chosen = [one for one in requests.all if one.run_id == run_id]
        if not chosen:
            raise ValueError(f"no model of a run {run_id!a} waits or waited in {requests.log}")
        return chosen[0]
    waiting = requests.open
    if len(waiting) > 1:
        names = ", ".join(one.run_id for one in waiting)
        raise ValueError(f"several models wait: {names}. Pass run_id= (--run-id) to say which")
    newest = requests.all[-1] if requests.all else None
    return waiting[0] if waiting else newest


def _settled(request: Request, call: _Call) -> ApprovalResult:
    """Record the decision, unless there is one, and carry it out."""
    base = ApprovalResult(False, run_id=request.run_id, gate=_gate(request))
    if request.decision is not None:
        return _already_decided(request, call, base)
    problem = request.problem() or missing(request) or _same_eyes(request, call)
    if problem:
        return replace(base, reason=problem, altered=request.problem() is not None)
    if call.decision == "granted":
        altered = alteration(request)
        if altered:
            return replace(base, reason=altered, altered=True, model_path=request.staged)
    problem = obstacle(request, call.decision)
    if problem:
        return replace(base, reason=problem)
    _record(request, call)
    decided = replace(base, decision=call.decision, approver=call.approver)
    return carry_out(request, call.decision, decided)


def _already_decided(request: Request, call: _Call, base: ApprovalResult) -> ApprovalResult:
    event = request.decision or {}
    decision: Decision = "granted" if event["event"] == GRANTED else "rejected"
    approver = str(event.get("approver") or event.get("operator"))
    when = str(event.get("timestamp"))
    base = replace(base, decision=decision, approver=approver, decided_at=when)
    told = f"{approver} {_VERBS[_EVENTS[decision]]} the model of {request.run_id} at {when}"
    problem = request.problem()
    if problem or not request.is_staged:
        return replace(base, reason=problem or told, altered=problem is not None)
    if call.decision != decision:
        verb = "approve" if decision == "granted" else "reject"
        return replace(base, reason=f"{told}; call {verb} again to finish moving the model")
    altered = alteration(request) if decision == "granted" else None
    problem = altered or obstacle(request, decision)
    if problem:
        return replace(base, reason=f"{told}, but {problem}", altered=altered is not None)
    done = replace(base, notes=(f"{told}. The model had not been moved yet; it is now.",))
    return carry_out(request, decision, done)


def _gate(request: Request) -> str | None:
    gate = request.event.get("gate")
    return gate if isinstance(gate, str) else None


def _same_eyes(request: Request, call: _Call) -> str | None:
    trainer = str(request.event.get("operator"))
    deciding = {call.approver.casefold(), resolve_operator().casefold()}
    if not call.four_eyes or trainer.casefold() not in deciding:
        return None
    return f"{trainer} trained this model, so somebody else has to decide on it"


def _record(request: Request, call: _Call) -> None:
    manifest = request.staged / INTEGRITY_FILE
    digest = digest_file(manifest)[0] if manifest.is_file() else None
    AuditLogger(request.run_dir, run_id=request.run_id).log_event(
        _EVENTS[call.decision],
        gate=request.event.get("gate"),
        approver=call.approver,
        **({"comment": call.comment} if call.decision == "granted" else {"reason": call.comment}),
        staging_path=request.event.get("staging_path"),
        model_integrity_sha256=digest,
    )
