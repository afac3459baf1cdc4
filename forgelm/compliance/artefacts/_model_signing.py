"""Signatures over a whole model folder, in the format of the OpenSSF model-signing project.

Source: OpenSSF Model Signing specification v1.0; keys of NIST curves, no service is asked.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from forgelm._core import require
from forgelm.compliance.artefacts._artefact_results import VerifyIntegrityResult
from forgelm.compliance.artefacts._model_files import SIGNATURE_FILE, list_folder

__all__ = ["sign_model", "verify_model_signature"]

_FEATURE = "Signing a model"


def sign_model(
    model_dir: str | os.PathLike[str],
    private_key: str | os.PathLike[str],
    *,
    password: str | None = None,
) -> Path:
    """Sign every file of a model's folder and return the signature, `model.sig` in it.

    Whoever has the public key can check it without forgelm, with the `model_signing` command.

    Args:
        model_dir: The folder; write its documents and its manifest first.
        private_key: PEM file with a private key of a NIST curve (P-256, P-384 or P-521).
        password: What the key is encrypted with, if it is.

    Raises:
        OptionalDependencyError: The `sign` extra is not installed.
        ValueError: The key cannot be used.
        OSError: A file cannot be read or written.
    """
    signing = require("model_signing.signing", extra="sign", feature=_FEATURE)
    folder = Path(model_dir)
    _refuse_links(folder)
    signature = folder / SIGNATURE_FILE
    written = folder / f".{SIGNATURE_FILE}.tmp"
    config = signing.Config().use_elliptic_key_signer(private_key=private_key, password=password)
    try:
        with _quiet():
            config.set_hashing_config(_hashing()).sign(folder, written)
        os.replace(written, signature)
    finally:
        written.unlink(missing_ok=True)
    return signature


def verify_model_signature(
    model_dir: str | os.PathLike[str],
    public_key: str | os.PathLike[str],
) -> VerifyIntegrityResult:
    """Say whether every file of a folder is as it was when the owner of a key signed it.

    Args:
        model_dir: The folder, with `model.sig` in it.
        public_key: PEM file with the signer's public key, from a place that you trust.

    Raises:
        OptionalDependencyError: The `sign` extra is not installed.
        OSError: A file cannot be read.
    """
    verifying = require("model_signing.verifying", extra="sign", feature=_FEATURE)
    folder = Path(model_dir)
    signature = folder / SIGNATURE_FILE
    if signature.is_symlink() or not signature.is_file():
        return VerifyIntegrityResult(False, f"there is no {SIGNATURE_FILE} in {folder}")
    content = list_folder(folder)
    if content.links or content.others:
        odd = ", ".join(map(ascii, [*content.links, *content.others][:20]))
        reason = f"what is no plain file cannot have been signed: {odd}"
        return VerifyIntegrityResult(False, reason, links=content.links, altered=True)
    config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    try:
        with _quiet():
            config.set_hashing_config(_hashing()).verify(folder, signature)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the library's parsers raise whatever they meet
        reason = f"the signature does not hold: {str(error) or type(error).__name__}"
        return VerifyIntegrityResult(False, reason[:2000], altered=True)
    return VerifyIntegrityResult(True, files_checked=len(content.files) - 1)


def _hashing() -> Any:
    hashing = require("model_signing.hashing", extra="sign", feature=_FEATURE)
    ignored = [SIGNATURE_FILE, f".{SIGNATURE_FILE}.tmp"]
    return hashing.Config().set_ignored_paths(paths=ignored, ignore_git_paths=False)


def _refuse_links(folder: Path) -> None:
    content = list_folder(folder)
    if content.links or content.others:
        odd = ", ".join(map(ascii, [*content.links, *content.others][:20]))
        raise OSError(f"{folder} holds what is no plain file and cannot be signed: {odd}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's tracing notice out of the caller's log."""
    logger = logging.getLogger("model_signing")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
