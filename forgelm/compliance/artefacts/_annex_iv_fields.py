"""The required keys of an Annex IV document, what counts as filled, and its hash.

Source: Regulation (EU) 2024/1689, Annex IV.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["ANNEX_IV_FILE", "is_filled", "manifest_hash", "missing_fields"]

ANNEX_IV_FILE = "annex_iv_metadata.json"

# The nine keys, and what the ones that are objects must hold.
_REQUIRED: dict[str, tuple[str, ...]] = {
    "system_identification": ("provider_name", "system_name", "intended_purpose"),
    "intended_purpose": (),
    "system_components": ("model_lineage", "training_parameters"),
    "computational_resources": (),
    "data_governance": (),
    "technical_documentation": (),
    "monitoring_and_logging": (),
    "performance_metrics": (),
    "risk_management": (),
}
_UNSIGNED = ("manifest_hash", "manifest_signature")
_WORDS = "todo|tbd|tba|fixme|to be (?:added|completed|defined|determined|done)"
_PLACEHOLDER = re.compile(rf"\W*(?:{_WORDS})(?:\W*|\s*[:\-].*)", flags=re.IGNORECASE | re.DOTALL)


def missing_fields(document: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of required keys that are absent or not filled."""
    missing: list[str] = []
    for name, inner in _REQUIRED.items():
        value = document.get(name)
        if inner and isinstance(value, Mapping) and value:
            missing += [f"{name}.{key}" for key in inner if not is_filled(value.get(key))]
        elif inner or not is_filled(value):
            missing.append(name)
    return missing


def is_filled(value: Any) -> bool:
    """Say whether a value tells anything: zero and false do, blanks and "TODO" do not.

    Example:
        >>> [is_filled(value) for value in (0, False, "", " ", "TODO: ask Ann", [""], {"a": None})]
        [True, True, False, False, False, False, False]
    """
    if value is None:
        return False
    if isinstance(value, str):
        return bool(value.strip()) and not _PLACEHOLDER.fullmatch(value.strip())
    if isinstance(value, Mapping):
        return any(is_filled(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(is_filled(item) for item in value)
    return True


def manifest_hash(document: Mapping[str, Any]) -> str:
    """Return the hash that belongs into `metadata.manifest_hash` of an Annex IV document.

    Example:
        >>> manifest_hash({"a": 1, "metadata": {"manifest_hash": "?"}}) == manifest_hash({"a": 1})
        True
    """
    hashed = dict(document)
    metadata = hashed.pop("metadata", None)
    if isinstance(metadata, Mapping):
        metadata = {key: item for key, item in metadata.items() if key not in _UNSIGNED} or None
    if metadata is not None:
        hashed["metadata"] = metadata
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
