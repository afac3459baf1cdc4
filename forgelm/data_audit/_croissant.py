"""A Croissant 1.0 card of the corpus. Source: MLCommons Croissant format specification 1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forgelm.data_audit._scan import Partial
from forgelm.data_audit._sources import Corpus


def croissant_card(corpus: Corpus, scanned: Mapping[str, Partial]) -> dict[str, Any]:
    return {}
