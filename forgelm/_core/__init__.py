"""Plumbing that knows nothing of the domain: optional packages, digests and files."""

from forgelm._core.digest import sha256_file, sha256_hex
from forgelm._core.files import (
    append_json_line,
    json_safe,
    open_atomic,
    write_atomic,
    write_json_atomic,
)
from forgelm._core.optional import is_installed, require

__all__ = [
    "append_json_line",
    "is_installed",
    "json_safe",
    "open_atomic",
    "require",
    "sha256_file",
    "sha256_hex",
    "write_atomic",
    "write_json_atomic",
]
