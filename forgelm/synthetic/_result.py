"""What a generation came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from forgelm.results import Verdict

if TYPE_CHECKING:
    from forgelm.data_audit import AuditReport

__all__ = ["SeedFailure", "SyntheticResult"]


@dataclass(frozen=True)
class SeedFailure:
    """A prompt without a usable row.

    Attributes:
        place: File and line of the prompt, or its number in `seed_prompts`.
        reason: Why, in words; no text of the prompt or the answer.
    """

    place: str
    reason: str


@dataclass(frozen=True)
class SyntheticResult:
    """What `SyntheticDataGenerator.generate()` returns.

    Attributes:
        output_file: Where the rows are.
        provenance_file: The record beside it: who wrote them, when, with which settings.
        output_format: Shape of the rows.
        prompts: Different prompts there were to ask.
        rows: Of these, how many have a row in the file.
        resumed_rows: Of the rows, how many an earlier call wrote.
        rejected: Answers that were not kept, by reason.
        unanswered: Prompts the teacher gave no answer to; the next call asks them again.
        not_asked: Prompts that were not reached.
        prompt_tokens, completion_tokens: As the teacher counted them, this call and earlier ones.
        stopped: Somebody pressed Ctrl-C; the same call goes on from here.
        verdict: The gate `min_success_rate`, and the check of the teacher's answers.
        failures: The first hundred prompts without a row.
        audit: The audit of the rows, when it was asked for.
    """

    output_file: str
    provenance_file: str
    output_format: str
    prompts: int
    rows: int
    resumed_rows: int
    rejected: dict[str, int]
    unanswered: int
    not_asked: int
    prompt_tokens: int
    completion_tokens: int
    stopped: bool
    verdict: Verdict
    failures: list[SeedFailure] = field(default_factory=list)
    audit: AuditReport | None = None

    @property
    def success_rate(self) -> float:
        """Rows a prompt, from 0 to 1."""
        return self.rows / self.prompts if self.prompts else 0.0
