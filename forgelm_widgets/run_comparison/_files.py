"""Reading the files of a run directory that anybody may have written."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["find_run_dirs", "mapping", "number", "odd_files", "read_json", "text", "whole"]

_LARGEST_BYTES = 8_000_000
_DEEPEST = 3
_READ_FOR_STATUS = ("run.json", "status.json", "exit.json", "STOP")


def find_run_dirs(folder: Path) -> list[Path]:
    """Return the run directories in `folder` and the two levels below, as `list_runs` finds them.

    Raises:
        NotADirectoryError: There is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(20, "is no folder", str(folder))
    patterns = ("*/" * level + "run.json" for level in range(_DEEPEST))
    return sorted(path.parent for pattern in patterns for path in folder.glob(pattern))


def odd_files(run_dir: Path) -> Iterator[str]:
    """Yield what is wrong with files that would keep a reader waiting: pipes, devices, folders."""
    for name in _READ_FOR_STATUS:
        path = run_dir / name
        if path.exists() and not path.is_file():
            yield f"{name} is no file; remove it"


def read_json(path: Path) -> tuple[dict[str, Any], str | None]:
    """Return the JSON object in a file and None, or an empty one and what is wrong.

    A file that is not there is an empty object, and nothing is wrong with it.
    """
    if not path.exists():
        return {}, None
    if not path.is_file():
        return {}, f"{path.name} is no file"
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_BYTES + 1)
        document = json.loads(data) if len(data) <= _LARGEST_BYTES else None
    except OSError as error:
        return {}, f"{path.name} cannot be read: {error.strerror}"
    except (ValueError, RecursionError):
        return {}, f"{path.name} is not JSON"
    if not isinstance(document, dict):
        return {}, f"{path.name} is no JSON object of less than {_LARGEST_BYTES // 10**6} MB"
    return document, None


def mapping(value: Any) -> Mapping[str, Any]:
    """Return `value` where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str | None:
    """Return `value` where it is a text with something in it, else None."""
    return value if isinstance(value, str) and value else None


def number(value: Any) -> float | None:
    """Return `value` as a float where it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """Return `value` as a count where it is one that a float holds exactly, else None."""
    found = number(value)
    return int(found) if found is not None and 0 <= found < 2**53 else None
