"""The files of a run directory, and reading them while another process writes them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from forgelm._core import EXIT_FILE, RUN_FILE, STATUS_FILE, read_document, write_json_atomic
from forgelm.runs._progress import METRICS_FILE

__all__ = [
    "CHECKPOINT_MANIFEST",
    "EXIT_FILE",
    "LOG_FILE",
    "METRICS_FILE",
    "RUN_FILE",
    "STATUS_FILE",
    "STOP_FILE",
    "create_whole",
    "move_aside",
    "read_document",
    "replace_quickly",
]

STOP_FILE = "STOP"
LOG_FILE = "stdout.log"
CHECKPOINT_MANIFEST = "checkpoint_manifest.json"

_EARLIER = "earlier"


def replace_quickly(path: Path, document: dict[str, Any]) -> None:
    """Replace a file that nobody needs after a power cut, without waiting for the disk."""
    written = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    written.write_text(json.dumps(document, allow_nan=False), encoding="utf-8")
    os.replace(written, path)


def create_whole(path: Path, document: dict[str, Any]) -> None:
    """Write a file that nobody sees before it is whole, unless there is one already.

    Raises:
        FileExistsError: There is one.
    """
    written = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    write_json_atomic(written, document)
    try:
        os.link(written, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(17, "exists", str(path)) from None
        os.rename(written, path)
    finally:
        written.unlink(missing_ok=True)


def move_aside(run_dir: Path, paths: list[Path], label: str) -> Path:
    """Move files of `run_dir` into a new folder below `earlier/`, and return that folder."""
    name = label if re.fullmatch(r"\w[\w.-]{0,80}", label) else "unknown-run"
    target = run_dir / _EARLIER / name
    number = 1
    while True:
        try:
            target.mkdir(parents=True)
            break
        except FileExistsError:
            number += 1
            target = run_dir / _EARLIER / f"{name}-{number}"
    for path in paths:
        path.rename(target / path.name)
    return target
