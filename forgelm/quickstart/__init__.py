"""The whole job in one call, offline: a tiny model, a data set of our own, a verified record."""

from __future__ import annotations

from forgelm.quickstart._corpus import write_support_corpus
from forgelm.quickstart._quickstart import QuickstartResult, run_quickstart
from forgelm.quickstart._tiny_model import build_tiny_model

__all__ = ["QuickstartResult", "build_tiny_model", "run_quickstart", "write_support_corpus"]
