"""What verifying a document, a model folder or a GGUF file gave, as cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forgelm_widgets._card import Card, Figure, Table, Text
from forgelm_widgets._text import count, plural

__all__ = ["verify_annex_iv_card", "verify_gguf_card", "verify_integrity_card"]


def verify_annex_iv_card(result: Any) -> Card:
    """Return what verifying an Annex IV document gave: sound or not, and what is missing."""
    hashes = [
        ("It carries", result.manifest_hash_expected),
        ("It has", result.manifest_hash_actual),
    ]
    missing = [(name,) for name in result.missing_fields]
    return _verdict(
        result,
        kind="verify-annex-iv-result",
        label="Annex IV document",
        good="The document is complete, and the one that was written",
        figures=[Figure.of(len(missing), "required field missing", "required fields missing")],
        tables=[
            *([Table("Not filled", ("Field",), missing, told=True)] if missing else []),
            Table("Hash of the document", ("Which", "SHA-256"), hashes, folded=True),
        ],
        notes=result.notes,
    )


def verify_integrity_card(result: Any) -> Card:
    """Return what verifying a model's folder gave: which files are not those of its manifest."""
    sorts = ("changed", "removed", "added", "links")
    rows = [(sort.removesuffix("s"), name) for sort in sorts for name in getattr(result, sort)]
    figures = [Figure(count(result.files_checked), "files compared")]
    figures += [Figure(count(len(getattr(result, sort))), sort) for sort in sorts]
    return _verdict(
        result,
        kind="verify-integrity-result",
        label="Model folder",
        good=f"{plural(result.files_checked, 'file')}, byte for byte those of the manifest",
        figures=figures,
        tables=[Table("What differs", ("How", "File"), rows, told=True)] if rows else [],
        notes=result.notes,
    )


def verify_gguf_card(result: Any) -> Card:
    """Return what verifying a GGUF file gave, check by check."""
    checks = [(name.replace("_", " "), _plain(value)) for name, value in result.checks.items()]
    tensors = result.checks.get("tensor_count")
    figures = [Figure(count(tensors), "tensors")] if isinstance(tensors, int) else []
    alone = not result.checks.get("sidecar_present")
    note = "No digest lies beside the file, so its bytes were compared with nothing."
    return _verdict(
        result,
        kind="verify-gguf-result",
        label="GGUF file",
        good="Header, tensors and tokenizer are sound",
        figures=figures,
        tables=[Table("Checks", ("Check", "Found"), checks)],
        notes=[note] if alone else [],
    )


def _verdict(
    result: Any,
    *,
    kind: str,
    label: str,
    good: str,
    figures: Sequence[Figure],
    tables: Sequence[Table],
    notes: Sequence[str],
) -> Card:
    bad = "It was altered" if result.altered else "It does not pass"
    return Card(
        kind=kind,
        label=label,
        mark="ok" if result.valid else "bad",
        headline=good if result.valid else f"{bad}: {result.reason or 'no reason was given'}",
        figures=figures,
        tables=tables,
        texts=[Text("What this does not prove", list(notes), folded=False)] if notes else [],
    )


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if value is None or isinstance(value, str | int | float) else str(value)
