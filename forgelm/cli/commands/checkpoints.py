"""`forgelm manage-checkpoints DIR`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from forgelm.cli._output import ForgeCommand, Presentation

if TYPE_CHECKING:
    from forgelm.checkpoints import CheckpointSummary

__all__ = ["manage_checkpoints"]


def _present(summary: CheckpointSummary) -> Presentation:
    head = "would be done" if summary.dry_run else "done"
    packed = [f"{name} -> {archive}" for name, archive in summary.compressed.items()]
    lines = [
        f"{summary.checkpoint_dir}: {summary.action} {head}",
        f"  kept             {', '.join(summary.kept) or 'none'}",
        f"  deleted          {', '.join(summary.deleted) or 'none'}",
        f"  compressed       {', '.join(packed) or 'none'}",
        f"  freed            {summary.freed_bytes / 1e6:.1f} MB",
    ]
    lines += [f"  left alone       {name}: {why}" for name, why in summary.skipped.items()]
    return Presentation("\n".join(lines), dataclasses.asdict(summary))


@click.command(name="manage-checkpoints", cls=ForgeCommand, present=_present)
@click.argument("folder", metavar="DIR")
@click.option(
    "--action",
    default="keep",
    show_default=True,
    help="keep, delete, compress, keep-best or keep-last=N.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def manage_checkpoints(folder: str, action: str, dry_run: bool) -> CheckpointSummary:
    """Keep, pack or delete the checkpoints in the run directory DIR; nothing else is touched."""
    from forgelm.checkpoints import manage_checkpoints as manage

    return manage(folder, action, dry_run=dry_run)
