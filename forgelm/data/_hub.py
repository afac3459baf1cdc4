"""Talking to the Hugging Face Hub: quietly, with the user's token, or not at all."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import DataError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["hub_session", "hub_token", "load_hub_dataset"]

_OFFLINE = "HF_HUB_OFFLINE"
# The libraries read the environment once, when they are first imported.
_READ_ONCE = (("huggingface_hub.constants", _OFFLINE), ("datasets.config", _OFFLINE))


@contextmanager
def hub_session(config: ForgeConfig) -> Iterator[None]:
    """Keep the Hugging Face libraries quiet, and off the network with `model.offline`.

    Telemetry stays off for the life of the process; the offline switch is put back at the end.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    _set_if_imported("huggingface_hub.constants", "HF_HUB_DISABLE_TELEMETRY", True)
    with warnings.catch_warnings(), _offline(config.model.offline):
        # One library's notes to another, which no user of ours can act on.
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|trl|peft")
        yield


def hub_token(config: ForgeConfig) -> str | None:
    """Return the Hub token: the config's, else `HUGGINGFACE_TOKEN`, else None (the hub looks)."""
    secret = config.auth.hf_token if config.auth else None
    return secret.get_secret_value() if secret else os.environ.get("HUGGINGFACE_TOKEN") or None


@contextmanager
def _offline(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    before = os.environ.get(_OFFLINE)
    was_offline = (before or "").upper() in {"1", "ON", "YES", "TRUE"}
    os.environ[_OFFLINE] = "1"
    for module, name in _READ_ONCE:
        _set_if_imported(module, name, True)
    try:
        yield
    finally:
        os.environ.pop(_OFFLINE)
        if before is not None:
            os.environ[_OFFLINE] = before
        for module, name in _READ_ONCE:
            _set_if_imported(module, name, was_offline)


def load_hub_dataset(name: str, config: ForgeConfig) -> dict[str, Any]:
    """Return the splits of a data set on the Hub, or in its local cache.

    Raises:
        DataError: It is not there, not to be reached, or needs a choice that a name cannot make.
    """
    datasets = require("datasets", extra="train", feature="Loading a data set from the Hub")
    try:
        loaded = datasets.load_dataset(name, token=hub_token(config))
    except (OSError, ValueError, RuntimeError, LookupError) as error:
        where = "the local cache (model.offline is set)" if config.model.offline else "the Hub"
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise DataError(
            f"data set {name!r} cannot be loaded from {where}: {reason} "
            "Check the name, your access and the network, or give the path of a local file."
        ) from error
    return dict(loaded)


def _set_if_imported(module: str, name: str, value: bool) -> None:
    loaded = sys.modules.get(module)
    if loaded is not None and hasattr(loaded, name):
        setattr(loaded, name, value)
