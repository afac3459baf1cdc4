"""A signed log to attack, and the events to make another of."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit_log_page import NAME, write_page_log

from forgelm.compliance import create_signing_key, sign_checkpoint

Events = list[tuple[str, dict[str, Any]]]
EVENTS: Events = [(f"event.{n}", {"n": n}) for n in range(1, 9)]


@dataclass
class SignedLog:
    """A log of eight lines, signed after the third and the sixth."""

    run: Path
    key: Path
    public: str
    kept: Path  # a copy of the checkpoints, out of the attacker's reach

    @property
    def log(self) -> Path:
        return self.run / NAME

    @property
    def record(self) -> Path:
        return self.run / f"{NAME}.checkpoints"

    def rewrite(self, events: Events, secret: str | None = None) -> None:
        """Put another log in its place whose own chain is sound."""
        write_page_log(self.run, events, secret)


def sign_a_log(folder: Path, secret: str | None = None) -> SignedLog:
    run = folder / "run"
    run.mkdir()
    key = folder / "key"
    public = create_signing_key(key, "acme.example/audit")
    for size in (3, 6, 8):
        write_page_log(run, EVENTS[:size], secret)
        if size < 8:
            sign_checkpoint(run, key)
    shutil.copy(run / f"{NAME}.checkpoints", folder / "kept")
    return SignedLog(run, key, public, folder / "kept")


def changed(*changes: tuple[int, int]) -> Events:
    events = list(EVENTS)
    for line, n in changes:
        events[line - 1] = (f"event.{n}", {"n": n})
    return events
