"""`verify_gguf`: whether an exported model file is sound and is the one that was exported."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forgelm.compliance.artefacts._artefact_results import VerifyGgufResult
from forgelm.compliance.artefacts._gguf_checks import architecture_problems, catalogue_problems
from forgelm.compliance.artefacts._gguf_reader import GgufHead, MalformedError, read_head
from forgelm.compliance.artefacts._gguf_tokenizer import tokenizer_problems
from forgelm.compliance.artefacts._model_files import is_no_plain_file
from forgelm.compliance.audit_log import open_regular, read_at

__all__ = ["verify_gguf"]

_MAGIC = b"GGUF"
_MAX_SIDECAR_BYTES = 64 * 1024
_SHA256_HEX = re.compile("[0-9a-fA-F]{64}")
_MOST_TOLD = 10


def verify_gguf(path: str | os.PathLike[str]) -> VerifyGgufResult:
    """Say whether a GGUF file is sound: header, metadata, tensors, vocabulary, and its sidecar.

    The file is read block by block; no number in it is trusted and no weight is looked at. The
    sidecar is `<file>.sha256`, whose first word is the SHA-256 of the file.

    Args:
        path: The file.

    Returns:
        The verdict; a file that is missing, cut or no GGUF at all is one, too.

    Raises:
        OSError: It may not be read, or the disk fails.
    """
    checks: dict[str, Any] = {
        "magic_ok": False,
        "metadata_parsed": False,
        "metadata_error": None,
        "sidecar_present": False,
        "sidecar_match": None,
        "tensor_count": None,
        "sha256_actual": None,
        "sha256_expected": None,
    }
    try:
        descriptor = open_regular(Path(path), os.O_RDONLY, follow_links=True)
    except (FileNotFoundError, NotADirectoryError):
        return VerifyGgufResult(False, f"there is no file at {os.fspath(path)!r}", checks)
    except (IsADirectoryError, ValueError) as error:
        return VerifyGgufResult(False, f"{os.fspath(path)!r} is no file: {error}", checks)
    except OSError as error:
        if not is_no_plain_file(error):
            raise
        return VerifyGgufResult(False, f"{os.fspath(path)!r} is not a regular file", checks)
    try:
        problems = list(_problems(Path(path), descriptor, checks))
    finally:
        os.close(descriptor)
    return VerifyGgufResult(not problems, _sentence(problems), checks)


def _problems(path: Path, descriptor: int, checks: dict[str, Any]) -> Iterator[str]:
    before = os.fstat(descriptor)
    checks["size_bytes"] = before.st_size
    checks["magic_ok"] = read_at(descriptor, 4, 0) == _MAGIC
    if not checks["magic_ok"]:
        yield "it is empty" if not before.st_size else 'byte 0: it does not begin with "GGUF"'
        return
    yield from _structure_problems(descriptor, before.st_size, checks)
    yield from _sidecar_problems(path, descriptor, checks)
    after = os.fstat(descriptor)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        yield "it was changed while it was read; verify it again"


def _structure_problems(descriptor: int, size: int, checks: dict[str, Any]) -> Iterator[str]:
    try:
        head = read_head(descriptor, size)
    except MalformedError as error:
        checks["metadata_error"] = str(error)
        yield str(error)
        return
    checks["metadata_parsed"] = True
    checks |= _described(head)
    groups = {
        "architecture_ok": architecture_problems(head),
        "tensor_catalogue_ok": catalogue_problems(head),
        "tokenizer_ok": tokenizer_problems(head, descriptor, checks),
    }
    for name, problems in groups.items():
        found = list(problems)
        checks[name] = not found
        yield from found


def _described(head: GgufHead) -> dict[str, Any]:
    return {
        "version": head.version,
        "byte_order": "little" if head.order == "<" else "big",
        "architecture": head.texts.get("general.architecture"),
        "metadata_count": head.pairs,
        "tensor_count": len(head.tensors),
    }


def _sidecar_problems(path: Path, descriptor: int, checks: dict[str, Any]) -> Iterator[str]:
    sidecar = path.with_name(f"{path.name}.sha256")
    try:
        content = _read_sidecar(sidecar)
    except FileNotFoundError:
        if all(checks.get(name) for name in ("architecture_ok", "tensor_catalogue_ok")):
            checks["sha256_actual"] = _sha256(descriptor)
        return
    checks["sidecar_present"] = True
    checks["sha256_actual"] = _sha256(descriptor)
    words = content.split(maxsplit=1)
    if not words or not _SHA256_HEX.fullmatch(words[0]):
        checks["sidecar_match"] = False
        yield f"the sidecar {sidecar.name} does not begin with 64 hex digits"
        return
    checks["sha256_expected"] = words[0].lower()
    checks["sidecar_match"] = checks["sha256_expected"] == checks["sha256_actual"]
    if not checks["sidecar_match"]:
        yield f"its SHA-256 is not the one in {sidecar.name}: the file or the sidecar was changed"


def _read_sidecar(sidecar: Path) -> str:
    """Return the sidecar's text; what is no regular file or no text reads as one that says nothing.

    Raises:
        FileNotFoundError: There is none.
    """
    try:
        descriptor = open_regular(sidecar, os.O_RDONLY)
    except OSError as error:
        if not is_no_plain_file(error):
            raise
        return ""
    try:
        return read_at(descriptor, _MAX_SIDECAR_BYTES, 0).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _sha256(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with io.FileIO(descriptor, closefd=False) as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


def _sentence(problems: list[str]) -> str | None:
    if not problems:
        return None
    more = len(problems) - _MOST_TOLD
    return "; ".join(problems[:_MOST_TOLD]) + (f"; and {more} more" if more > 0 else "")
