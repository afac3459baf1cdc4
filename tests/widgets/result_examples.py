"""One result of every public kind, with the texts and the counts that a test wants in it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from forgelm import (
    AuditDiff,
    DedupSummary,
    ExportResult,
    MaskSummary,
    MemoryEstimate,
    MergeResult,
    PreflightFinding,
    PreflightReport,
    RunStatus,
    SplitSummary,
)
from forgelm.installation import DoctorCheck, DoctorReport
from forgelm.trainer.backend import Machine
from forgelm_widgets._runs import RunList

__all__ = ["results_saying"]


def results_saying(text: str) -> dict[str, Any]:
    """Return one result of each kind in which every free text is `text`."""
    return {
        **_copies(text),
        **_models(text),
        **_verdicts(text),
        **_machines(text),
    }


def _copies(text: str) -> dict[str, Any]:
    lines = tuple(f"{text} {n}" for n in range(3))
    return {
        "MaskSummary": MaskSummary(text, text, (text,), 412, 9, {text: 14}, 25, lines),
        "DedupSummary": DedupSummary(
            text, text, (text,), text, 412, 400, {text: 10}, {"test": 2}, 25, lines, (text,)
        ),
        "SplitSummary": SplitSummary(
            text, text, {text: text, "test": text}, {text: 90, "test": 10}, 0, (text,)
        ),
        "AuditDiff": AuditDiff(
            text,
            text,
            (
                SimpleNamespace(section="pii", name=text, before=16, after=0, delta=-16),
                SimpleNamespace(section="rows", name="train", before=380, after=380, delta=0),
            ),  # type: ignore[arg-type]
        ),
    }


def _models(text: str) -> dict[str, Any]:
    status = RunStatus(
        run_id=text,
        state="stalled",
        run_dir=text,
        model=text,
        step=3,
        max_steps=12,
        loss=2.5,
        message=text,
        checkpoint=text,
        started_at=1.8e9,
        updated_at=1e300,
        pid=7,
        host=text,
    )
    run = _like("Run", status=lambda: status, run_dir=Path("/nowhere"))
    return {
        "ExportResult": ExportResult(
            Path("/m") / text, text, text, 290, 1_240_000_000, text, Path("/m/d"), 3e-4, 1e-3
        ),
        "MergeResult": MergeResult(Path("/m") / text, "adapter", (text, text)),
        "Run": run,
        "RunStatus": status,
        "RunList": RunList([status]),
    }


def _verdicts(text: str) -> dict[str, Any]:
    says = {"valid": False, "reason": text, "altered": True, "notes": [text]}
    return {
        "VerifyAnnexIVResult": _like(
            "VerifyAnnexIVResult",
            **says,
            missing_fields=[text],
            manifest_hash_actual=text,
            manifest_hash_expected=None,
        ),
        "VerifyIntegrityResult": _like(
            "VerifyIntegrityResult",
            **says,
            added=[text],
            changed=[text],
            removed=[text],
            links=[text],
            files_checked=3,
        ),
        "VerifyGgufResult": _like(
            "VerifyGgufResult", **says, checks={"magic_ok": True, text: text}
        ),
    }


def _machines(text: str) -> dict[str, Any]:
    machine = Machine("cuda", text, "bfloat16", 2**36, 2**35)
    memory = MemoryEstimate("tight", {"weights": 2**31, text: 2**30}, 2**35)
    return {
        "PreflightReport": PreflightReport(
            findings=(PreflightFinding("error", text, text), PreflightFinding("note", "", text)),
            machine=machine,
            memory=memory,
            versions={text: text, "trl": None},
            planned_steps=120,
        ),
        "DoctorReport": DoctorReport(
            checks=(DoctorCheck("disk", "problem", text), DoctorCheck(text, "ok", text)),
            versions={},
            missing={},
            machine=machine,
            folder=text,
            free_disk_bytes=72 * 10**9,
            offline=True,
            model_cache=text,
            operator=text,
        ),
    }


def _like(name: str, **attributes: Any) -> Any:
    """Return an object whose class has the name of a public one."""
    return type(name, (SimpleNamespace,), {})(**attributes)
