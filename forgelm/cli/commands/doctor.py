"""`forgelm doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import ForgeCommand, Presentation

if TYPE_CHECKING:
    from forgelm.installation import DoctorReport

__all__ = ["doctor"]


def _present(report: DoctorReport) -> Presentation:
    head = "Ready to train." if report.ok else "Training cannot work like this:"
    order = ("problem", "note", "ok")
    checks = sorted(report.checks, key=lambda check: order.index(check.status))
    lines = [head, *(f"  {c.status:<8} {c.name}: {c.message}" for c in checks)]
    code = ExitCode.SUCCESS if report.ok else ExitCode.INPUT
    return Presentation("\n".join(lines), report.to_dict(), code)


@click.command(cls=ForgeCommand, present=_present)
@click.argument("folder", default=".")
@click.option("--torch", "load_torch", is_flag=True, help="Also load PyTorch; takes seconds.")
def doctor(folder: str, load_torch: bool) -> DoctorReport:
    """Say what is installed, what this machine has, and what is in the way of a training.

    FOLDER is where runs would be written.
    """
    from forgelm.installation import doctor as look

    return look(folder, load_torch=load_torch)
