"""Telling whether the process of a run still lives, and not another one under its number."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from forgelm._core.optional import require
from forgelm._core.run_files import finite

__all__ = ["Life", "ProcessIdentity"]

Life = Literal["alive", "suspended", "gone", "elsewhere"]

# The start time is counted in ticks of 10 ms from the boot, whose own time is rounded.
_SAME_START_S = 1.0


@dataclass(frozen=True)
class ProcessIdentity:
    """A process, so that a later one with the same number is not taken for it.

    Attributes:
        pid: Its number.
        started_at: Unix time it started at, seconds.
        host: The machine it runs on.
    """

    pid: int
    started_at: float
    host: str

    @classmethod
    def of(cls, pid: int | None = None) -> ProcessIdentity:
        """Return the identity of the process `pid` of this machine, or of this process."""
        number = os.getpid() if pid is None else pid
        psutil = _psutil()
        try:
            started_at = float(psutil.Process(number).create_time())
        except psutil.NoSuchProcess:
            started_at = 0.0
        return cls(number, started_at, socket.gethostname())

    @classmethod
    def of_run(cls, document: Mapping[str, Any]) -> ProcessIdentity | None:
        """Return the process that a `run.json` names, None where it names none."""
        pid, host = document.get("pid"), document.get("host")
        started_at = finite(document.get("process_started_at"))
        if type(pid) is not int or not isinstance(host, str) or started_at is None:
            return None
        return cls(pid, started_at, host)

    @property
    def is_this(self) -> bool:
        """Whether it is the process that asks."""
        return self.pid == os.getpid() and self.life() == "alive"

    def life(self) -> Life:
        """Say whether it runs, is suspended, is gone, or cannot be seen from this machine.

        Raises:
            OptionalDependencyError: psutil is not installed.
        """
        if self.host != socket.gethostname():
            return "elsewhere"
        psutil = _psutil()
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started_at) > _SAME_START_S:
                return "gone"
            status = process.status()
        except (psutil.NoSuchProcess, ValueError, OverflowError):
            return "gone"
        except psutil.AccessDenied:
            return "alive"
        if status in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
            return "gone"
        return "suspended" if status == psutil.STATUS_STOPPED else "alive"


def _psutil() -> Any:
    return require("psutil", extra="train", feature="Looking after a run")
