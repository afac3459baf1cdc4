"""What every room shares: optional packages, digests, files, and the names of splits."""

from forgelm._core.chat import ChatClient, ChatError, ChatReply
from forgelm._core.digest import sha256_file, sha256_hex
from forgelm._core.files import (
    append_json_line,
    json_safe,
    open_atomic,
    sync_folder,
    write_atomic,
    write_json_atomic,
)
from forgelm._core.http import Answer, post, without_secrets
from forgelm._core.loading import MODEL_LOADING, quiet_bars, quiet_libraries
from forgelm._core.optional import is_installed, require
from forgelm._core.splits import SPLIT_NAMES, split_in_name

__all__ = [
    "MODEL_LOADING",
    "SPLIT_NAMES",
    "Answer",
    "ChatClient",
    "ChatError",
    "ChatReply",
    "append_json_line",
    "is_installed",
    "json_safe",
    "open_atomic",
    "post",
    "quiet_bars",
    "quiet_libraries",
    "require",
    "sha256_file",
    "sha256_hex",
    "split_in_name",
    "sync_folder",
    "without_secrets",
    "write_atomic",
    "write_json_atomic",
]
