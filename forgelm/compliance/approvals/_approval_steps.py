"""The steps of a decision on a staged model: what is checked before it, what is moved after it."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path

from forgelm.compliance.approvals._approval_requests import Request
from forgelm.compliance.approvals._approval_results import ApprovalResult, Decision
from forgelm.compliance.artefacts import (
    INTEGRITY_FILE,
    DocumentError,
    check_model_folder,
    digests,
    read_document,
)
from forgelm.compliance.audit_log import sync_folder

__all__ = ["alteration", "carry_out", "missing", "obstacle"]


def missing(request: Request) -> str | None:
    """Say that there is no staged model any more."""
    if request.is_staged:
        return None
    return f"there is no {request.staged.name} in the run directory: the staged model is gone"


def alteration(request: Request) -> str | None:
    """Say how the staged model differs from its manifest, or from this run's line in the log."""
    result = check_model_folder(request.staged, None)
    if not result.valid:
        return f"the staged model is not the one that was judged: {result.reason}"
    if not request.artifacts:
        return "the log recorded no files of this model: nothing shows that it was the one judged"
    try:
        manifest = read_document(request.staged / INTEGRITY_FILE).content
    except (DocumentError, FileNotFoundError):
        return f"{INTEGRITY_FILE} was changed while it was read"
    named = {name: digest.lower() for name, digest in digests(manifest.get("artifacts"))}
    if named != request.artifacts:
        return f"{INTEGRITY_FILE} is not the one whose files the log recorded for this run"
    return None


def obstacle(request: Request, decision: Decision) -> str | None:
    """Say what stands where the model, or the one before it, has to go."""
    parents = {"granted": ("earlier",), "rejected": ("rejected", f"rejected/{request.run_id}")}
    for name in parents[decision]:
        path = request.run_dir / name
        if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            return f"{path} is not a folder but a link or a file; move it away"
    return None


def carry_out(request: Request, decision: Decision, result: ApprovalResult) -> ApprovalResult:
    """Move the staged model to where the decision sends it."""
    earlier: Path | None = None
    if decision == "granted":
        target = request.final
        if os.path.lexists(target):
            before = request.run_dir / "earlier" / f"before-{request.run_id}"
            earlier = _moved(target, _free(before, target.name))
    else:
        target = _free(request.run_dir / "rejected" / request.run_id, request.final.name)
    _moved(request.staged, target)
    return replace(result, decided=True, model_path=target, earlier_path=earlier)


def _free(folder: Path, name: str) -> Path:
    """Return a path `name` in `folder`, or in a folder numbered after it, where nothing stands."""
    number = 1
    place = folder
    while os.path.lexists(place / name) or place.is_symlink():
        number += 1
        place = folder.with_name(f"{folder.name}-{number}")
    return place / name


def _moved(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)
    for folder in {source.parent, target.parent, target.parent.parent}:
        sync_folder(folder)
    return target
