"""The whole job, from a data set with faults in it to a trained model with a verified record."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm._core import require, write_atomic, write_json_atomic
from forgelm.compliance import VerifyResult, verify_audit_log
from forgelm.config import ForgeConfig
from forgelm.data_audit import AuditReport, MaskSummary, audit_dataset, mask_dataset
from forgelm.errors import ConfigError
from forgelm.quickstart._corpus import write_support_corpus
from forgelm.quickstart._tiny_model import build_tiny_model, single_threaded
from forgelm.results import TrainResult
from forgelm.trainer import ForgeTrainer, Listener

__all__ = ["QuickstartResult", "run_quickstart"]

_LOG = logging.getLogger("forgelm.quickstart")
_STEPS = 120


@dataclass(frozen=True)
class QuickstartResult:
    """Everything a quickstart found, made and verified.

    Attributes:
        run_dir: The fresh folder that holds all of the paths below.
        model_path: The base model: the tiny one built here, or the one that was asked for.
        data_path: The data set as it was.
        masked_path: The data set that was trained on.
        config_path: The configuration as YAML; `forgelm train` repeats the training with it.
        audit_before: What the audit found in the data set as it was.
        masked: What was masked.
        audit_after: What the audit found after masking.
        training: What training gave.
        verification: Whether the record of the training holds.
    """

    run_dir: Path
    model_path: str
    data_path: Path
    masked_path: Path
    config_path: Path
    audit_before: AuditReport
    masked: MaskSummary
    audit_after: AuditReport
    training: TrainResult
    verification: VerifyResult


def run_quickstart(
    output_dir: str | Path = "forgelm-quickstart",
    *,
    model: str | None = None,
    data: str | Path | None = None,
    max_steps: int | None = None,
    listeners: Sequence[Listener] = (),
) -> QuickstartResult:
    """Audit, mask, train and verify, offline and in about a minute on a laptop.

    Args:
        output_dir: Each call makes a new folder in it (`run-001`, `run-002`, ...) and touches
            nothing else.
        model: A model's folder or Hub name. Left out, a tiny model is built on the spot.
        data: A file or a folder of splits, of any type that `audit_dataset` reads. Left out, a
            support data set is written.
        max_steps: Optimizer steps; 120 when left out.
        listeners: Called with each `ProgressEvent` of the training.

    Raises:
        ConfigError: The model's folder is not there, or `max_steps` is below 1.
        DataError: The data set is not there or cannot be used.
        OptionalDependencyError: The `train` extra is not installed.
        OSError: `output_dir` cannot be written.
    """
    named = _checked_model(model, max_steps)
    require("torch", extra="train", feature="The quickstart")
    before = audit_dataset(data) if data is not None else None
    run_dir = _fresh_folder(Path(output_dir).resolve())
    data_path = Path(data).resolve() if data is not None else write_support_corpus(run_dir / "data")
    _LOG.info("Auditing and masking %s", data_path)
    before = before or audit_dataset(data_path)
    masked_path = run_dir / "data_masked" / (data_path.name if data_path.is_file() else "")
    masked = mask_dataset(data_path, masked_path)
    after = audit_dataset(masked_path)
    _write_report(before, run_dir / "audit_before")
    _write_report(after, run_dir / "audit_after")
    if named is None:
        _LOG.info("Building a tiny language model")
    model_path = named or str(build_tiny_model(run_dir / "model"))
    config = _config(run_dir, model_path, masked_path, max_steps or _STEPS, tiny=named is None)
    config_path = run_dir / "config.yaml"
    write_atomic(config_path, config.to_yaml())
    _LOG.info("Training")
    with single_threaded() if named is None else contextlib.nullcontext():
        training = _train(config, listeners)
    return QuickstartResult(
        run_dir=run_dir,
        model_path=model_path,
        data_path=data_path,
        masked_path=masked_path,
        config_path=config_path,
        audit_before=before,
        masked=masked,
        audit_after=after,
        training=training,
        verification=verify_audit_log(str(run_dir / "training" / "audit_log.jsonl")),
    )


def _checked_model(model: str | None, max_steps: int | None) -> str | None:
    """Return the model's absolute path or Hub name; refuse what could only fail later."""
    folder = Path(model).expanduser() if model is not None else None
    issues = []
    if max_steps is not None and max_steps < 1:
        issues.append(("training.max_steps", f"{max_steps} is below 1"))
    if folder is not None and _is_path(str(model)) and not (folder / "config.json").is_file():
        issues.append(("model.name_or_path", f"there is no model in the folder {model!r}"))
    if issues:
        raise ConfigError(issues=issues)
    return str(folder.resolve()) if folder is not None and folder.is_dir() else model


def _train(config: ForgeConfig, listeners: Sequence[Listener]) -> TrainResult:
    trainer = ForgeTrainer(config)
    for listener in listeners:
        trainer.subscribe(listener)
    return trainer.train()


def _is_path(model: str) -> bool:
    """Tell a folder from a Hub name, which is `name` or `owner/name`."""
    return model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model


def _write_report(report: AuditReport, folder: Path) -> None:
    folder.mkdir()
    write_json_atomic(folder / "data_audit_report.json", report.to_dict())


def _fresh_folder(parent: Path) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        folder = parent / f"run-{number:03d}"
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            break
    return folder


def _config(run_dir: Path, model: str, data: Path, max_steps: int, *, tiny: bool) -> ForgeConfig:
    eval_steps = max(1, max_steps // 6)
    sections: dict[str, Any] = {
        "model": {
            "name_or_path": model,
            "max_length": 512,
            "load_in_4bit": False,
            "offline": Path(model).is_dir(),
        },
        "lora": {"r": 8, "alpha": 16},
        "data": {"dataset_name_or_path": str(data)},
        "training": {
            "output_dir": str(run_dir / "training"),
            "max_steps": max_steps,
            "per_device_train_batch_size": 2,
            "gradient_accumulation_steps": 4,
            "learning_rate": 2e-4,
            "eval_steps": eval_steps,
            "save_steps": 3 * eval_steps,
            "report_to": "none",
        },
    }
    if tiny:
        # A model this small takes a rate that would ruin a real one.
        sections["lora"] |= {"dropout": 0.0, "target_modules": "all-linear"}
        sections["training"] |= {
            "per_device_train_batch_size": 8,
            "gradient_accumulation_steps": 1,
            "learning_rate": 5e-3,
        }
    return ForgeConfig(**sections)
