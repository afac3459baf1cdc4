"""The checks of `preflight`, each a view of one thing: data, model, schedule, machine, packages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forgelm._core import is_installed, require
from forgelm.data import SourceSample, hold_out_count, one_sided
from forgelm.data_audit import mask_pii, mask_secrets
from forgelm.trainer.backend import Machine, free_disk_bytes
from forgelm.trainer.planning._memory_estimate import MemoryEstimate
from forgelm.trainer.planning._model_files import ModelFiles
from forgelm.trainer.planning._preflight_report import PreflightFinding, Severity

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = [
    "data_findings",
    "disk_findings",
    "installed_versions",
    "masked_sample",
    "memory_findings",
    "model_findings",
    "package_findings",
    "planned_steps",
    "precision_findings",
    "schedule_findings",
]

Findings = Iterator[PreflightFinding]

_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "peft", "trl")
_SHOWN_CHARS = 400
_MASKED_CHARS = 20_000
_LOST_SHARE_WARNED = 0.05
_CHAT_FORMATS = ("messages", "conversations", "user_assistant")


def data_findings(samples: Sequence[SourceSample], config: ForgeConfig) -> Findings:
    """Yield what is wrong with rows, and what truncation takes from them."""
    if not samples:
        text = "the data is not on this machine, or was not looked at: its rows are unknown"
        yield _found("note", "data.dataset_name_or_path", text)
    for sample in samples:
        if sample.problem:
            yield _found("error", sample.key, sample.problem)
        lost = sample.lost_tokens / max(sample.trainable_tokens, 1)
        if sample.lengths and sample.dropped_rows == len(sample.lengths):
            text = f"of {sample.name}, no row looked at keeps a trainable token; raise it"
            fails = sample.is_whole and sample.split == "train"
            yield _found("error" if fails else "warning", "model.max_length", text)
        elif sample.dropped_rows or lost > _LOST_SHARE_WARNED:
            yield _found(
                "warning",
                "model.max_length",
                f"of {sample.name}, {config.model.max_length} tokens cut {sample.truncated_rows} "
                f"of the {len(sample.lengths)} rows looked at, {sample.dropped_rows} of them so "
                f"that nothing is left to learn, and {100 * lost:.0f} % of the trainable tokens; "
                "raise it or shorten the rows",
            )
    labels = [sample.labels for sample in samples if sample.split == "train" and sample.labels]
    is_whole = all(sample.is_whole for sample in samples)
    if is_whole and labels:
        problem = one_sided(sum(good for good, _ in labels), sum(bad for _, bad in labels))
        if problem:
            yield _found("error", "data.dataset_name_or_path", problem)
    if is_whole and _train_rows(samples) == 1 and not _has_validation(samples):
        text = "there is one row and no validation split: nothing can be held out; add rows"
        yield _found("error", "data.dataset_name_or_path", text)


def model_findings(
    files: ModelFiles | None, config: ForgeConfig, samples: Sequence[SourceSample]
) -> Findings:
    """Yield what the model's files say against this data and these settings."""
    key = "model.name_or_path"
    if files is None:
        text = "the model is not on this machine: its size, template and tokens are unknown"
        yield _found("note", key, text)
        return
    positions = files.size("max_position_embeddings")
    if positions and config.model.max_length > positions:
        text = f"is {config.model.max_length}, and the model takes {positions} tokens"
        yield _found("warning", "model.max_length", text)
    chats = any(sample.format in _CHAT_FORMATS for sample in samples)
    if files.template is None and chats:
        text = (
            "the data has conversations and the model has no chat template; take its instruct or "
            "chat variant"
        )
        yield _found("error", key, text)
    elif files.template is not None and not files.marks_answers and chats:
        text = (
            "the chat template does not mark the assistant's answers with {% generation %}: they "
            "are found by comparing renderings, which is slower"
        )
        yield _found("note", key, text)


def precision_findings(config: ForgeConfig, machine: Machine) -> Findings:
    """Yield how the base model would be loaded, where that is not as the configuration says."""
    key = "load_in_8bit" if config.model.load_in_8bit else "load_in_4bit"
    if not getattr(config.model, key) or config.lora.method in {"full", "pissa"}:
        return
    if machine.device != "cuda":
        missing = f"{key} needs an NVIDIA GPU, and there is none here"
    elif not is_installed("bitsandbytes"):
        missing = f"{key} needs the package bitsandbytes, which is not installed"
    else:
        return
    if key in config.model.model_fields_set:
        yield _found("error", f"model.{key}", f"{missing}; set it to false")
    else:
        yield _found("note", f"model.{key}", f"{missing}; the model is loaded in {machine.dtype}")


def planned_steps(config: ForgeConfig, samples: Sequence[SourceSample]) -> int | None:
    """Return the optimizer steps of the run, None where the number of rows is not known."""
    training = config.training
    if training.max_steps > 0:
        return training.max_steps
    rows = _train_rows(samples)
    if rows is None or not all(sample.is_whole for sample in samples) or training.packing:
        return None
    if not _has_validation(samples):
        rows -= hold_out_count(rows)
    batches = math.ceil(rows / training.per_device_train_batch_size)
    return training.num_train_epochs * math.ceil(batches / training.gradient_accumulation_steps)


