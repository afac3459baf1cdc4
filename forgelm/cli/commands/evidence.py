"""`forgelm evidence RUN_DIR` and `forgelm verify PATH`."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._held_to_options import held_to_options
from forgelm.cli._output import ForgeCommand, Presentation, shown
from forgelm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from forgelm.compliance import EvidenceBundle, EvidenceVerdict

__all__ = ["evidence", "verify"]


def _present_bundle(bundle: EvidenceBundle) -> Presentation:
    lines = [
        f"{shown(bundle.path)}: {len(bundle.files)} files, and the digests of "
        f"{len(bundle.digested)} more",
        f"  index  {bundle.index_sha256}",
        f"  head   {bundle.log.chain_head}",
        *(f"  left out: {name}: {reason}" for name, reason in bundle.left_out.items()),
    ]
    if not bundle.log.valid:
        lines.insert(0, f"ALTERED: the audit log in it is altered: {bundle.log.reason}")
    document = {
        **{field.name: getattr(bundle, field.name) for field in dataclasses.fields(bundle)},
        "log": dataclasses.asdict(bundle.log),
    }
    code = ExitCode.SUCCESS if bundle.log.valid else ExitCode.ALTERED
    return Presentation("\n".join(lines), document, code)


@click.command(cls=ForgeCommand, present=_present_bundle)
@click.argument("run_dir")
@click.option("-o", "--output", metavar="FILE", help="The zip; RUN_DIR.evidence.zip if left out.")
@click.option("--include-weights", is_flag=True, help="Put the models in whole.")
def evidence(run_dir: str, output: str | None, include_weights: bool) -> EvidenceBundle:
    """Write the evidence of a run into one zip, with an index of digests."""
    from forgelm.compliance import build_evidence_bundle

    return build_evidence_bundle(run_dir, output, include_weights=include_weights)


def _present_verdict(verdict: EvidenceVerdict) -> Presentation:
    code = ExitCode.SUCCESS
    head = f"valid: {verdict.kind}, {len(verdict.parts)} parts"
    if not verdict.valid:
        code = ExitCode.ALTERED if verdict.altered else ExitCode.INPUT
        head = f"{'ALTERED' if verdict.altered else 'NOT VALID'}: {verdict.reason}"
    lines = [head]
    for part in verdict.parts:
        word = "valid" if part.valid else "ALTERED" if part.altered else "NOT VALID"
        lines.append(f"  {word:<9}  {part.kind:<17}  {part.name}")
        lines += [f"             note: {note}" for note in part.notes]
    lines += [f"  head   {verdict.chain_head}"] if verdict.chain_head else []
    lines += [f"  index  {verdict.index_sha256}"] if verdict.index_sha256 else []
    return Presentation("\n".join(lines), verdict.to_dict(), code)


@click.command(cls=ForgeCommand, present=_present_verdict)
@click.argument("path")
@click.option("--require-hmac", is_flag=True, help="Every line of the log must carry a valid tag.")
@held_to_options
def verify(path: str, require_hmac: bool, **held_to: str | None) -> EvidenceVerdict:
    """Verify whatever piece of evidence PATH is, and all that belongs to it.

    PATH is an audit log, an Annex IV document, a GGUF file, a model's folder, a run directory or
    an evidence bundle. Secrets come from FORGELM_AUDIT_SECRET or FORGELM_AUDIT_KEYS.
    """
    from forgelm.compliance import verify_evidence
    from forgelm.compliance.artefacts import is_or_was_log

    if require_hmac and not any(os.environ.get(name) for name in _SECRETS):
        raise ConfigError(
            "--require-hmac needs the secret to check the tags with: set FORGELM_AUDIT_SECRET."
        )
    if not is_or_was_log(Path(path)):
        raise DataError(f"{path}: there is no such file or folder. Correct the path.")
    try:
        return verify_evidence(path, require_hmac=require_hmac, **held_to)
    except ValueError as error:
        raise ConfigError(f"{path} was not verified: {error}.") from None


_SECRETS = ("FORGELM_AUDIT_SECRET", "FORGELM_AUDIT_KEYS")
