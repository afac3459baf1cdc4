"""Which files of a run directory are evidence, which only count by their digest, which stay out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from forgelm.compliance.artefacts import (
    COMPLIANCE_FOLDER,
    INTEGRITY_FILE,
    LOG_NAME,
    RESULT_FOLDERS,
    SIGNATURE_FILE,
    list_folder,
)
from forgelm.compliance.audit_log import open_regular
from forgelm.compliance.bundle._bundle_reader import is_plain_name
from forgelm.errors import DataError

__all__ = ["EARLIER", "INDEX_NAME", "MODEL_DOCUMENTS", "BundleContent", "find_content", "log_files"]

INDEX_NAME = "evidence_index.json"
MODEL_DOCUMENTS = (
    INTEGRITY_FILE,
    SIGNATURE_FILE,
    "README.md",
    "deployer_instructions.md",
    "verdicts.json",
)

_FILES = ("data_audit_report.json", "metrics.jsonl", "run.json")
_FOLDERS = (COMPLIANCE_FOLDER, *RESULT_FOLDERS)
_REJECTED = "rejected"
EARLIER = "earlier"
_CHECKPOINT = "checkpoint-"
_PERSONAL = f"{LOG_NAME}.personal.jsonl"
_KEYS = (".key", ".pem")
_SIGNING_KEY = b"PRIVATE+KEY+"
_SCANNED = (".json", ".jsonl", ".md", ".yaml", ".yml", ".txt", ".csv", "")
_MAX_SCANNED_BYTES = 8 * 1024 * 1024


@dataclass
class BundleContent:
    """Names relative to the run directory, with "/", sorted.

    Attributes:
        included: What goes into the bundle.
        digested: What only its digest goes in of, such as weights.
        left_out: What stays out altogether, and why.
    """

    included: list[str] = field(default_factory=list)
    digested: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def find_content(run_dir: Path, *, include_weights: bool) -> BundleContent:
    """Return what of a run directory belongs into its bundle.

    Raises:
        DataError: Links or special files stand where evidence should; all are named.
        OSError: A folder or a file cannot be read.
    """
    content, odd = BundleContent(), list[str]()
    with os.scandir(run_dir) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = run_dir / name
        if name.startswith(LOG_NAME) or name in _FILES or name.endswith(".gguf.sha256"):
            if _is_file(path):
                content.included.append(name)
            elif os.path.lexists(path):  # a log that is rotated meanwhile is under its new name
                odd.append(name)
        elif name.endswith(".gguf"):
            whole = content.included if include_weights else content.digested
            (whole if _is_file(path) else odd).append(name)
        elif name in (*_FOLDERS, _REJECTED, EARLIER) or (
            _is_folder(path) and os.path.lexists(path / INTEGRITY_FILE)
        ):
            _add_folder(content, odd, run_dir, name, include_weights)
    if odd:
        raise DataError(
            f"{run_dir}: links or special files stand where evidence should: "
            f"{', '.join(map(ascii, odd[:20]))}. A bundle holds only the run's own files: put the "
            "files themselves there."
        )
    _leave_out(content, run_dir)
    return content


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _add_folder(
    content: BundleContent, odd: list[str], run_dir: Path, name: str, include_weights: bool
) -> None:
    """Add all of a folder; of one with models, whole or quarantined, only what describes them."""
    if not _is_folder(run_dir / name):
        odd.append(name)
        return
    found = list_folder(run_dir / name)
    odd += [f"{name}/{below}" for below in (*found.links, *found.others)]
    of_models = name not in _FOLDERS
    for below in found.files:
        parts = below.split("/")
        if name == EARLIER and any(part.startswith(_CHECKPOINT) for part in parts):
            continue
        described = parts[-1] in MODEL_DOCUMENTS
        if name == EARLIER:
            described |= parts[-1] in _FILES or COMPLIANCE_FOLDER in parts
        whole = include_weights or described or not of_models
        (content.included if whole else content.digested).append(f"{name}/{below}")


def log_files(run_dir: Path) -> list[str]:
    """Return the names of the log and of what lies beside it, without personal data."""
    names = (name for name in os.listdir(run_dir) if name.startswith(LOG_NAME))
    return sorted(name for name in names if name != _PERSONAL and not name.endswith(_KEYS))


def _leave_out(content: BundleContent, run_dir: Path) -> None:
    for name in content.included:
        reason = _reason_to_leave_out(run_dir, name)
        if reason is not None:
            content.left_out[name] = reason
    if LOG_NAME in content.left_out:
        raise DataError(
            f"{run_dir / LOG_NAME}: {content.left_out[LOG_NAME]}, and without the log there is no "
            "bundle. Hand it over by itself, to those who may see that."
        )
    content.included = sorted(set(content.included) - content.left_out.keys())
    content.digested.sort()


def _reason_to_leave_out(run_dir: Path, name: str) -> str | None:
    if name == _PERSONAL:
        return "personal data, which must stay erasable; the log holds commitments to it"
    if name.endswith(_KEYS):
        return "it may be a key"
    if not is_plain_name(name):
        return "its name is not one that every system can unpack"
    kinds = sorted(set(_secret_kinds(run_dir / name)))
    return f"it seems to hold a credential ({', '.join(kinds)})" if kinds else None


def _secret_kinds(path: Path) -> Iterator[str]:
    """Yield the kinds of credentials in a text file of moderate size."""
    from forgelm.data_audit import detect_secrets

    if path.suffix not in _SCANNED:
        return
    with suppress(FileNotFoundError):  # the log was rotated meanwhile
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as stream:
            text = stream.read(_MAX_SCANNED_BYTES + 1)
        if text.startswith(_SIGNING_KEY):
            yield "signing_key"
        if len(text) <= _MAX_SCANNED_BYTES:
            yield from map(str, detect_secrets(text.decode("utf-8", "replace")))
