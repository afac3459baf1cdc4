"""`forgelm verify-audit PATH`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._held_to_options import held_to_options
from forgelm.cli._output import ForgeCommand, Presentation
from forgelm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from forgelm.compliance import VerifyResult

__all__ = ["verification_document", "verification_line", "verify_audit"]


def _present(result: VerifyResult) -> Presentation:
    lines = [verification_line(result)]
    if result.valid:
        lines.append(f"  head  {result.chain_head}")
    lines += [f"  note: {note}" for note in result.notes]
    code = ExitCode.SUCCESS if result.valid else ExitCode.ALTERED
    return Presentation("\n".join(lines), verification_document(result), code)


@click.command(name="verify-audit", cls=ForgeCommand, present=_present)
@click.argument("path")
@click.option("--require-hmac", is_flag=True, help="Every entry must carry a valid HMAC.")
@click.option(
    "--hmac-secret-env",
    metavar="NAME",
    default="FORGELM_AUDIT_SECRET",
    show_default=True,
    help="Environment variable that holds the secret.",
)
@held_to_options
def verify_audit(
    path: str,
    require_hmac: bool,
    hmac_secret_env: str,
    expected_head: str | None,
    public_key: str | None,
    checkpoint: str | None,
) -> VerifyResult:
    """Say whether an audit log stands as it was written.

    PATH is the log, or the run directory that holds it.
    """
    from forgelm.compliance import verify_audit_log
    from forgelm.compliance.artefacts import is_or_was_log

    secret = os.environ.get(hmac_secret_env)
    source = click.get_current_context().get_parameter_source("hmac_secret_env")
    named = source is not click.core.ParameterSource.DEFAULT
    if not secret and (named or (require_hmac and not os.environ.get("FORGELM_AUDIT_KEYS"))):
        raise ConfigError(
            f"The environment variable {hmac_secret_env} is not set, and there is no other secret "
            "to check the log with. Set it, or name another with --hmac-secret-env."
        )
    log = Path(path, "audit_log.jsonl") if os.path.isdir(path) else Path(path)
    # Where files of its own are left, a log that is gone was deleted: for the verifier to say.
    if not is_or_was_log(log):
        raise DataError(f"{log}: there is no such audit log. Give the run directory or its log.")
    recorded = any(Path(f"{log}{suffix}").exists() for suffix in (".head", ".manifest.json"))
    if not recorded and log.exists() and log.stat().st_size == 0:
        raise DataError(f"{log}: the audit log is empty, so there is nothing to verify.")
    try:
        return verify_audit_log(
            str(log),
            hmac_secret=secret,
            require_hmac=require_hmac,
            expected_head=expected_head,
            public_key=public_key,
            checkpoint=checkpoint,
        )
    except ValueError as error:
        raise ConfigError(f"{path} was not verified: {error}.") from None


def verification_line(result: VerifyResult) -> str:
    """Return the verdict on a log in one line."""
    if not result.valid:
        return f"ALTERED: {result.reason}"
    return f"valid: {result.entries_count} entries, each in its place and unaltered"


def verification_document(result: VerifyResult) -> dict[str, Any]:
    """Return every field of a verdict, and what a caller can keep as an anchor."""
    extras = {name: getattr(result, name) for name in ("chain_head", "anchored", "notes")}
    return {**dataclasses.asdict(result), **extras}
