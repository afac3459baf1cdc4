"""One result of every public kind, with the texts and the counts that a test wants in it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from result_evidence import evaluations, evidence

from forgelm import (
    AuditDiff,
    AuditReport,
    CheckpointSummary,
    DedupSummary,
    DoctorCheck,
    DoctorReport,
    ExportResult,
    MaskSummary,
    MemoryEstimate,
    MergeResult,
    PreflightFinding,
    PreflightReport,
    ProgressEvent,
    QuickstartResult,
    Run,
    RunStatus,
    SeedFailure,
    SplitSummary,
    SyntheticResult,
    TrainResult,
    Verdict,
    VerifyAnnexIVResult,
    VerifyGgufResult,
    VerifyIntegrityResult,
    VerifyResult,
    describe_config,
    find_pii,
    list_quality_checks,
    parse_config,
    quality_flags,
    read_findings,
)
from forgelm.trainer.backend import Machine
from forgelm_widgets._runs import RunList

__all__ = ["lists_saying", "results_saying", "write_run"]

SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_CONFIG = """
model: {name_or_path: %s}
lora: {r: 8, alpha: 16}
training: {output_dir: runs/support, num_train_epochs: 2, learning_rate: 1.0e-4}
data: {dataset_name_or_path: data/support}
"""


def results_saying(text: str, folder: Path) -> dict[str, Any]:
    """Return one result of each kind in which every free text is `text`.

    Args:
        text: Any text, hostile ones included.
        folder: Where the files are that some results are read from; `write_run` fills it.
    """
    return {
        **_copies(text),
        **_models(text, folder),
        **_verdicts(text),
        **_machines(text),
        **evidence(text),
        **evaluations(text),
        **_read(text, folder),
    }


def lists_saying(text: str) -> dict[str, list[Any]]:
    """Return one list of each kind that a public function returns."""
    return {
        "Checkpoint": [evidence(text)["Checkpoint"]],
        "Finding": find_pii("Write to ana@example.com or bo@example.com."),
        "PendingApproval": [evidence(text)["PendingApproval"]] * 2,
        "QualityCheck": list_quality_checks()[:3],
        "QualityFlag": quality_flags("1 + 1 = 2, 2 + 2 = 4."),
        "Verdict": [Verdict("loss", "passed"), Verdict("safety", "failed", text)],
    }


def write_run(folder: Path, text: str) -> Path:
    """Write a run that failed and a findings file into a folder, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(event.to_json()) + "\n" for event in _events(300, text)]
    (folder / "metrics.jsonl").write_text("".join(lines), "utf-8")
    documents = {
        "run.json": {
            "run_id": "fg-4be1c02f77aa",
            "config": {"model": {"name_or_path": text}},
            "started_at": 1.8e9,
            "pid": 7,
            "host": text,
        },
        "status.json": {"step": 300, "max_steps": 1200, "loss": 1.64, "eval_loss": 1.81},
        "exit.json": {"state": "failed", "error": text, "time": 1.8e9 + 150},
    }
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document), "utf-8")
    row = {"tier": "medium", "split": text, "file": text, "column": "messages[].content"}
    findings = [
        {"kind": "email", **row, "row": n, "start": 9, "end": 26, "excerpt": text} for n in range(8)
    ]
    lines = [json.dumps(finding) + "\n" for finding in findings]
    (folder / "data_audit_findings.jsonl").write_text("".join(lines), "utf-8")
    return folder


def _events(steps: int, text: str) -> list[ProgressEvent]:
    events = []

    def tell(kind: Any, step: int, message: str | None = None, **metrics: float) -> None:
        when = 1.8e9 + 0.5 * step
        place = (kind, "fg-4be1c02f77aa", len(events), when, step, steps, 2 * step / steps)
        events.append(ProgressEvent(*place, metrics, message))

    tell("train_begin", 0)
    for step in range(1, steps + 1):
        wave = 0.12 * math.sin(2.3 * step) + 0.1 * math.sin(0.7 * step)
        loss = 1.6 + 3.4 * math.exp(-4 * step / steps) + wave
        tell("log", step, loss=loss, learning_rate=2e-4 * (1 - step / steps))
        if step % 30 == 0:
            tell("evaluate", step, eval_loss=loss + 0.2 - wave)
    tell("train_end", steps, text)
    return events


def _copies(text: str) -> dict[str, Any]:
    lines = (f"{text}: no JSON object",)
    changes = (
        SimpleNamespace(section="pii", name=text, before=16, after=0, delta=-16),
        SimpleNamespace(section="rows", name="train", before=380, after=380, delta=0),
    )
    return {
        "MaskSummary": MaskSummary(
            text, text, (text,), 412, 9, {"email": 11, text: 3}, 1, lines
        ),
        "DedupSummary": DedupSummary(
            text, text, (text,), text, 412, 400, {text: 10}, {"test": 2}, 1, lines, (text,)
        ),
        "SplitSummary": SplitSummary(
            text, text, {text: text, "test": text}, {text: 90, "test": 10}, 0, (text,)
        ),
        "AuditDiff": AuditDiff(text, text, changes),  # type: ignore[arg-type]
        "SyntheticResult": SyntheticResult(
            text, text, "messages", 120, 112, 40, {"too short": 5, text: 1}, 2, 0, 9000, 31000,
            False, Verdict("synthetic", "passed"), [SeedFailure(text, text)],
        ),
    }  # fmt: skip


