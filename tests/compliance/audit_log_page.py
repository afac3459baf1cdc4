"""A writer and a checker of audit logs made from the format page alone, without forgelm."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

NAME = "audit_log.jsonl"


def page_tag(secret: str, run_id: str, entry: dict[str, Any]) -> str:
    key = hashlib.sha256((secret + run_id).encode()).digest()
    message = json.dumps(entry, default=str).encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def page_lines(
    events: list[tuple[str, dict[str, Any]]],
    secret: str | None = None,
    run_id: str = "fg-00112233aabb",
) -> list[bytes]:
    """The lines of a log, without newlines."""
    lines: list[bytes] = []
    for number, (event, fields) in enumerate(events):
        entry = {
            "timestamp": f"2026-01-02T03:04:{number % 60:02d}.000000+00:00",
            "run_id": run_id,
            "operator": "ci@build",
            "event": event,
            "prev_hash": hashlib.sha256(lines[-1]).hexdigest() if lines else "genesis",
            **fields,
        }
        if secret is not None:
            entry["_hmac"] = page_tag(secret, run_id, entry)
        lines.append(json.dumps(entry, default=str).encode())
    return lines


def write_page_log(
    folder: Path,
    events: list[tuple[str, dict[str, Any]]],
    secret: str | None = None,
    *,
    manifest: bool = True,
) -> Path:
    lines = page_lines(events, secret)
    path = folder / NAME
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    if manifest:
        pinned = {
            "audit_log": str(path),
            "created_at": "2026-01-02T03:04:00+00:00",
            "run_id": "fg-00112233aabb",
            "first_entry_sha256": hashlib.sha256(lines[0]).hexdigest(),
        }
        (folder / f"{NAME}.manifest.json").write_text(json.dumps(pinned))
    return path


def check_by_the_page(path: Path, secret: str | None = None) -> list[dict[str, Any]]:
    """Assert everything the page says of a log, and return its entries."""
    content = path.read_bytes()
    assert content.endswith(b"\n")
    previous = "genesis"
    entries = []
    for raw in content[:-1].split(b"\n"):
        entry = json.loads(raw, parse_constant=_no_such_constant)
        assert raw == json.dumps(entry, default=str).encode("ascii")
        keys = list(entry)
        assert keys[:5] == ["timestamp", "run_id", "operator", "event", "prev_hash"]
        assert entry["timestamp"].endswith("+00:00")
        assert entry["prev_hash"] == previous
        previous = hashlib.sha256(raw).hexdigest()
        if secret is None:
            assert "_hmac" not in entry
        else:
            assert keys[-1] == "_hmac"
            untagged = {key: value for key, value in entry.items() if key != "_hmac"}
            assert entry["_hmac"] == page_tag(secret, entry["run_id"], untagged)
        entries.append(entry)
    manifest = json.loads(path.with_name(f"{path.name}.manifest.json").read_text())
    assert {"audit_log", "created_at", "run_id", "first_entry_sha256"} <= set(manifest)
    assert manifest["first_entry_sha256"] == hashlib.sha256(content.split(b"\n")[0]).hexdigest()
    return entries


def _no_such_constant(name: str) -> None:
    raise AssertionError(f"{name} is not strict JSON")
