"""Talking to the Hugging Face Hub: quietly, with the user's token, or not at all."""

from __future__ import annotations

import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from forgelm._core import require
from forgelm.errors import DataError

if TYPE_CHECKING:
    from forgelm.config import ForgeConfig

__all__ = ["hub_offline", "hub_session", "hub_token", "is_hub_name", "load_hub_dataset"]

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
_OFFLINE = "HF_HUB_OFFLINE"


class _OfflineSwitch:
    """Keeps the process off the Hub while at least one session asks for it."""

    # The libraries read the environment once, when they are first imported.
    _MODULES = ("huggingface_hub.constants", "datasets.config")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions = 0
        self._environment: str | None = None
        self._read: dict[str, bool] = {}

    @contextmanager
    def on(self) -> Iterator[None]:
        with self._lock:
            self._sessions += 1
            if self._sessions == 1:
                self._turn_on()
        try:
            yield
        finally:
            with self._lock:
                self._sessions -= 1
                if not self._sessions:
                    self._put_back()

    def _turn_on(self) -> None:
        self._environment = os.environ.get(_OFFLINE)
        loaded = [name for name in self._MODULES if name in sys.modules]
        self._read = {name: getattr(sys.modules[name], _OFFLINE) for name in loaded}
        os.environ[_OFFLINE] = "1"
        for name in self._MODULES:
            _set_if_imported(name, _OFFLINE, True)

    def _put_back(self) -> None:
        was_offline = (self._environment or "").upper() in {"1", "ON", "YES", "TRUE"}
        os.environ.pop(_OFFLINE, None)
        if self._environment is not None:
            os.environ[_OFFLINE] = self._environment
        for name in self._MODULES:
            _set_if_imported(name, _OFFLINE, self._read.get(name, was_offline))


_SWITCH = _OfflineSwitch()


@contextmanager
def hub_session(config: ForgeConfig) -> Iterator[None]:
    """Keep the Hugging Face libraries quiet, and off the network with `model.offline`.

    Telemetry stays off for the life of the process; the offline switch is put back at the end.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    _set_if_imported("huggingface_hub.constants", "HF_HUB_DISABLE_TELEMETRY", True)
    offline = _SWITCH.on() if config.model.offline else nullcontext()
    with warnings.catch_warnings(), offline:
        # One library's notes to another, which no user of ours can act on.
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|trl|peft")
        yield


@contextmanager
def hub_offline() -> Iterator[None]:
    """Keep the Hugging Face libraries of this process off the network within the block."""
    with _SWITCH.on():
        yield


def hub_token(config: ForgeConfig) -> str | None:
    """Return the Hub token: the config's, else `HUGGINGFACE_TOKEN`, else None (the hub looks)."""
    secret = config.auth.hf_token if config.auth else None
    return secret.get_secret_value() if secret else os.environ.get("HUGGINGFACE_TOKEN") or None


def is_hub_name(name: str) -> bool:
    """Say whether `name` could be a model or data set on the Hub: `name` or `owner/name`."""
    return _NAME.fullmatch(name) is not None


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
