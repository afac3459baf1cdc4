"""The files of a run that only its log vouches for: measurements, reports, checkpoints."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from forgelm.compliance.artefacts._json_document import DocumentError, read_document
from forgelm.compliance.artefacts._model_files import digest_file, is_no_plain_file, list_folder

__all__ = [
    "RESULT_FOLDERS",
    "RUN_FILES",
    "check_checkpoints",
    "check_run_files",
    "list_run_files",
    "problem_with_run_file",
]

RUN_FILES = ("data_audit_findings.parquet", "data_audit_report.json", "metrics.jsonl", "run.json")
RESULT_FOLDERS = ("benchmark", "judge", "safety")

_GROWS = "metrics.jsonl"  # its last events come after the log recorded it
_CHECKPOINT = re.compile(r"checkpoint-\d{1,12}")
_MANIFEST = "checkpoint_manifest.json"


def list_run_files(run_dir: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return name, SHA-256 and size of what a run leaves beside its documents and its model.

    Of a checkpoint it is the manifest, which has the digests of the rest. Links are left out.

    Raises:
        OSError: A file cannot be read.
    """
    folder = Path(run_dir)
    names = list(RUN_FILES)
    for name in RESULT_FOLDERS:
        if (folder / name).is_dir():
            names += [f"{name}/{below}" for below in list_folder(folder / name).files]
    names += [f"{path.name}/{_MANIFEST}" for path in _checkpoints(folder)]
    found = []
    for name in names:
        if (folder / name).is_file() and not (folder / name).is_symlink():
            digest, size = digest_file(folder / name)
            found.append({"file": name, "sha256": digest, "size_bytes": size})
    return found


def check_run_files(
    run_dir: Path, recorded: Mapping[str, tuple[str, int]]
) -> Iterator[tuple[str, str | None]]:
    """Yield the name of each recorded file, and what is wrong with it.

    A checkpoint that is gone is none of them: which are kept is for the retention to say.

    Raises:
        OSError: A file may not be read, or the disk fails.
    """
    for name, (digest, size) in sorted(recorded.items()):
        if not name.endswith(f"/{_MANIFEST}") or (run_dir / name).parent.is_dir():
            yield name, problem_with_run_file(run_dir / name, digest, size)


def problem_with_run_file(path: Path, digest: str, size: int) -> str | None:
    """Return what is wrong with a file whose SHA-256 and size the log recorded."""
    try:
        found, _ = digest_file(path, at_most=size if path.name == _GROWS else None)
    except FileNotFoundError:
        return "the audit log recorded it, and it is gone"
    except OSError as error:
        if not is_no_plain_file(error):
            raise
        return "it is not a regular file"
    if found == digest:
        return None
    return "it is not the one whose SHA-256 the audit log recorded: it was altered"


def check_checkpoints(run_dir: Path) -> Iterator[tuple[str, str | None]]:
    """Yield the name of each finished checkpoint, and what is not as its manifest says.

    Raises:
        OSError: A file may not be read, or the disk fails.
    """
    for folder in _checkpoints(run_dir):
        if os.path.lexists(folder / _MANIFEST):
            problems = _problems_of_checkpoint(folder)
            if os.path.lexists(folder / _MANIFEST):  # a run that goes on deletes old ones
                yield folder.name, "; ".join(problems[:5]) or None


def _checkpoints(run_dir: Path) -> list[Path]:
    found = [path for path in run_dir.iterdir() if _CHECKPOINT.fullmatch(path.name)]
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


def _problems_of_checkpoint(folder: Path) -> list[str]:
    try:
        listed = read_document(folder / _MANIFEST).content.get("files")
    except (DocumentError, OSError) as error:
        return [f"{_MANIFEST}: {error}"]
    if not isinstance(listed, dict) or not all(isinstance(one, dict) for one in listed.values()):
        return [f"{_MANIFEST} lists no files"]
    content = list_folder(folder)
    odd = [*content.links, *content.others]
    problems = [f"{name!a} is a link or a special file" for name in odd]
    problems += [f"{name!a} was removed" for name in sorted(listed.keys() - {*content.files, *odd})]
    for name in content.files:
        if name == _MANIFEST:
            continue
        entry = listed.get(name)
        if entry is None:
            problems.append(f"{name!a} was added")
        elif digest_file(folder / name)[0] != entry.get("sha256"):
            problems.append(f"{name!a} was altered")
    return problems
