"""Access to the Hugging Face Hub for everything this process loads."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any

from forgelm._core import require
from forgelm.errors import ConfigError, RemoteError

__all__ = ["setup_authentication"]

logger = logging.getLogger(__name__)

_FEATURE = "Access to the Hugging Face Hub"
_HOW = (
    "pass it as token, set the environment variable HUGGINGFACE_TOKEN or HF_TOKEN, or run "
    "`hf auth login` once"
)
_UNREACHABLE = (
    "the Hugging Face Hub cannot be reached ({}). Check the network, or set HF_HUB_OFFLINE=1 to "
    "work with what is on this machine."
)


def setup_authentication(token: str | None = None) -> None:
    """Make private models and data sets on the Hub accessible to this process.

    The first of these counts: `token`, the environment variables `HUGGINGFACE_TOKEN` and
    `HF_TOKEN`, the token that `hf auth login` stored. One of the first two is checked with the Hub
    and stored there too, as `huggingface_hub.login` does; the others the Hub's libraries use
    anyway. With `HF_HUB_OFFLINE=1` nothing is checked or stored, and no token is needed. Nobody is
    ever asked for a token, and none is printed.

    Args:
        token: A token, which then also wins over `HF_TOKEN` in this process.

    Raises:
        ConfigError: There is no token, or the Hub refuses it.
        RemoteError: The Hub cannot be reached, or did not answer within the seconds of
            `HF_HUB_ETAG_TIMEOUT` (10).
        OptionalDependencyError: The `train` extra is not installed.
    """
    hub = require("huggingface_hub", extra="train", feature=_FEATURE)
    given = _given(token)
    constants = require("huggingface_hub.constants", extra="train", feature=_FEATURE)
    if constants.HF_HUB_OFFLINE:
        logger.info("offline: the Hugging Face token is not checked")
    elif given is not None:
        _log_in(hub, given, constants.HF_HUB_ETAG_TIMEOUT)
    elif not hub.get_token():
        raise ConfigError(issues=[("auth.hf_token", f"there is no Hugging Face token: {_HOW}")])


def _given(token: str | None) -> str | None:
    """Return the token that has to be handed to the Hub's libraries, if there is one."""
    if token is not None:
        return _clean(token, "token")
    value = os.environ.get("HUGGINGFACE_TOKEN", "")
    return _clean(value, "HUGGINGFACE_TOKEN") if value.strip() else None


def _clean(token: str, source: str) -> str:
    cleaned = token.strip()
    if not cleaned or not cleaned.isascii() or not cleaned.isprintable() or " " in cleaned:
        problem = f"{source} is empty or holds characters that no token has; paste the token alone"
        raise ConfigError(issues=[("auth.hf_token", problem)])
    return cleaned


def _log_in(hub: Any, token: str, longest_s: float) -> None:
    problems: list[ConfigError | RemoteError] = []

    def log_in() -> None:
        try:
            hub.login(token=token, add_to_git_credential=False)
        except Exception as error:  # noqa: BLE001 - several HTTP libraries, none of them ours
            problems.append(_problem(error))

    # The Hub's libraries would wait for ever for a server that takes the call and says nothing.
    thread = threading.Thread(target=log_in, daemon=True)
    thread.start()
    thread.join(longest_s)
    if thread.is_alive():
        raise RemoteError(_UNREACHABLE.format(f"no answer within {longest_s:g} s"))
    # Outside the handler: what the libraries raise may hold the request, and so the token.
    if problems:
        raise problems[0]
    if os.environ.get("HF_TOKEN", token) != token:
        os.environ["HF_TOKEN"] = token
        logger.info("the token replaces that of HF_TOKEN in this process")


def _problem(error: Exception) -> ConfigError | RemoteError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {401, 403} or isinstance(error, ValueError):
        reason = f"the Hub refuses the token; check that it is valid and a user's own, or {_HOW}"
        return ConfigError(issues=[("auth.hf_token", reason)])
    if isinstance(error, OSError) and status is None and error.filename is not None:
        return RemoteError(f"the token cannot be stored in {error.filename}: {error.strerror}")
    cause = f"HTTP {status}" if status is not None else type(error).__name__
    return RemoteError(_UNREACHABLE.format(cause))
