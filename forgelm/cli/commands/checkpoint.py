"""`forgelm checkpoint PATH --key FILE`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import ForgeCommand, Presentation
from forgelm.errors import AuditLogError, RemoteError

if TYPE_CHECKING:
    from forgelm.compliance import Checkpoint

__all__ = ["checkpoint"]


@dataclass
class _Outcome:
    """What was signed, or why nothing was, and where it was left."""

    verifier_key: str | None = None
    checkpoint: Checkpoint | None = None
    reason: str | None = None
    anchored: tuple[str, ...] = ()
    stamped_at: str | None = None


def _present(outcome: _Outcome) -> Presentation:
    document = dataclasses.asdict(outcome)
    if outcome.checkpoint is None:
        return Presentation(f"ALTERED: {outcome.reason}", document, ExitCode.ALTERED)
    lines = [f"signed: {outcome.checkpoint.size} entries, root {outcome.checkpoint.root}"]
    details = {"verifier key": outcome.verifier_key, "time stamp": outcome.stamped_at}
    lines += [f"  {name}  {value}" for name, value in details.items() if value]
    lines += [f"  anchored  {place}" for place in outcome.anchored]
    return Presentation("\n".join(lines), document, ExitCode.SUCCESS)


@click.command(name="checkpoint", cls=ForgeCommand, present=_present)
@click.argument("path")
@click.option("--key", required=True, metavar="FILE", help="The private key to sign with.")
@click.option("--new-key", metavar="NAME", help="First write a new key in that name to FILE.")
@click.option("--out", metavar="FILE", help="Append the checkpoint here, not beside the log.")
@click.option(
    "--anchor",
    multiple=True,
    metavar="PATH|URL",
    help="Also leave the checkpoint in this file, or post it there. May be repeated.",
)
@click.option("--timestamp", metavar="URL", help="Have this RFC 3161 authority stamp it.")
@click.option("--timestamp-out", metavar="FILE", help="The new file for the time stamp.")
@click.option("--allow-private", is_flag=True, help="Also post to private networks.")
def checkpoint(
    path: str,
    key: str,
    new_key: str | None,
    out: str | None,
    allow_private: bool,
    timestamp: str | None,
    timestamp_out: str | None,
    anchor: tuple[str, ...],
) -> _Outcome:
    """Sign where an audit log ends, so that others can verify it without any secret.

    PATH is the log, or the run directory that holds it.
    """
    from forgelm.compliance import create_signing_key, sign_checkpoint, timestamp_checkpoint

    if (timestamp is None) != (timestamp_out is None):
        raise click.UsageError("--timestamp and --timestamp-out go together.")
    outcome = _Outcome(verifier_key=create_signing_key(key, new_key) if new_key else None)
    try:
        signed = outcome.checkpoint = sign_checkpoint(path, key, out=out)
    except AuditLogError as error:
        outcome.reason = str(error)
        return outcome
    outcome.anchored = _anchored(signed, anchor, allow_private=allow_private)
    if timestamp and timestamp_out:
        stamped = timestamp_checkpoint(
            signed, timestamp, timestamp_out, allow_private=allow_private
        )
        outcome.stamped_at = stamped.isoformat()
    return outcome


def _anchored(signed: Checkpoint, places: tuple[str, ...], **options: Any) -> tuple[str, ...]:
    """Leave the checkpoint in every place, and return them as they may be shown."""
    from forgelm._core import without_secrets
    from forgelm.compliance import anchor_checkpoint

    shown, failures = [], []
    for place in places:
        name = without_secrets(place) if "://" in place else place
        try:
            anchor_checkpoint(signed, place, **options)
        except (OSError, ValueError) as error:
            failures.append(str(error) if name in str(error) else f"{name}: {error}")
        shown.append(name)
    if failures:
        raise RemoteError(f"The checkpoint was signed, but not anchored: {'; '.join(failures)}")
    return tuple(shown)
