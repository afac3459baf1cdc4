"""What verifying a record answers: plain values, never exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass

__all__ = ["LogHead", "VerifyResult"]


@dataclass(frozen=True)
class LogHead:
    """Where a log ended when it was verified: keep it elsewhere, and hold the log to it later.

    Attributes:
        chain_head: SHA-256 of the last line, newline excluded.
        entries_count: Lines up to there, those of earlier files of a rotated log included.
        earlier_entries: Of these, the lines of earlier files.
        size_bytes: Length of the file up to there.
        last_line_bytes: Length of the last line, newline included.
        keyed: The last line carries a tag.
        key_ids: The key ids used so far, the last line's at the end; None is "no key id".
    """

    chain_head: str
    entries_count: int
    earlier_entries: int = 0
    size_bytes: int = 0
    last_line_bytes: int = 0
    keyed: bool = False
    key_ids: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class VerifyResult:
    """What `verify_audit_log` found.

    Attributes:
        valid: Every line is in its place, unaltered, and nothing that the side files pin is gone.
        entries_count: Non-blank lines read, the offending one included; where a log was rotated,
            those of its earlier files, too.
        first_invalid_index: Line number, from 1, where the chain first fails; the first missing
            line when lines were removed at the end; None when no single line is to blame.
        reason: What is wrong and where, in one sentence; None when valid.
    """

    valid: bool
    entries_count: int = 0
    first_invalid_index: int | None = None
    reason: str | None = None
    last_hash: InitVar[str | None] = None
    remarks: InitVar[tuple[str, ...]] = ()
    has_head: InitVar[bool] = False
    end: InitVar[LogHead | None] = None
    commitments: InitVar[Mapping[str, str] | None] = None

    def __post_init__(
        self,
        last_hash: str | None,
        remarks: tuple[str, ...],
        has_head: bool,
        end: LogHead | None,
        commitments: Mapping[str, str] | None,
    ) -> None:
        details = _Details(last_hash, tuple(remarks), has_head, end, dict(commitments or {}))
        object.__setattr__(self, "_extra", details)

    @property
    def entries_checked(self) -> int:
        """Lines that stand up: all of them when valid, else those before the first failure."""
        if self.first_invalid_index is None:
            return self.entries_count if self.valid else 0
        return min(self.entries_count, self.first_invalid_index - 1)

    @property
    def chain_head(self) -> str | None:
        """SHA-256 of the last line that stands up; keep it elsewhere as an anchor.

        None when no line does, or when a side file contradicts the chain.
        """
        return self._details.chain_head

    @property
    def head(self) -> LogHead | None:
        """Where a valid log ends, for `expected_head=` later; None when it is not valid."""
        return self._details.head

    @property
    def notes(self) -> tuple[str, ...]:
        """What this verdict does not prove, one sentence each."""
        return self._details.notes

    @property
    def anchored(self) -> bool:
        """A head file pins the end of the log, so that lines removed there are seen."""
        return self._details.anchored

    @property
    def personal_data(self) -> dict[str, str]:
        """What became of each committed personal value: "matches", "altered", "erased", "missing".

        "erased" is one that the log says was erased; "missing" is one that nobody said so of.
        """
        return dict(self._details.personal_data)

    @property
    def _details(self) -> _Details:
        details: _Details = self.__dict__["_extra"]
        return details


@dataclass(frozen=True)
class _Details:
    chain_head: str | None
    notes: tuple[str, ...]
    anchored: bool
    head: LogHead | None
    personal_data: dict[str, str]
