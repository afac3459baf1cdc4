"""What verifying a record answers: plain values, never exceptions."""

from __future__ import annotations

from dataclasses import InitVar, dataclass

__all__ = ["VerifyResult"]


@dataclass(frozen=True)
class VerifyResult:
    """What `verify_audit_log` found.

    Attributes:
        valid: Every line is in its place, unaltered, and nothing that the side files pin is gone.
        entries_count: Non-blank lines read, the offending one included.
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

    def __post_init__(
        self, last_hash: str | None, remarks: tuple[str, ...], has_head: bool
    ) -> None:
        object.__setattr__(self, "_extra", (last_hash, tuple(remarks), has_head))

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
        return self._details[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What this verdict does not prove, one sentence each."""
        return self._details[1]

    @property
    def anchored(self) -> bool:
        """A head file pins the end of the log, so that lines removed there are seen."""
        return self._details[2]

    @property
    def _details(self) -> tuple[str | None, tuple[str, ...], bool]:
        details: tuple[str | None, tuple[str, ...], bool] = self.__dict__["_extra"]
        return details
