"""What every room shares: optional packages, digests, files, and the names of splits."""

from forgelm._core.chat import ChatClient, ChatError, ChatReply
from forgelm._core.digest import sha256_file, sha256_hex
from forgelm._core.files import (
    append_json_line,
    json_safe,
    open_atomic,
    open_regular_file,
    sync_folder,
    write_atomic,
    write_json_atomic,
)
from forgelm._core.http import Answer, UnreachableError, post, without_secrets
from forgelm._core.loading import MODEL_LOADING, quiet_bars, quiet_libraries
from forgelm._core.optional import is_installed, require
from forgelm._core.processes import Life, ProcessIdentity
from forgelm._core.run_files import EXIT_FILE, RUN_FILE, STATUS_FILE, finite, read_document
from forgelm._core.splits import SPLIT_NAMES, split_in_name

__all__ = [
    "EXIT_FILE",
    "MODEL_LOADING",
    "RUN_FILE",
    "SPLIT_NAMES",
    "STATUS_FILE",
    "Answer",
    "ChatClient",
    "ChatError",
    "ChatReply",
    "Life",
    "ProcessIdentity",
    "UnreachableError",
    "append_json_line",
    "finite",
    "is_installed",
    "json_safe",
    "open_atomic",
    "open_regular_file",
    "post",
    "quiet_bars",
    "quiet_libraries",
    "read_document",
    "require",
    "sha256_file",
    "sha256_hex",
    "split_in_name",
    "sync_folder",
    "without_secrets",
    "write_atomic",
    "write_json_atomic",
]
