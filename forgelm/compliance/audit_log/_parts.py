"""The files of a rotated log: how they are named, and what a file says of the one before it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgelm.compliance.audit_log._files import open_regular, read_at, sync_folder
from forgelm.compliance.audit_log._head import head_path
from forgelm.compliance.audit_log._sidecar import manifest_path
from forgelm.compliance.audit_log._tail import read_last_line

__all__ = [
    "CONTINUED",
    "ROTATED",
    "Link",
    "archived_parts",
    "base_of",
    "end_of_archive",
    "finish_rotation",
    "link_of",
    "next_part",
]

ROTATED = "audit.log_rotated"
CONTINUED = "audit.log_continued"

_CONTINUED_EVENT = b'"event": "%b"' % CONTINUED.encode()
_BEGINNING_BYTES = 65536
_PART = re.compile(r"(?P<base>.+\.jsonl)\.(?P<number>\d{4,9})")


@dataclass(frozen=True)
class Link:
    """What the first line of a file says of the file it continues.

    Attributes:
        path: That file, beside this one.
        entries: Lines up to its end, those of the files before it included.
        chain_head: SHA-256 of its last line.
        keyed: That line carries a tag.
    """

    path: Path
    entries: int
    chain_head: str
    keyed: bool = False


def base_of(log: Path) -> Path:
    """Return the name that the newest file of a rotated log bears."""
    found = _PART.fullmatch(log.name)
    return log.with_name(found["base"]) if found else log


def archived_parts(log: Path) -> list[Path]:
    """Return the earlier files of the log at `log`, the oldest first."""
    found = {}
    for name in os.listdir(log.parent):
        part = _PART.fullmatch(name)
        if part and part["base"] == log.name:
            found[int(part["number"])] = log.with_name(name)
    return [found[number] for number in sorted(found)]


def next_part(log: Path) -> Path:
    """Return the name that the log at `log` is archived under next."""
    parts = archived_parts(log)
    number = int(parts[-1].name.rpartition(".")[2]) + 1 if parts else 1
    return log.with_name(f"{log.name}.{number:04d}")


def link_of(log: Path, descriptor: int) -> Link | str | None:
    """Return what an open log says it continues, None where it begins, or a clause of what is odd.

    Its first line is not verified here.
    """
    first, newline, _ = read_at(descriptor, _BEGINNING_BYTES, 0).partition(b"\n")
    if not first.startswith(_CONTINUED_EVENT, first.find(b'"event": "')):
        return None
    if not newline:
        return f"it takes more than {_BEGINNING_BYTES} bytes to say what it continues"
    entry = _read(first)
    name, entries, head = (
        entry.get(key) for key in ("previous_file", "previous_entries", "previous_chain_head")
    )
    part = _PART.fullmatch(name) if isinstance(name, str) else None
    if part is None or part["base"] != base_of(log).name or not isinstance(head, str):
        return "it names no earlier file of this log to continue"
    own = _PART.fullmatch(log.name)
    if own is not None and int(part["number"]) >= int(own["number"]):
        return "it names a later file as the one it continues"
    if type(entries) is not int or entries < 1:
        return "it does not say how many lines the file it continues had"
    return Link(log.with_name(part.string), entries, head)


def end_of_archive(log: Path) -> Link | None:
    """Return how the newest archived file of the log at `log` ends, None where there is none."""
    parts = archived_parts(log)
    if not parts:
        return None
    descriptor = open_regular(parts[-1], os.O_RDONLY)
    try:
        line = read_last_line(descriptor)
    finally:
        os.close(descriptor)
    entry = _read(line)
    entries = entry.get("total_entries")
    if entry.get("event") != ROTATED or type(entries) is not int:
        return None
    return Link(parts[-1], entries, hashlib.sha256(line).hexdigest(), keyed="_hmac" in entry)


def finish_rotation(log: Path) -> None:
    """Let the files beside a log that has been archived follow it, where they have not yet.

    The log goes first: what lies beside a missing log, and names its archived end, is that file's.
    """
    link = end_of_archive(log)
    if link is None:
        return
    for path_of in (head_path, manifest_path):
        beside, archived = path_of(log), path_of(link.path)
        if beside.exists() and not archived.exists():
            os.rename(beside, archived)
    sync_folder(log.parent)


def _read(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