def schedule_findings(
    config: ForgeConfig, samples: Sequence[SourceSample], steps: int | None
) -> Findings:
    """Yield what of batches, evaluation and early stopping cannot act in so many steps."""
    training = config.training
    rows_a_step = training.per_device_train_batch_size * training.gradient_accumulation_steps
    rows = _train_rows(samples)
    if rows and rows < rows_a_step and all(sample.is_whole for sample in samples):
        text = f"a step takes {rows_a_step} rows and there are {rows}: every epoch is one step"
        yield _found("warning", "training.gradient_accumulation_steps", text)
    if steps is None:
        return
    if training.eval_steps > steps and "eval_steps" in training.model_fields_set:
        text = (
            f"is {training.eval_steps}, and the run has {steps} steps: it is evaluated at its end "
            "alone, and cannot stop early"
        )
        yield _found("warning", "training.eval_steps", text)
    elif training.early_stopping_patience * training.eval_steps >= steps:
        text = (
            f"{training.early_stopping_patience} evaluations of {training.eval_steps} steps are "
            f"more than the run's {steps} steps: it cannot stop early"
        )
        yield _found("note", "training.early_stopping_patience", text)


def installed_versions() -> dict[str, str | None]:
    """Return the installed release of each package that training needs."""
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def package_findings(versions: dict[str, str | None]) -> Findings:
    """Yield the packages that are missing, or of a release that is not supported."""
    missing = [name for name, installed in versions.items() if installed is None]
    if missing:
        text = f"{', '.join(missing)} not installed; run pip install 'forgelm[train]'"
        yield _found("error", "", text)
    if not is_installed("packaging"):
        return
    requirements = require("packaging.requirements", extra="train", feature="Checking releases")
    try:
        wanted = [requirements.Requirement(line) for line in requires("forgelm") or ()]
    except PackageNotFoundError:  # run from its sources
        return
    for one in wanted:
        installed = versions.get(one.name)
        marker = str(one.marker or "")
        if installed and "train" in marker and not one.specifier.contains(installed, True):
            text = f"{one.name} {installed} is not {one.specifier}; pip install 'forgelm[train]'"
            yield _found("error", "", text)


def disk_findings(config: ForgeConfig, memory: MemoryEstimate) -> Findings:
    """Yield whether checkpoints and final model fit on the disk."""
    if not memory.parts:
        return
    key = "training.output_dir"
    trained = 4 * memory.trainable_parameters
    checkpoints = (config.training.save_total_limit + 1) * (trained + memory.parts["optimizer"])
    merged = memory.parts["weights"] if config.training.merge_adapters else 0
    needed = checkpoints + trained + merged
    free = free_disk_bytes(Path(config.training.output_dir))
    if needed > free:
        text = f"about {_size(needed)} are written and {_size(free)} are free on that disk"
        yield _found("error", key, f"{text}; choose another, or lower save_total_limit")
    elif needed > free / 2:
        yield _found("warning", key, f"about {_size(needed)} of {_size(free)} free are written")


def memory_findings(config: ForgeConfig, memory: MemoryEstimate, machine: Machine) -> Findings:
    """Yield whether the run fits into memory: an error only where the weights alone do not."""
    key = "training.per_device_train_batch_size"
    if memory.outlook == "unknown" or memory.free_bytes is None:
        text = f"whether it fits into memory is unknown: {memory.reason or 'no size is known'}"
        yield _found("note", key, text)
        return
    free = f"{_size(memory.free_bytes)} are free on {machine.name}"
    strategy = config.distributed.strategy if config.distributed else None
    shards = strategy in {"fsdp", "deepspeed"}  # a process holds a part of the weights only
    if memory.parts["weights"] > memory.free_bytes and not shards:
        text = f"its weights alone take {_size(memory.parts['weights'])}, and {free}"
        yield _found("error", "model.name_or_path", f"{text}; take a smaller model")
        return
    if memory.outlook == "fits":
        return
    recovers = config.training.oom_recovery
    advice = "" if recovers else "; lower it, or set training.oom_recovery: true"
    says = "will hardly fit" if memory.outlook == "will not fit" else "may be tight"
    needed = f"about {_size(memory.total_bytes)} are needed for rows of {memory.tokens} tokens"
    text = f"the run {says}: {needed}, and {free}{advice}"
    yield _found("warning", key, text)


def masked_sample(first: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a row to show: personal data and secrets masked, long texts and lists cut."""
    return None if first is None else {key: _shown(value) for key, value in first.items()}


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        masked = mask_secrets(mask_pii(value[:_MASKED_CHARS]))
        return masked if len(masked) <= _SHOWN_CHARS else masked[:_SHOWN_CHARS] + " …"
    if isinstance(value, dict):
        return {str(key)[:40]: _shown(item) for key, item in list(value.items())[:20]}
    if isinstance(value, list | tuple):
        return [_shown(item) for item in value[:20]]
    return value


def _train_rows(samples: Sequence[SourceSample]) -> int | None:
    rows = [sample.rows - sample.dropped_rows for sample in samples if sample.split == "train"]
    return sum(rows) if rows else None


def _has_validation(samples: Sequence[SourceSample]) -> bool:
    return any(sample.split == "validation" for sample in samples)


def _size(number: int) -> str:
    return f"{number / 2**30:.1f} GB" if number >= 2**29 else f"{number / 2**20:.0f} MB"


def _found(severity: Severity, path: str, message: str) -> PreflightFinding:
    return PreflightFinding(severity, path, message)