def _models(text: str, folder: Path) -> dict[str, Any]:
    status = RunStatus(
        run_id="fg-4be1c02f77aa",
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
    return {
        "ExportResult": ExportResult(
            Path("/m") / text, "f16", text, 290, 1_240_000_000, SHA, Path("/m/d"), 3e-4, 1e-3
        ),
        "MergeResult": MergeResult(Path("/m") / text, "adapter", (text, text)),
        "Run": Run(folder),
        "RunStatus": status,
        "RunList": RunList([status]),
        "TrainResult": train_result(text, folder),
        "CheckpointSummary": CheckpointSummary(
            text, "keep-best", False, ["checkpoint-90"], ["checkpoint-30"], {}, {text: text}, 10**9
        ),
    }


def train_result(text: str, folder: Path) -> TrainResult:
    """Return a training that went well, with the curves that lie in `folder`."""
    return TrainResult(
        success=True,
        metrics={"eval_loss": 1.92, "baseline_eval_loss": 5.1, "train_loss": 2.2},
        final_model_path=text,
        resource_usage={"training_duration_seconds": 84.2},
        verdicts=[Verdict("loss", "passed", "1.92 is below 2.5"), Verdict("x", "skipped", text)],
        run_dir=str(folder),
    )


def _verdicts(text: str) -> dict[str, Any]:
    return {
        "VerifyResult": VerifyResult(False, 9, 7, reason=text, last_hash=SHA, remarks=(text,)),
        "VerifyAnnexIVResult": VerifyAnnexIVResult(
            False, text, ["system_purpose", text], SHA, SHA, True, [text]
        ),
        "VerifyIntegrityResult": VerifyIntegrityResult(
            False, text, [text], [text], [], [], 14, True, [text]
        ),
        "VerifyGgufResult": VerifyGgufResult(
            False, text, {"magic_ok": True, "tensor_count": 290, text: text}
        ),
    }


def _machines(text: str) -> dict[str, Any]:
    machine = Machine("cuda", text, "bfloat16", 2**36, 2**35)
    memory = MemoryEstimate("tight", {"weights": 2**31, text: 2**30}, 2**35, 3_400_000, 2048)
    return {
        "MemoryEstimate": memory,
        "PreflightReport": PreflightReport(
            findings=(
                PreflightFinding("error", "model.max_length", text),
                PreflightFinding("note", "", text),
            ),
            machine=machine,
            memory=memory,
            versions={"torch": "2.13.0", "trl": None},
            planned_steps=120,
        ),
        "DoctorReport": DoctorReport(
            checks=(DoctorCheck("disk", "problem", text), DoctorCheck("torch", "ok", text)),
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


def audit_report(text: str) -> AuditReport:
    """Return an audit with a finding of most sorts."""
    lengths = {"min": 3, "max": 90, "mean": 40.0, "p50": 38, "p95": 80}
    found, tiers = {"email": 14, "credit_card": 2}, {"credit_card": "critical", "email": "medium"}
    stats = {"text_length": lengths, "pii_counts": found, "secrets_counts": {}, "columns": [text]}
    pair = {"leaked_rows_in_train": 1, "leak_rate_train": 0.0026}
    pair |= {"leaked_rows_in_test": 1, "leak_rate_test": 0.03125}
    return AuditReport(
        generated_at="2026-01-02T03:04:05+00:00",
        source_path=text,
        source_input=text,
        total_samples=412,
        splits={
            "train": {**stats, "sample_count": 380, "parse_errors": 1},
            "test": {**stats, "sample_count": 32, "null_or_empty_count": 2},
        },
        cross_split_overlap={"pairs": {"train__test": pair}},
        pii_summary=found,
        pii_severity={
            "worst_tier": "critical",
            "by_type": {kind: {"count": found[kind], "tier": tiers[kind]} for kind in found},
        },
        near_duplicate_summary={"pairs_per_split": {"train": 5, "test": 0}},
        secrets_summary={"aws_access_key": 1},
        notes=[text],
    )


def _read(text: str, folder: Path) -> dict[str, Any]:
    report = audit_report(text)
    root = Path(text or "run")
    printable = "".join(character for character in text if character.isprintable())
    config = parse_config(_CONFIG % json.dumps(printable or "x"))
    return {
        "AuditReport": report,
        "ForgeConfig": config,
        "ConfigField": next(each for each in describe_config().children if each.name == "lora"),
        "FindingsFile": read_findings(folder),
        "QuickstartResult": QuickstartResult(
            run_dir=root,
            model_path=text,
            data_path=root,
            masked_path=root,
            config_path=root,
            audit_before=report,
            masked=MaskSummary(text, text, (text,), 412, 9, {"email": 14}, 0, ()),
            audit_after=report,
            training=train_result(text, folder),
            verification=VerifyResult(True, 14, last_hash=SHA),
        ),
    }


def _like(name: str, **attributes: Any) -> Any:
    """Return an object whose class has the name of a public one."""
    return type(name, (SimpleNamespace,), {})(**attributes)
