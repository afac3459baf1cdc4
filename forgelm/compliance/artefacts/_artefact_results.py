"""What verifying documents and model files answers: plain values, never exceptions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["VerifyAnnexIVResult", "VerifyGgufResult", "VerifyIntegrityResult"]


@dataclass(frozen=True)
class VerifyAnnexIVResult:
    """What `verify_annex_iv_artifact` found.

    Attributes:
        valid: Every required key is filled and the document is the one that was written.
        reason: What is wrong, or None when valid.
        missing_fields: Required keys that are absent or not filled, dotted.
        manifest_hash_actual: The hash of the document as it is; None when it could not be read.
        manifest_hash_expected: The hash that it carries, or None.
        altered: Something shows that it was changed after it was written, not merely incomplete.
        notes: What this verdict does not prove, one sentence each.
    """

    valid: bool
    reason: str | None = None
    missing_fields: list[str] = field(default_factory=list)
    manifest_hash_actual: str | None = None
    manifest_hash_expected: str | None = None
    altered: bool = False
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return every attribute as plain dicts and lists."""
        return asdict(self)


@dataclass(frozen=True)
class VerifyIntegrityResult:
    """What `verify_integrity` found in a model's folder; names are relative to it.

    Attributes:
        valid: The folder holds exactly the files of its manifest, byte for byte.
        reason: What is wrong, or None when valid.
        added: Files that the manifest does not name.
        changed: Files whose bytes are not those of the manifest, and what stands in a file's place.
        removed: Files that the manifest names and that are gone.
        links: Symbolic links; they are never followed, wherever they lead.
        files_checked: Files whose bytes were compared.
        altered: The folder differs from its manifest, or the manifest from the audit log.
        notes: What this verdict does not prove, one sentence each.
    """

    valid: bool
    reason: str | None = None
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    files_checked: int = 0
    altered: bool = False
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return every attribute as plain dicts and lists."""
        return asdict(self)


@dataclass(frozen=True)
class VerifyGgufResult:
    """What `verify_gguf` found.

    Attributes:
        valid: Header, tensor catalogue and tokenizer block are sound, and so is the sidecar if
            there is one.
        reason: What is wrong and where, or None when valid.
        checks: `magic_ok`, `metadata_parsed`, `metadata_error`, `tensor_count`, `sidecar_present`,
            `sidecar_match`, `sha256_actual`, `sha256_expected`, and what else was read.
    """

    valid: bool
    reason: str | None = None
    checks: dict[str, Any] = field(default_factory=dict)

    @property
    def altered(self) -> bool:
        """It is a GGUF file that was damaged or changed, not a file of another kind."""
        return not self.valid and self.checks.get("magic_ok") is True

    def to_dict(self) -> dict[str, Any]:
        """Return every attribute as plain dicts and lists."""
        return asdict(self)
