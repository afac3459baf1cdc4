"""Evidence that was verified or packed, and what was signed and proven of a log, as cards."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from forgelm_widgets._card import Card, Figure, Mark, Table, Text
from forgelm_widgets._text import count, plural

if TYPE_CHECKING:
    from forgelm import Checkpoint, EvidenceBundle, EvidenceVerdict, ProofResult, TimestampResult

__all__ = [
    "checkpoint_card",
    "evidence_bundle_card",
    "evidence_verdict_card",
    "proof_result_card",
    "timestamp_result_card",
]


def evidence_verdict_card(verdict: EvidenceVerdict) -> Card:
    """Return whether a run, a bundle or a piece of them stands, part by part."""
    bad = sorted((part for part in verdict.parts if not part.valid), key=lambda p: not p.altered)
    good = [(part.name, part.kind) for part in verdict.parts if part.valid]
    rows = [
        (part.name, part.kind, "altered" if part.altered else "incomplete", part.reason)
        for part in bad
    ]
    notes = Counter(note for part in verdict.parts for note in part.notes)
    parts = plural(len(verdict.parts), "part")
    wrong = "was altered" if verdict.altered else "does not pass"
    keep = {"chain head": verdict.chain_head, "SHA-256 of the index": verdict.index_sha256}
    anchors = [(name, value) for name, value in keep.items() if value]
    tables = [
        Table("What is wrong", ("Part", "What it is", "Verdict", "Reason"), rows, told=True)
    ] * bool(bad)
    tables += [Table("In order", ("Part", "What it is"), good, folded=bool(bad))] * bool(good)
    tables += [Table("To keep elsewhere", ("What", "Value"), anchors, folded=True)] * bool(anchors)
    return Card(
        kind="evidence-verdict",
        label=f"Evidence: {verdict.kind}",
        mark="ok" if verdict.valid else "bad",
        headline=f"{parts} verified, each complete and as it was written"
        if verdict.valid
        else f"It {wrong}: {verdict.reason or 'no reason was given'}",
        figures=[Figure.of(len(good), "part in order", "parts in order")],
        tables=tables,
        texts=[Text("What this does not prove", list(notes), folded=False)] if notes else [],
    )


def evidence_bundle_card(bundle: EvidenceBundle) -> Card:
    """Return what is in a bundle, and the digest to keep of it; an altered log is said first."""
    left_out = list(bundle.left_out.items())
    mark: Mark = "ok" if bundle.log.valid else "bad"
    inside = f"{plural(len(bundle.files), 'file')} packed"
    return Card(
        kind="evidence-bundle",
        label="Evidence bundle",
        mark="attention" if left_out and mark == "ok" else mark,
        headline=inside if bundle.log.valid else f"{inside}; its log: {bundle.log.reason}",
        figures=[
            Figure.of(len(bundle.digested), "file by digest only", "files by digest only"),
            Figure(count(len(left_out)), "left out"),
        ],
        tables=[
            Table(
                "To keep elsewhere",
                ("What", "Value"),
                [("Bundle", str(bundle.path)), ("SHA-256 of its index", bundle.index_sha256)],
            ),
            *([Table("Left out", ("File", "Why"), left_out)] * bool(left_out)),
            Table("In it", ("File",), [(name,) for name in bundle.files], folded=True),
        ],
    )


def proof_result_card(result: ProofResult) -> Card:
    """Return whether a proof of a log's lines holds."""
    return Card(
        kind="proof-result",
        label="Proof",
        mark="ok" if result.valid else "bad",
        headline="It holds" if result.valid else f"It does not hold: {result.reason}",
    )


def timestamp_result_card(result: TimestampResult) -> Card:
    """Return when an authority stamped a checkpoint, or why that is not shown."""
    when = result.stamped_at
    return Card(
        kind="timestamp-result",
        label="Timestamp",
        mark="ok" if result.valid else "bad",
        headline=f"Stamped {when:%Y-%m-%d %H:%M:%S %Z}".strip()
        if result.valid and when
        else f"Not stamped: {result.reason}",
    )


def checkpoint_card(checkpoint: Checkpoint) -> Card:
    """Return what a signer says of a log; showing it checks no signature."""
    head = checkpoint.head.chain_head if checkpoint.head else None
    rows = [
        ("Origin", checkpoint.origin),
        ("Merkle root", checkpoint.root),
        ("Chain head", head),
        ("Signed", checkpoint.signed_at),
    ]
    return Card(
        kind="checkpoint",
        label="Signed checkpoint",
        mark="neutral",
        headline=f"{plural(checkpoint.size, 'line')} of a log; the signature is not checked here",
        tables=[Table("It says", ("What", "Value"), [row for row in rows if row[1]])],
    )
