"""Checks of text quality, and guessing a language."""

from __future__ import annotations

from forgelm.data_audit.quality._language import (
    HOW_TO_GET_LANGUAGES,
    forget_language_model,
    language_counts,
)
from forgelm.data_audit.quality._quality import (
    QUALITY_CHECKS,
    QualityCheck,
    QualityFlag,
    judge,
    list_quality_checks,
    named_checks,
    quality_flags,
)

__all__ = [
    "HOW_TO_GET_LANGUAGES",
    "QUALITY_CHECKS",
    "QualityCheck",
    "QualityFlag",
    "forget_language_model",
    "judge",
    "language_counts",
    "list_quality_checks",
    "named_checks",
    "quality_flags",
]
