"""`forgelm train CONFIG --dry-run`: what a training would meet, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import Presentation, shown

if TYPE_CHECKING:
    from forgelm.trainer import DataLook, MemoryEstimate, PreflightReport

__all__ = ["DRY_RUN_ROWS", "present_preflight"]

DRY_RUN_ROWS = 10_000


def present_preflight(report: PreflightReport) -> Presentation:
    """Say what was found, the errors first, and what the run would take."""
    head = "Ready to train." if report.ok else "This training would fail:"
    lines = [head]
    for finding in report.findings:
        place = f"{finding.path}: " if finding.path else ""
        lines.append(f"  {finding.severity:<8} {place}{finding.message}")
    for look in report.data:
        lines += _data_lines(look)
    if report.planned_steps is not None:
        lines.append(f"  steps    {report.planned_steps}")
    if report.machine is not None:
        lines.append(f"  device   {report.machine.device} ({report.machine.name})")
    if report.memory is not None and report.memory.parts:
        lines.append(_memory_line(report.memory))
    code = ExitCode.SUCCESS if report.ok else ExitCode.INPUT
    return Presentation("\n".join(lines), report.to_dict(), code)


def _data_lines(look: DataLook) -> list[str]:
    more = "" if look.is_whole else "first "
    kind = look.format or "no known format"
    lines = [f"  data     {shown(look.name)}: {more}{look.rows} rows, {kind}"]
    if look.tokens is not None:
        lines.append(
            f"           tokens a row: half up to {look.tokens.p50}, 95 % up to {look.tokens.p95}, "
            f"longest {look.tokens.longest}"
        )
    return lines


def _memory_line(memory: MemoryEstimate) -> str:
    parts = ", ".join(f"{name} {_mb(size)}" for name, size in memory.parts.items() if size)
    return f"  memory   {memory.outlook}: about {_mb(memory.total_bytes)} ({parts})"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.0f} MB"
