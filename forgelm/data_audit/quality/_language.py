"""Languages of a sample of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from forgelm._core import is_installed, require

__all__ = ["HOW_TO_GET_LANGUAGES", "forget_language_model", "language_counts"]

HOW_TO_GET_LANGUAGES = "languages_top3 is empty: it needs py3langid (pip install 'forgelm[dedup]')."


def language_counts(texts: Sequence[str]) -> list[dict[str, Any]] | None:
    """Return the three most frequent languages (ISO 639-1) of `texts`, None without a detector."""
    if not is_installed("py3langid"):
        return None
    classify = require("py3langid", extra="dedup", feature="Counting languages").classify
    counts = Counter(str(classify(text)[0]) for text in texts)
    top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3]
    return [{"code": code, "count": count} for code, count in top]


def forget_language_model() -> None:
    """Give the 80 MB of the language model back; the next use loads it again, in half a second."""
    if is_installed("py3langid"):
        require("py3langid.langid", extra="dedup", feature="Counting languages").IDENTIFIER = None
