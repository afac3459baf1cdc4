"""`forgelm verify-annex-iv`, `verify-integrity` and `verify-gguf`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from forgelm.cli._exit_codes import ExitCode
from forgelm.cli._output import ForgeCommand, Presentation
from forgelm.errors import DataError

if TYPE_CHECKING:
    from forgelm.compliance import (
        VerifyAnnexIVResult,
        VerifyGgufResult,
        VerifyIntegrityResult,
    )

__all__ = ["verify_annex_iv", "verify_gguf", "verify_integrity"]

_NO_SIDECAR = "There is no sidecar (FILE.sha256), so a changed weight would not be seen."


def _presented(
    result: VerifyAnnexIVResult | VerifyIntegrityResult | VerifyGgufResult,
    passed: str,
    details: dict[str, Any],
    notes: list[str],
) -> Presentation:
    head = f"valid: {passed}"
    code = ExitCode.SUCCESS
    if not result.valid:
        head = f"{'ALTERED' if result.altered else 'NOT VALID'}: {result.reason}"
        code = ExitCode.ALTERED if result.altered else ExitCode.INPUT
    lines = [f"  {name:<8}  {value}" for name, value in details.items() if value]
    lines += [f"  note: {note}" for note in notes]
    return Presentation("\n".join([head, *lines]), result.to_dict(), code)


def _present_annex_iv(result: VerifyAnnexIVResult) -> Presentation:
    details = {"hash": result.manifest_hash_actual}
    return _presented(result, "every required key is filled", details, result.notes)


def _present_integrity(result: VerifyIntegrityResult) -> Presentation:
    return _presented(result, f"{result.files_checked} files, all unaltered", {}, result.notes)


def _present_gguf(result: VerifyGgufResult) -> Presentation:
    checks = result.checks
    passed = (
        f"{checks['tensor_count']} tensors, {checks.get('vocabulary_size') or 'no'} tokens, "
        f"architecture {checks.get('architecture')}"
    )
    notes = [] if checks["sidecar_present"] else [_NO_SIDECAR]
    return _presented(result, passed, {"sha256": checks["sha256_actual"]}, notes)


@click.command(name="verify-annex-iv", cls=ForgeCommand, present=_present_annex_iv)
@click.argument("path")
def verify_annex_iv(path: str) -> VerifyAnnexIVResult:
    """Say whether a technical documentation is complete and unaltered.

    PATH is annex_iv_metadata.json, or the run directory, of which all evidence is looked at.
    """
    from forgelm.compliance import verify_annex_iv_artifact

    _must_exist(path)
    return verify_annex_iv_artifact(path)


@click.command(name="verify-integrity", cls=ForgeCommand, present=_present_integrity)
@click.argument("directory")
def verify_integrity(directory: str) -> VerifyIntegrityResult:
    """Say whether a model's folder holds exactly the files of its manifest."""
    from forgelm.compliance import verify_integrity as verify

    _must_exist(directory)
    return verify(directory)


@click.command(name="verify-gguf", cls=ForgeCommand, present=_present_gguf)
@click.argument("path")
def verify_gguf(path: str) -> VerifyGgufResult:
    """Say whether an exported GGUF file is sound, and is the one that its sidecar vouches for."""
    from forgelm.compliance import verify_gguf as verify

    _must_exist(path)
    return verify(path)


def _must_exist(path: str) -> None:
    if not os.path.lexists(path) and not _was_deleted(path):
        raise DataError(f"{path}: there is no such file or folder. Correct the path.")


def _was_deleted(path: str) -> bool:
    """Say whether an audit log near a path that is gone may know of it."""
    folder = os.path.dirname(os.path.abspath(path))
    return any(os.path.exists(os.path.join(place, "audit_log.jsonl"))
               for place in (folder, os.path.dirname(folder)))  # fmt: skip
