"""What every loading of a model shares: one lock, and quiet progress bars."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from forgelm._core.optional import require

__all__ = ["MODEL_LOADING", "quiet_bars", "quiet_libraries"]

MODEL_LOADING = threading.RLock()
"""Two `from_pretrained` at once corrupt each other's weights for the life of the process."""


@contextmanager
def quiet_bars() -> Iterator[None]:
    """Keep the bars of transformers and datasets for terminals: elsewhere they fill a log."""
    bars = require("transformers", extra="train", feature="Loading a model").utils.logging
    datasets = require("datasets", extra="train", feature="Loading a model")
    if sys.stderr.isatty() or not bars.is_progress_bar_enabled():
        yield
        return
    bars.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        bars.enable_progress_bar()
        datasets.enable_progress_bars()


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the libraries' bars for terminals, and their notes about their own future to them.

    Telemetry stays off for the life of the process.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with warnings.catch_warnings(), quiet_bars():
        warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft")
        yield
