"""Names of people, organisations and places, found by a language model through Presidio."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from forgelm._core import require
from forgelm.data_audit.detectors._spans import Finding
from forgelm.errors import OptionalDependencyError

__all__ = ["NerFinder"]

_FEATURE = "enable_pii_ml"
_KINDS = {"PERSON": "person", "ORGANIZATION": "organization", "LOCATION": "location"}
_PIECE_CHARS = 50_000


class NerFinder:
    """Finds names with the largest spaCy pipeline that is installed for a language.

    Raises:
        OptionalDependencyError: Presidio, or any pipeline for the language, is not installed.
    """

    def __init__(self, language: str) -> None:
        presidio = require("presidio_analyzer", extra="pii", feature=_FEATURE)
        engines = require("presidio_analyzer.nlp_engine", extra="pii", feature=_FEATURE)
        recognizers = require(
            "presidio_analyzer.predefined_recognizers", extra="pii", feature=_FEATURE
        )
        logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
        model = _installed_pipeline(language)
        engine = engines.SpacyNlpEngine(models=[{"lang_code": language, "model_name": model}])
        engine.load()
        registry = presidio.RecognizerRegistry(
            recognizers=[
                recognizers.SpacyRecognizer(
                    supported_language=language, supported_entities=list(_KINDS)
                )
            ],
            supported_languages=[language],
        )
        self._language = language
        self._engine: Any = presidio.AnalyzerEngine(
            registry=registry, nlp_engine=engine, supported_languages=[language]
        )

    def find(self, text: str, known: Sequence[Finding]) -> list[Finding]:
        """Return the names in `text` that do not overlap one another or what is `known`."""
        taken = [finding.span for finding in known]
        found: list[Finding] = []
        for base in range(0, len(text), _PIECE_CHARS):
            piece = text[base : base + _PIECE_CHARS]
            results = self._engine.analyze(piece, language=self._language, entities=list(_KINDS))
            for result in sorted(results, key=lambda r: (-r.score, r.start, -r.end)):
                span = (base + result.start, base + result.end)
                if all(span[1] <= start or span[0] >= end for start, end in taken):
                    taken.append(span)
                    found.append(Finding(_KINDS[result.entity_type], span))
        return sorted(found, key=lambda finding: finding.span)


def _installed_pipeline(language: str) -> str:
    spacy_util = require("spacy.util", extra="pii", feature=_FEATURE)
    pipelines = [n for n in spacy_util.get_installed_models() if n.startswith(f"{language}_")]
    if not pipelines:
        raise _no_pipeline(language)
    order = ("_trf", "_lg", "_md", "_sm")
    return min(
        sorted(map(str, pipelines)),
        key=lambda name: next((i for i, end in enumerate(order) if name.endswith(end)), 9),
    )


def _no_pipeline(language: str) -> OptionalDependencyError:
    model = f"{language}_core_web_sm" if language in ("en", "zh") else f"{language}_core_news_sm"
    error = OptionalDependencyError(model, extra="pii", feature=_FEATURE)
    # The extra cannot bring a spaCy pipeline, so the usual next step would not help.
    error.msg = (
        f"{_FEATURE} needs a spaCy pipeline for the language {language!r}, and none is installed. "
        f"Install one, for example with: python -m spacy download {model}"
    )
    return error
